"""Certificate profiles: what each kind of certificate looks like, kept as data so that nobody edits code to change it.

A profile is TOML as people write it (``policies/certificates/*.toml``) and a frozen ``CertificateProfile`` as the rest
uses it; ``parse_profile`` is the only way from one to the other. Unknown keys are refused, nothing has a hidden default
that weakens, and a refusal names the key and the clause.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from pki.errors import InputError

DAYS_MOST: Final = 36_525  # days; a hundred years, a bound against slips of the keyboard
BACKDATE_MINUTES_MOST: Final = 1_440  # minutes; a day is more than any clock skew worth serving (A02.FR.06)
STATION_DAYS_LEAST: Final = (
    90  # days; stations renew one month before the end (A03.FR.02), many at every boot within it
)


class CertificatePurpose(StrEnum):
    """What a certificate is for. ``ROOT`` and ``ISSUING`` are authorities, the others are leaves."""

    ROOT = "root"
    ISSUING = "issuing"
    CSMS = "csms"
    STATION = "station"
    OCSP = "ocsp"
    FIRMWARE_SIGNER = "firmware-signer"

    @property
    def is_ca(self) -> bool:
        """Whether certificates of this purpose sign others."""
        return self in {CertificatePurpose.ROOT, CertificatePurpose.ISSUING}


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


EXTENDED_KEY_USES: Final[dict[str, ObjectIdentifier]] = {
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code_signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}
"""The extended key usages that a profile may grant, by the names it uses."""


@dataclass(frozen=True, slots=True)
class CertificateProfile:
    """One kind of certificate, as used. Made by ``parse_profile`` alone."""

    name: str
    purpose: CertificatePurpose
    days: int
    """Lifetime from now on, unless asked otherwise."""
    longest_days: int
    """The longest lifetime that may be asked for."""
    backdate: dt.timedelta
    """How far before now the validity begins, for stations with a slow clock (A02.FR.06)."""
    key_usage: frozenset[KeyUse]
    eku: tuple[ObjectIdentifier, ...]
    san: SanRule
    path_length: int | None
    """How many authorities may stand below this one; ``None`` for no bound and for leaves."""
    organisation: bool
    """Whether the subject carries our organisation (A00.FR.509)."""

    @property
    def is_ca(self) -> bool:
        """Whether certificates of this profile sign others."""
        return self.purpose.is_ca


class _AsRead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A profile as people write it: everything is still allowed to be nonsense."""

    purpose: CertificatePurpose
    days: int
    backdate_minutes: int
    key_usage: list[KeyUse]
    is_ca: bool
    organisation: bool
    san: SanRule = SanRule.NONE
    eku: list[str] = []
    longest_days: int = 0
    path_length: int | None = None


def parse_profile(name: str, text: str) -> CertificateProfile:
    """Read a profile from TOML. ``name`` is used in errors (``policies/certificates/station.toml`` is ``station``)."""
    try:
        raw = msgspec.convert(tomllib.loads(text), _AsRead)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as problem:
        raise _wrong(name, str(problem)) from None
    _refuse_nonsense(name, raw)
    _refuse_contradictions(name, raw)
    return CertificateProfile(
        name=name,
        purpose=raw.purpose,
        days=raw.days,
        longest_days=raw.longest_days or raw.days,
        backdate=dt.timedelta(minutes=raw.backdate_minutes),
        key_usage=frozenset(raw.key_usage),
        eku=tuple(EXTENDED_KEY_USES[use] for use in raw.eku),
        san=raw.san,
        path_length=raw.path_length,
        organisation=raw.organisation,
    )


def _refuse_nonsense(name: str, raw: _AsRead) -> None:
    """Refuse values that no certificate of any purpose could have."""
    if not 1 <= raw.days <= DAYS_MOST:
        raise _wrong(name, f"days = {raw.days} is outside 1..{DAYS_MOST} (RFC 5280 4.1.2.5)")
    if raw.longest_days and not raw.days <= raw.longest_days <= DAYS_MOST:
        raise _wrong(name, f"longest_days = {raw.longest_days} is outside {raw.days}..{DAYS_MOST} (RFC 5280 4.1.2.5)")
    if not 0 <= raw.backdate_minutes <= BACKDATE_MINUTES_MOST:
        limits = f"0..{BACKDATE_MINUTES_MOST}"
        raise _wrong(name, f"backdate_minutes = {raw.backdate_minutes} is outside {limits} (A02.FR.06)")
    if not raw.key_usage:
        raise _wrong(name, "key_usage is empty (A00.FR.512)")
    for use in raw.eku:
        if use not in EXTENDED_KEY_USES:
            raise _wrong(name, f"eku = {use[:32]!r} is none of {', '.join(EXTENDED_KEY_USES)} (A00.FR.514)")


def _refuse_contradictions(name: str, raw: _AsRead) -> None:
    """Refuse values that do not fit the purpose they are for."""
    signs = KeyUse.KEY_CERT_SIGN in raw.key_usage
    if raw.is_ca != raw.purpose.is_ca:
        raise _wrong(name, f"is_ca = {str(raw.is_ca).lower()} does not fit purpose {raw.purpose} (RFC 5280 4.2.1.9)")
    if signs != raw.is_ca:
        raise _wrong(name, "key_usage must hold key_cert_sign in an authority and nowhere else (RFC 5280 4.2.1.3)")
    if raw.path_length is not None and (not raw.is_ca or raw.path_length < 0):
        raise _wrong(name, f"path_length = {raw.path_length} fits authorities alone, from 0 up (RFC 5280 4.2.1.9)")
    if raw.san is SanRule.DNS and raw.purpose is not CertificatePurpose.CSMS:
        raise _wrong(name, f"san = 'dns' does not fit purpose {raw.purpose} (A00.FR.511)")
    if raw.purpose is CertificatePurpose.OCSP and raw.eku != ["ocsp_signing"]:
        raise _wrong(name, "eku must be ['ocsp_signing'] for an OCSP signer (RFC 6960 4.2.2.2)")


def _wrong(name: str, cause: str) -> InputError:
    return InputError(
        "profile.wrong",
        f"certificate profile {name[:64]!r}: {cause[:200]}",
        f"Correct policies/certificates/{name[:64]}.toml.",
    )
