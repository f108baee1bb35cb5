"""The keys that a certificate profile may have, and what their values must be, alone and together: data and a table.

``AsRead`` is a profile as people write it, where everything is still allowed to be nonsense. ``RULES`` names, for each
rule, the keys it looks at and the clause it comes from; the first key is the one whose line is shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from pki.strength import EXPERIMENTAL, KeyKind
from pki.v2g import V2gEdition

if TYPE_CHECKING:
    from collections.abc import Callable

DAYS_MOST: Final = 36_525  # days; a hundred years, a bound against slips of the keyboard
BACKDATE_MINUTES_MOST: Final = 1_440  # minutes; a day is more than any clock skew worth serving (A02.FR.06)
PEM_LENGTH_MOST: Final = 5_500  # characters; InstallCertificate and firmware.signingCertificate, 1.6 and 2.0.1
CHAIN_LENGTH_MOST: Final = 10_000  # characters; CertificateSigned.certificateChain in every edition's schema
DER_LENGTH_MOST: Final = 4_096  # bytes; 5,500 characters of PEM hold no more
HOURS_A_DAY: Final = 24
EXTENDED_USES: Final = ("server_auth", "client_auth", "code_signing", "ocsp_signing")
KEY_KINDS: Final = tuple(kind.value for kind in KeyKind if kind not in EXPERIMENTAL)

_DOMAIN = re.compile(r"[A-Za-z0-9-]{0,63}")


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
        return self.is_root or self.value in {"issuing", "link"} or self.value.startswith("v2g-sub")

    @property
    def is_root(self) -> bool:
        """Whether certificates of this purpose sign themselves."""
        return self is CertificatePurpose.ROOT or self.value.startswith(("manufacturer-root", "v2g-root"))

    @property
    def is_secc(self) -> bool:
        """Whether a station shows certificates of this purpose to cars."""
        return self.value.startswith("v2g-secc")

    @property
    def edition(self) -> V2gEdition | None:
        """The edition of ISO 15118 it belongs to, or ``None`` for what has nothing to do with cars."""
        return V2gEdition(self.value.rpartition("-")[2]) if self.value.startswith("v2g-") else None


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


@dataclass(frozen=True, slots=True)
class ProfileRule:
    """What one key must be, or several together. ``judge`` returns what is wrong, or an empty text."""

    keys: tuple[str, ...]
    clause: str
    judge: Callable[[AsRead], str]


def _lifetime(raw: AsRead) -> str:
    if (raw.days is None) == (raw.hours is None):
        return "a lifetime is due, in days or in hours and not in both"
    return ""


def _days(raw: AsRead) -> str:
    return "" if raw.days is None or 1 <= raw.days <= DAYS_MOST else f"days = {raw.days} is outside 1..{DAYS_MOST}"


def _hours(raw: AsRead) -> str:
    most = DAYS_MOST * HOURS_A_DAY
    return "" if raw.hours is None or 1 <= raw.hours <= most else f"hours = {raw.hours} is outside 1..{most}"


def _longest(unit: str, least: int | None, longest: int, most: int) -> str:
    if not longest or (least is not None and least <= longest <= most):
        return ""
    bounds = f"is outside {least}..{most}" if least is not None else f"has no {unit} beside it"
    return f"longest_{unit} = {longest} {bounds}"


def _longest_days(raw: AsRead) -> str:
    return _longest("days", raw.days, raw.longest_days, DAYS_MOST)


def _longest_hours(raw: AsRead) -> str:
    return _longest("hours", raw.hours, raw.longest_hours, DAYS_MOST * HOURS_A_DAY)


def _backdate(raw: AsRead) -> str:
    if 0 <= raw.backdate_minutes <= BACKDATE_MINUTES_MOST:
        return ""
    return f"backdate_minutes = {raw.backdate_minutes} is outside 0..{BACKDATE_MINUTES_MOST}"


def _key_usage(raw: AsRead) -> str:
    return "" if raw.key_usage else "key_usage is empty"


def _eku(raw: AsRead) -> str:
    strange = [use for use in raw.eku if use not in EXTENDED_USES]
    return f"eku = {strange[0][:32]!r} is none of {', '.join(EXTENDED_USES)}" if strange else ""


def _keys(raw: AsRead) -> str:
    strange = [kind for kind in raw.keys if kind not in KEY_KINDS]
    return f"keys = {strange[0][:32]!r} is none of {', '.join(KEY_KINDS)}" if strange else ""


def _domain(raw: AsRead) -> str:
    if _DOMAIN.fullmatch(raw.domain_component):
        return ""
    return f"domain_component = {raw.domain_component[:32]!r} is not made of letters, digits and hyphens"


def _is_ca(raw: AsRead) -> str:
    if raw.is_ca == raw.purpose.is_ca:
        return ""
    return f"is_ca = {str(raw.is_ca).lower()} does not fit purpose {raw.purpose}"


def _signs(raw: AsRead) -> str:
    if (KeyUse.KEY_CERT_SIGN in raw.key_usage) == raw.is_ca:
        return ""
    return "key_usage must hold key_cert_sign in an authority and nowhere else"


def _path_length(raw: AsRead) -> str:
    if raw.path_length is None or (raw.is_ca and raw.path_length >= 0):
        return ""
    return f"path_length = {raw.path_length} fits authorities alone, from 0 up"


def _san(raw: AsRead) -> str:
    if raw.san is SanRule.NONE or raw.purpose is CertificatePurpose.CSMS:
        return ""
    return f"san = 'dns' does not fit purpose {raw.purpose}"


def _country(raw: AsRead) -> str:
    if raw.country is CountryRule.NONE or raw.purpose.is_secc:
        return ""
    return f"country = 'seccid' does not fit purpose {raw.purpose}, whose names are no SECCIDs"


def _points(raw: AsRead) -> str:
    if not (raw.crl or raw.ocsp) or not (raw.purpose.is_root or raw.purpose is CertificatePurpose.OCSP):
        return ""
    return f"crl and ocsp do not fit purpose {raw.purpose}: it is trusted as it is, and nobody asks about it"


def _due_use(purpose: CertificatePurpose, use: str) -> Callable[[AsRead], str]:
    """Whoever is for one thing alone says so, and nothing else."""

    def judge(raw: AsRead) -> str:
        wrong = raw.purpose is purpose and raw.eku != [use]
        return f"eku must be ['{use}'] for purpose {purpose}" if wrong else ""

    return judge


def _between(key: str, least: int, most: int) -> Callable[[AsRead], str]:
    def judge(raw: AsRead) -> str:
        value: int = getattr(raw, key)
        return "" if least <= value <= most else f"{key} = {value} is outside {least}..{most}"

    return judge


RULES: Final[tuple[ProfileRule, ...]] = (
    ProfileRule(("days", "hours"), "RFC 5280 4.1.2.5", _lifetime),
    ProfileRule(("days",), "RFC 5280 4.1.2.5", _days),
    ProfileRule(("hours",), "RFC 5280 4.1.2.5", _hours),
    ProfileRule(("longest_days", "days"), "RFC 5280 4.1.2.5", _longest_days),
    ProfileRule(("longest_hours", "hours"), "RFC 5280 4.1.2.5", _longest_hours),
    ProfileRule(("backdate_minutes",), "A02.FR.06", _backdate),
    ProfileRule(("key_usage",), "A00.FR.512", _key_usage),
    ProfileRule(("eku",), "A00.FR.514", _eku),
    ProfileRule(("keys",), "A00.FR.504", _keys),
    ProfileRule(("domain_component",), "V2G2-875", _domain),
    ProfileRule(("pem_length",), "A00.FR.507", _between("pem_length", 1, PEM_LENGTH_MOST)),
    ProfileRule(("chain_length",), "A02.FR.16", _between("chain_length", 1, CHAIN_LENGTH_MOST)),
    ProfileRule(("der_length",), "V2G2-010", _between("der_length", 0, DER_LENGTH_MOST)),
    ProfileRule(("is_ca", "purpose"), "RFC 5280 4.2.1.9", _is_ca),
    ProfileRule(("key_usage", "is_ca"), "RFC 5280 4.2.1.3", _signs),
    ProfileRule(("path_length", "is_ca"), "RFC 5280 4.2.1.9", _path_length),
    ProfileRule(("san", "purpose"), "A00.FR.511", _san),
    ProfileRule(("country", "purpose"), "ISO 15118-2 F", _country),
    ProfileRule(("crl", "ocsp", "purpose"), "RFC 6960 4.2.2.2.1", _points),
    ProfileRule(("eku", "purpose"), "RFC 6960 4.2.2.2", _due_use(CertificatePurpose.OCSP, "ocsp_signing")),
    ProfileRule(("eku", "purpose"), "RFC 5280 4.2.1.12", _due_use(CertificatePurpose.FIRMWARE_SIGNER, "code_signing")),
    ProfileRule(("eku", "purpose"), "RFC 5280 4.2.1.12", _due_use(CertificatePurpose.OPERATOR, "client_auth")),
)
"""What must hold. A rule whose keys could not all be read is left out: its sentence would be about something else."""
