"""What a proxy worker knows of stations, trust and firmware: a copy of the ledger's answer, kept fresh by its news.

One ``View`` per worker. It is changed in place, between two events, so a decision never sees half a change; everything
in it is frozen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pki.firmware.signer import Anchors

if TYPE_CHECKING:
    from cryptography import x509

    from pki.firmware.release import Release
    from pki.station import Station


@dataclass(frozen=True, slots=True)
class Trust:
    """One issuer whose station certificates are accepted.

    ``key_id`` is SHA-256 over its SubjectPublicKeyInfo, 32 bytes. ``organisation`` is what its certificates name as O
    besides our own (A00.FR.404). ``ours`` means that the ledger lists every certificate it issued, so that one which is
    not listed is refused.
    """

    key_id: bytes
    organisation: str
    ours: bool
    subject: str


@dataclass(frozen=True, slots=True)
class Authority:
    """One authority of ours, or of others that we trust, by what it is for: ``role`` is that of its key (root, link,
    csms, manufacturer, v2g-root ...) or of its anchor (csms, firmware, station, or what InstallCertificate calls it);
    empty for one that only stands between."""

    role: str
    certificate: x509.Certificate


@dataclass(slots=True)
class View:
    """What a worker knows: ``stations`` by identity, ``trusts`` by key id, ``anchors`` of firmware by vendor.

    ``own_keys`` are the key ids of all our own authorities: what one of them issued counts only if the ledger lists it.
    ``late`` are the identities of those that were ever allowed to show an expired certificate.
    ``authorities`` are all that stations could be told to trust; ``presented`` is what our listeners show them, with
    what stands above it but the roots.
    ``fallen`` says of authorities of ours, by key id, that they are ``revoked`` or ``held``: none of them is trusted.
    """

    organisation: str
    csms_host: str
    stations: dict[str, Station] = field(default_factory=dict)
    trusts: dict[bytes, Trust] = field(default_factory=dict)
    own_keys: frozenset[bytes] = frozenset()
    anchors: Anchors = field(default_factory=lambda: Anchors({}))
    releases: tuple[Release, ...] = ()
    fallen: dict[bytes, str] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    authorities: tuple[Authority, ...] = ()
    presented: tuple[x509.Certificate, ...] = ()
