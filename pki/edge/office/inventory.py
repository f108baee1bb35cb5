"""Everything that ends, gathered from where it is known: our own certificates, given ones, stations', others'.

``SOURCES`` is the list of those who know; what is due is decided by ``pki.rotation`` alone.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Final

from pki.certificate import common_names, names_issuer, read_certificates
from pki.edge import calls, clock
from pki.edge.ledger import anchors, successions
from pki.edge.office import credentials, crls
from pki.edge.office.renewal import PROFILES, issuer_of
from pki.edge.office.services import answering, below_the_root, shards_of
from pki.edge.office.signers import needs_signer, refusal, signer_of, slot_of
from pki.errors import BollardError, ConflictError
from pki.hierarchy import AUTHORITIES, FOUNDING, signed_by
from pki.holding import Keeper, KeyState
from pki.rotation import RULES, Actor, Inventory, Item, Kind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from cryptography import x509

    from pki.edge.office.desk import Desk, OwnCertificate

    Source: TypeAlias = Callable[[Desk], Awaitable[list[Item]]]

STATIONS_MOST: Final = 10_000  # certificates of stations in one inventory, those that end first

V2G_PROFILES: Final = ("v2g-secc-2", "v2g-secc-20")  # what stations show to cars, by edition of ISO 15118

_NO_LIST: Final = "no list is there, though certificates point to it"
_NO_SIGNER: Final = "nobody answers for what this authority signed"
_FALLEN: Final = "it is revoked or on hold, and nothing below it is trusted"
_NO_ISSUER: Final = "the authority that has to sign it is revoked or on hold"


async def take(desk: Desk) -> Inventory:
    """Gather everything."""
    return Inventory(tuple([item for source in SOURCES for item in await source(desk)]))


async def ours(desk: Desk) -> list[Item]:
    """List our own certificates that are in use, and what is missing among them."""
    active = [own for own in desk.own.values() if own.holding.state is KeyState.ACTIVE]
    authorities = [_authority(desk, own) for own in active if own.purpose in AUTHORITIES]
    leaves = [_leaf(desk, own) for own in active if own.purpose in PROFILES and not _answers_no_more(desk, own)]
    return [*authorities, *leaves, *_without_signer(desk)]


async def lists(desk: Desk) -> list[Item]:
    """List the lists of revoked certificates: for each issuer the one that ends first, or that there is none."""
    came = [own for own in desk.own.values() if own.holding.keeper is Keeper.ELSEWHERE and own.purpose == "root"]
    found = (await crls.listed(desk, calls.ListCrls(), "")).crls
    mine = answering(desk) if desk.settings.status_url else []
    own = [await _list(desk, issuer, [row for row in found if row.issuer == issuer.name]) for issuer in mine]
    theirs = [row for row in found if row.issuer in {own.name for own in came}]
    return [*own, *(Item(Kind.ROOT_CRL, row.issuer, row.this_update, row.next_update) for row in theirs)]


async def _list(desk: Desk, issuer: OwnCertificate, rows: list[calls.CrlRow]) -> Item:
    shards = {row.shard: row for row in rows if row.shard >= 0}
    begins = issuer.certificate.not_valid_before_utc
    if not shards or len(shards) < await shards_of(desk, issuer):  # which fixes how many they are: a plan must not
        return Item(Kind.CRL, issuer.name, begins, begins, because=_NO_LIST)
    first = min(shards.values(), key=lambda row: row.next_update)
    return Item(Kind.CRL, issuer.name, first.this_update, first.next_update)


async def given(desk: Desk) -> list[Item]:
    """List the server certificates of others, as they were last found sound."""
    try:
        shown = await credentials.given(desk)
    except BollardError:  # the duty that watches the files tells of it
        return []
    chains = shown.chains() if shown else ()
    names = [each.certificate for each in desk.settings.server_certificates]
    return [_item(Kind.GIVEN_SERVER, ", ".join(names), read_certificates(chain)[0]) for chain in chains]


async def of_stations(desk: Desk) -> list[Item]:
    """List each active station's newest certificate, and what it shows to cars: one for each SECCID."""
    found = []
    for profile in dict.fromkeys(("station", *V2G_PROFILES, *_asked_of_others(desk))):
        by_name = profile != "station"
        look = partial(successions.newest_of_stations, limit=STATIONS_MOST, purpose=profile, by_name=by_name)
        found += [_of_station(row) for row in await desk.ledger.read(look)]
    return found


