"""What the ledger knows of one station: its identity, its serial, what it must prove, and its certificates."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import datetime as dt

    from pki.names import CertificateSerial, StationIdentity, StationSerial


class SecurityProfile(IntEnum):
    """OCPP's security profiles: how station and CSMS prove themselves (OCPP 2.0.1 part 2, A)."""

    BASIC = 1
    """A password, no TLS."""
    TLS_BASIC = 2
    """A password inside TLS."""
    MUTUAL_TLS = 3
    """A client certificate inside TLS."""


class StationStatus(StrEnum):
    """Whether a station may connect."""

    ACTIVE = "active"
    DISABLED = "disabled"
    REMOVED = "removed"
    """Gone; only what was recorded of it is left."""


TLS_VERSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
"""By OpenSSL's names, the best last."""


def best_tls(*versions: str) -> str:
    """Return the best of some TLS versions; one that is empty or not known is worse than any."""
    return max(versions, key=lambda version: TLS_VERSIONS.index(version) if version in TLS_VERSIONS else -1)


class CertificateStatus(StrEnum):
    """Where a certificate is in its life. ``INTENDED`` is recorded before the signature; ``ABANDONED`` was never signed
    for anyone: a crash came between; it counts as revoked. ``HELD`` is revoked until it is released."""

    INTENDED = "intended"
    VALID = "valid"
    HELD = "held"
    REVOKED = "revoked"
    ABANDONED = "abandoned"


class PasswordForm(StrEnum):
    """What a station puts in the Basic header (OCTT TC_085): the text, or the bytes its hex text stands for.

    ``ANY`` tries all forms; generated passwords make text and hex denote the same bytes, so it is the default.
    """

    ANY = "any"
    TEXT = "text"
    HEX = "hex"
    LITERAL_HEX = "literal-hex"


@dataclass(frozen=True, slots=True)
class CertificateFact:
    """One certificate of a station, as far as admission needs it."""

    serial: CertificateSerial
    issuer_key_id: bytes
    """SHA-256 over the issuer's SubjectPublicKeyInfo, 32 bytes."""
    status: CertificateStatus
    not_after: dt.datetime


@dataclass(frozen=True, slots=True)
class Station:
    """One registered station. ``profile`` is the lowest security profile it may connect with."""

    identity: StationIdentity
    serial: StationSerial
    profile: SecurityProfile
    status: StationStatus = StationStatus.ACTIVE
    verifier: str = ""
    """Password verifier as ``pki.password`` writes it; empty when the station has no password."""
    password_form: PasswordForm = PasswordForm.ANY
    certificates: tuple[CertificateFact, ...] = ()
    vendor: str = ""
    """As the station's last BootNotification said; empty before the first."""
    model: str = ""
    firmware_version: str = ""
    group: str = ""
    site: str = ""
    last_seen: dt.datetime | None = None
    next_verifier: str = ""
    """Verifier of the password that takes the other's place once the station is seen with it (A01); else empty."""
    next_form: PasswordForm = PasswordForm.ANY
    seen_profile: int = 0
    """The highest security profile it was seen with beyond the registered one; 0 when none."""
    ratchet: bool = True
    """Whether what it was seen with becomes the lowest it may connect with."""
    expired_until: dt.datetime | None = None
    """Until when it may show an expired certificate, to renew it and for nothing else (A00.FR.429)."""
    tls: str = ""
    """The best version of TLS that it has booted over, as ``TLSv1.3``; empty before the first."""
