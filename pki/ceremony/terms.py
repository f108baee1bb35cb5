"""What the participants of a ceremony agree on: which root, which certificates, which list, in whose presence.

These are the words that the file is read into (``pki.ceremony.file``); nothing here can be wrong any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pki.strength import KeyKind

if TYPE_CHECKING:
    import datetime as dt

    from pki.names import CertificateSerial, Organisation
    from pki.profile import CertificateProfile
    from pki.revocation import Reason
    from pki.services import Published

FILE_BYTES: Final = 256 * 1024  # bytes; a template has about 5 KB, a thousand revocations add 150
CERTIFICATES_MOST: Final = 16  # of one ceremony; people read every line of it
REVOKED_MOST: Final = 1_000  # entries of a root's list; it revokes authorities, of which there are a handful
WITNESSES_LEAST: Final = 2  # dual control: nobody performs a ceremony alone
WITNESSES_MOST: Final = 16  # a full room
CRL_DAYS_MOST: Final = 1_100  # days; three years and a little, since each renewal is a ceremony of its own
CRL_NUMBER_MOST: Final = 2**63 - 1  # RFC 5280 5.2.3 takes 20 octets, our ledger 8
PLACE_LENGTH: Final = 300  # characters of an address; what a home serves below its longest has 281
PHRASE_DIGITS: Final = 8  # hex digits of the file's SHA-256 that each witness types: enough to notice another file
ROOT_KEYS: Final = (
    KeyKind.EC_P256,
    KeyKind.EC_P384,
    KeyKind.EC_P521,
    KeyKind.RSA_3072,
    KeyKind.RSA_4096,
    KeyKind.ED25519,
    KeyKind.ED448,
)
"""Kinds of key for a root: those that sign deterministically and are strong enough for twenty years (A00.FR.501)."""
ROOT: Final = "root"  # the name of the root in file, folder and transcript


@dataclass(frozen=True, slots=True)
class Witness:
    """A person who takes part, and as what."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class NewRoot:
    """A root whose key is made in this ceremony. ``key`` is one of ``ROOT_KEYS``."""

    common_name: str
    key: str
    profile: CertificateProfile
    days: int
    serial: CertificateSerial


@dataclass(frozen=True, slots=True)
class KnownRoot:
    """A root of an earlier ceremony: the folder of the newest one, and the digest of its transcript (hex)."""

    folder: str
    previous: str


@dataclass(frozen=True, slots=True)
class Due:
    """A certificate to be signed. ``name`` is the key's and the request's, ``slot`` its duty in the online home,
    ``key_id`` the SHA-256 over its SubjectPublicKeyInfo."""

    name: str
    slot: str
    common_name: str
    profile: CertificateProfile
    days: int
    serial: CertificateSerial
    key_id: bytes


@dataclass(frozen=True, slots=True)
class Revoked:
    """A certificate that the root's list names."""

    serial: CertificateSerial
    moment: dt.datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class ListTerms:
    """The root's revocation list: its number, its life in days, what stands on it."""

    number: int
    days: int
    revoked: tuple[Revoked, ...]


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A file as used. ``digest`` is the SHA-256 over the file's bytes, in hex: what the participants compare."""

    digest: str
    organisation: Organisation
    moment: dt.datetime
    root: NewRoot | KnownRoot
    certificates: tuple[Due, ...]
    crl: ListTerms
    witnesses: tuple[Witness, ...]
    published: Published | None = None
    """Where list and certificate of the root will be found, as each certificate below it says; ``None``: none says."""

    @property
    def phrase(self) -> str:
        """What each witness types."""
        return self.digest[:PHRASE_DIGITS]