def _asked_of_others(desk: Desk) -> list[str]:
    """What an external authority issues is known by the certificate profile that it is named for."""
    return [issuer.certificate_profile for issuer in desk.settings.external_issuers]


def _of_station(row: calls.CertificateRow) -> Item:
    if row.purpose == "station":
        return Item(Kind.STATION, row.station, row.not_before, row.not_after)
    name = row.subject.removeprefix("CN=").partition(",")[0] if row.subject.startswith("CN=") else "SECCID"
    command = RULES[Kind.V2G].command.format(name=row.station).replace("PROFILE", row.purpose).replace("SECCID", name)
    return Item(Kind.V2G, row.station, row.not_before, row.not_after, command=command)


async def of_others(desk: Desk) -> list[Item]:
    """List what is trusted of others."""
    rows = await desk.ledger.read(anchors.every)
    return [_item(Kind.ANCHOR, f"{row.purpose} {row.subject}", read_certificates(row.pem)[0]) for row in rows]


SOURCES: Final[tuple[Source, ...]] = (ours, lists, given, of_stations, of_others)
"""Who knows of things that end."""


def _authority(desk: Desk, own: OwnCertificate) -> Item:
    kind = Kind.ROOT if own.purpose == "root" else Kind.ISSUING
    maker = desk.maker_of(own)
    command = maker if own.purpose in FOUNDING else f"{maker}, then bollard ca activate NAME"
    begins, ends = own.certificate.not_valid_before_utc, own.certificate.not_valid_after_utc
    because = _FALLEN if desk.fallen(own) else ""
    return Item(kind, own.holding.slot, begins, ends, None, _longest(desk, own), because=because, command=command)


def _leaf(desk: Desk, own: OwnCertificate) -> Item:
    kind, issuer = Kind(own.purpose), _issuer(desk, own)
    begins, ends = own.certificate.not_valid_before_utc, own.certificate.not_valid_after_utc
    if issuer is None:
        last = [each for each in desk.own.values() if each.purpose == "csms"][-1]
        return Item(kind, own.name, begins, ends, Actor.OPERATOR, because=_NO_ISSUER, command=desk.maker_of(last))
    by = Actor.OPERATOR if issuer.holding.keeper is Keeper.ELSEWHERE else None
    is_outdated = not names_issuer(own.certificate, issuer.certificate) or _is_unlike(desk, own)
    return Item(kind, own.name, begins, ends, by, outdated=is_outdated)


def _issuer(desk: Desk, own: OwnCertificate) -> OwnCertificate | None:
    """Who would sign its successor; nobody while that authority has fallen."""
    try:
        return issuer_of(desk, own)
    except ConflictError:
        return None


def _answers_no_more(desk: Desk, own: OwnCertificate) -> bool:
    """An authority that has fallen gets no new signer: the one it has answers as long as it lives."""
    return own.purpose == "ocsp" and desk.fallen(own) is not None


def _without_signer(desk: Desk) -> list[Item]:
    needy = [each for each in below_the_root(desk) if desk.settings.status_url and needs_signer(desk, each)]
    return [_no_signer(desk, each) for each in needy if not signer_of(desk, each)]


def _no_signer(desk: Desk, issuer: OwnCertificate) -> Item:
    """One is made with the lists, by itself; where none can be, a person has to act."""
    moment, refused = issuer.certificate.not_valid_before_utc, refusal(desk, issuer)
    if refused:
        by, because, command = Actor.OPERATOR, refused.cause, refused.advice
    else:
        by, because, command = Actor.ALONE, _NO_SIGNER, RULES[Kind.CRL].command
    return Item(Kind.OCSP, slot_of(issuer), moment, moment, by, because=because, command=command)


def _item(kind: Kind, name: str, certificate: x509.Certificate) -> Item:
    return Item(kind, name, certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _longest(desk: Desk, own: OwnCertificate) -> dt.timedelta:
    """The longest life of what an authority signs; for authorities below it, the life they are made with."""
    below = desk.profile(signed_by(own.purpose, own.holding.slot))
    days = below.days if below.purpose.is_ca else below.longest_days
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
