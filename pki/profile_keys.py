"""The keys that a certificate profile may have, the words and numbers they may be, and who may have which: data alone.

``AsRead`` is a profile as people write it, where everything is still allowed to be nonsense; ``pki.profile_rules``
judges it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from pki.strength import EXPERIMENTAL, KeyKind
from pki.v2g import V2gEdition

DAYS_MOST: Final = 36_525  # days; a hundred years, a bound against slips of the keyboard
BACKDATE_MINUTES_MOST: Final = 1_440  # minutes; a day is more than any clock skew worth serving (A02.FR.06)
PEM_LENGTH_MOST: Final = 5_500  # characters; InstallCertificate and firmware.signingCertificate, 1.6 and 2.0.1
CHAIN_LENGTH_MOST: Final = 10_000  # characters; CertificateSigned.certificateChain in every edition's schema
DER_LENGTH_MOST: Final = 4_096  # bytes; 5,500 characters of PEM hold no more
DER_LENGTH_LEAST: Final = 400  # bytes; nothing that keeps our rules is shorter
PEM_LENGTH_LEAST: Final = 600  # characters; the same in PEM
HOURS_A_DAY: Final = 24
EXTENDED_USES: Final = ("server_auth", "client_auth", "code_signing", "ocsp_signing")
KEY_KINDS: Final = tuple(kind.value for kind in KeyKind if kind not in EXPERIMENTAL)


class CertificatePurpose(StrEnum):
    """What a certificate is for. Authorities come first, then leaves; V2G ones end in the edition of ISO 15118."""

    ROOT = "root"
    ISSUING = "issuing"
    LINK = "link"
    MANUFACTURER_ROOT = "manufacturer-root"
    V2G_ROOT_2 = "v2g-root-2"
    V2G_ROOT_20 = "v2g-root-20"
    V2G_SUB1_2 = "v2g-sub1-2"
    V2G_SUB1_20 = "v2g-sub1-20"
    V2G_SUB2_2 = "v2g-sub2-2"
    V2G_SUB2_20 = "v2g-sub2-20"
    CSMS = "csms"
    STATION = "station"
    OCSP = "ocsp"
    FIRMWARE_SIGNER = "firmware-signer"
    OPERATOR = "operator"
    V2G_SECC_2 = "v2g-secc-2"
    V2G_SECC_20 = "v2g-secc-20"

    @property
    def is_ca(self) -> bool:
        """Whether certificates of this purpose sign others."""
        return self in _AUTHORITIES

    @property
    def is_root(self) -> bool:
        """Whether certificates of this purpose sign themselves."""
        return self in _ROOTS

    @property
    def is_secc(self) -> bool:
        """Whether a station shows certificates of this purpose to cars."""
        return self in _SHOWN_TO_CARS

    @property
    def edition(self) -> V2gEdition | None:
        """The edition of ISO 15118 it belongs to, or ``None`` for what has nothing to do with cars."""
        return _EDITIONS.get(self)


_ROOTS: Final = frozenset(
    {
        CertificatePurpose.ROOT,
        CertificatePurpose.MANUFACTURER_ROOT,
        CertificatePurpose.V2G_ROOT_2,
        CertificatePurpose.V2G_ROOT_20,
    }
)
_AUTHORITIES: Final = _ROOTS | {
    CertificatePurpose.ISSUING,
    CertificatePurpose.LINK,
    CertificatePurpose.V2G_SUB1_2,
    CertificatePurpose.V2G_SUB1_20,
    CertificatePurpose.V2G_SUB2_2,
    CertificatePurpose.V2G_SUB2_20,
}
_SHOWN_TO_CARS: Final = frozenset({CertificatePurpose.V2G_SECC_2, CertificatePurpose.V2G_SECC_20})
_EDITIONS: Final = {
    purpose: V2gEdition(purpose.value.rpartition("-")[2])
    for purpose in CertificatePurpose
    if purpose.value.startswith("v2g-")
}


class KeyUse(StrEnum):
    """The key usages that a profile may grant, as RFC 5280 4.2.1.3 names them."""

    DIGITAL_SIGNATURE = "digital_signature"
    KEY_ENCIPHERMENT = "key_encipherment"
    KEY_AGREEMENT = "key_agreement"
    KEY_CERT_SIGN = "key_cert_sign"
    CRL_SIGN = "crl_sign"


class SanRule(StrEnum):
    """Which subject alternative name goes in: none (A00.FR.511), or one dnsName equal to the common name."""

    NONE = "none"
    DNS = "dns"


class CountryRule(StrEnum):
    """Which country the subject names: none, or the one that a SECCID begins with."""

    NONE = "none"
    SECC_ID = "seccid"


class AsRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A profile as people write it: everything is still allowed to be nonsense."""

    purpose: CertificatePurpose
    backdate_minutes: int
    key_usage: list[KeyUse]
    is_ca: bool
    organisation: bool
    days: int | None = None
    hours: int | None = None
    longest_days: int = 0
    longest_hours: int = 0
    san: SanRule = SanRule.NONE
    eku: list[str] = []
    path_length: int | None = None
    country: CountryRule = CountryRule.NONE
    domain_component: str = ""
    keys: list[str] = []
    pem_length: int = PEM_LENGTH_MOST
    chain_length: int = CHAIN_LENGTH_MOST
    der_length: int = 0
    crl: bool = False
    ocsp: bool = False


SAMPLE: Final[dict[str, object]] = {
    "purpose": CertificatePurpose.STATION,
    "backdate_minutes": 0,
    "key_usage": [KeyUse.DIGITAL_SIGNATURE],
    "is_ca": False,
    "organisation": True,
}
"""The keys that must be there, each with a value to judge the others by while it is missing."""


PATH_LENGTHS: Final = {
    CertificatePurpose.ISSUING: 0,
    CertificatePurpose.MANUFACTURER_ROOT: 0,
    CertificatePurpose.V2G_SUB1_2: 1,
    CertificatePurpose.V2G_SUB1_20: 1,
    CertificatePurpose.V2G_SUB2_2: 0,
    CertificatePurpose.V2G_SUB2_20: 0,
}
"""How many authorities may stand below one, where the hierarchy fixes it (RFC 5280 4.2.1.9)."""
DUE_USES: Final = {
    CertificatePurpose.OCSP: "ocsp_signing",
    CertificatePurpose.FIRMWARE_SIGNER: "code_signing",
    CertificatePurpose.OPERATOR: "client_auth",
}
"""Who is for one thing alone says so."""
ALLOWED_USES: Final = {
    CertificatePurpose.CSMS: ("server_auth",),
    # A00.FR.428: one certificate may serve a station on both sides, as client of the CSMS and as server of cars
    CertificatePurpose.STATION: ("client_auth", "server_auth"),
    CertificatePurpose.V2G_SECC_2: ("server_auth",),
    CertificatePurpose.V2G_SECC_20: ("server_auth",),
}
"""What others may say, though nobody asks them to (A00.FR.514)."""
NEEDED_USES: Final = {CertificatePurpose.STATION: "client_auth"}
"""What is said beside it where anything is: a station that names other uses alone is no client of the CSMS."""
