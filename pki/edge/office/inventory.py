"""Everything that ends, gathered from where it is known: our own certificates, given ones, stations', others'.

``SOURCES`` is the list of those who know; what is due is decided by ``pki.rotation`` alone.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Final

from pki.certificate import common_names, names_issuer, read_certificates
from pki.edge import clock
from pki.edge.ledger import anchors, successions
from pki.edge.office import credentials
from pki.edge.office.renewal import PROFILES, issuer_of
from pki.errors import BollardError
from pki.holding import Keeper, KeyState
from pki.rotation import Actor, Inventory, Item, Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from cryptography import x509

    from pki.edge.office.desk import Desk, OwnCertificate

    Source: TypeAlias = Callable[[Desk], Awaitable[list[Item]]]

STATIONS_MOST: Final = 10_000  # certificates of stations in one inventory, those that end first

_KINDS: Final = {
    "server": Kind.SERVER,
    "ocsp": Kind.OCSP,
    "root": Kind.ROOT,
    "csms": Kind.ISSUING,
    "station": Kind.ISSUING,
}


async def take(desk: Desk) -> Inventory:
    """Gather everything."""
    return Inventory(tuple([item for source in SOURCES for item in await source(desk)]))


async def ours(desk: Desk) -> list[Item]:
    """List our own certificates that are in use."""
    active = [own for own in desk.own.values() if own.holding.state is KeyState.ACTIVE and own.purpose in _KINDS]
    return [_own(desk, own) for own in active]


async def given(desk: Desk) -> list[Item]:
    """List the server certificates of others, as they were last found sound."""
    try:
        shown = await credentials.given(desk)
    except BollardError:  # the duty that watches the files tells of it
        return []
    chains = [chain for chain in (shown.ecdsa_chain, shown.rsa_chain) if chain] if shown else []
    names = [each.certificate for each in desk.settings.server_certificates]
    return [_item(Kind.GIVEN_SERVER, ", ".join(names), read_certificates(chain)[0]) for chain in chains]


async def of_stations(desk: Desk) -> list[Item]:
    """List each active station's newest certificate."""
    rows = await desk.ledger.read(partial(successions.newest_of_stations, limit=STATIONS_MOST))
    return [Item(Kind.STATION, row.station, row.not_before, row.not_after) for row in rows]


async def of_others(desk: Desk) -> list[Item]:
    """List what is trusted of others."""
    rows = await desk.ledger.read(anchors.every)
    return [_item(Kind.ANCHOR, f"{row.purpose} {row.subject}", read_certificates(row.pem)[0]) for row in rows]


SOURCES: Final[tuple[Source, ...]] = (ours, given, of_stations, of_others)
"""Who knows of things that end."""


def _own(desk: Desk, own: OwnCertificate) -> Item:
    kind = _KINDS[own.purpose]
    if own.purpose not in PROFILES:
        return _item(kind, own.holding.slot, own.certificate, bears=_longest(desk, own.purpose))
    issuer = issuer_of(desk, own)
    by = Actor.OPERATOR if issuer.holding.keeper is Keeper.ELSEWHERE else None
    is_outdated = not names_issuer(own.certificate, issuer.certificate) or _is_unlike(desk, own)
    return _item(kind, own.name, own.certificate, by, is_outdated=is_outdated)


def _item(
    kind: Kind,
    name: str,
    certificate: x509.Certificate,
    by: Actor | None = None,
    *,
    bears: dt.timedelta = dt.timedelta(0),
    is_outdated: bool = False,
) -> Item:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return Item(kind, name, begins, ends, by, bears, is_outdated)


def _longest(desk: Desk, purpose: str) -> dt.timedelta:
    """The longest life of what an authority signs; the root's is that of the issuing authorities as they are made."""
    days = desk.profile("issuing").days if purpose == "root" else desk.profile(purpose).longest_days
    return dt.timedelta(days=days)


def _is_unlike(desk: Desk, own: OwnCertificate) -> bool:
    """Whether a server certificate made now would live shorter, or name another host."""
    if own.purpose != "server":
        return False
    certificate, hours = (
        own.certificate,
        desk.settings.certificate_hours or desk.profile("csms").lifetime // dt.timedelta(hours=1),
    )
    too_long = certificate.not_valid_after_utc > clock.now() + dt.timedelta(hours=hours)
    return too_long or common_names(certificate.subject) != (desk.settings.csms_host.text,)
