"""What the authority can say of its own health: what ends when, whether the ledger is sound and the log whole.

``SOURCES`` is the list of things that end; whoever adds one to the home adds it here.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import structs

from pki.certificate import is_self_issued, key_id, read_certificates, to_pem
from pki.edge import calls, clock, store
from pki.edge.ledger import anchors, ceremonies, certificates, crls, restores
from pki.edge.ledger import audit as log
from pki.edge.office import troubles
from pki.edge.office.backups import check_file
from pki.edge.office.credentials import meant, read_chain, refuse_unfit
from pki.edge.office.crls import read_list
from pki.edge.office.records import proved
from pki.edge.office.services import answering, below_the_root
from pki.edge.office.signers import named, needs_signer, refusal, signer_of
from pki.errors import BollardError
from pki.hierarchy import AUTHORITIES, FOUNDING
from pki.holding import Keeper, KeyState
from pki.replay import read_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cryptography import x509
    from sqlite_utils import Database

    from pki.edge.office.desk import Desk, OwnCertificate

    Source = Callable[[Desk, Database], Iterable[calls.ExpiringRow]]

GIVEN: Final = "server certificates"  # of others, which the settings name

RENEWED_BY: Final[Mapping[str, str]] = {
    "link": "It ends with the old root: bollard ca rollover root --plan",
    "ocsp": "A running authority renews it; at once: bollard rotate --now ocsp",
    "server": "A running authority renews it; at once: bollard rotate --now server",
}
"""How our own certificates are renewed, by the role of their key; authorities have successors instead."""


async def examine(desk: Desk, call: calls.Examine, who: str) -> calls.Examined:  # noqa: ARG001 - one shape for all
    """Examine, on a connection of its own, while everybody else goes on."""
    found = await desk.ledger.read_apart(partial(_examine, desk, dt.timedelta(days=call.ending_within)))
    roots = tuple(to_pem([own.certificate]) for own in desk.own.values() if is_self_issued(own.certificate))
    try:
        return structs.replace(found, presented=await meant(desk), roots=roots)
    except BollardError:  # no certificate of ours, or files that are unfit: among what is missing, or has failed
        return found


async def measure(desk: Desk, call: calls.Measure, who: str) -> calls.Measured:  # noqa: ARG001 - as above
    """Tell what ends and what was counted; what cannot be read is left out here and told by ``examine``."""
    expiring, size = await desk.ledger.read(partial(_measure, desk))
    return calls.Measured(expiring, dict(desk.memory.acts), size, len(desk.memory.troubles))


def _measure(desk: Desk, database: Database) -> tuple[tuple[calls.ExpiringRow, ...], int]:
    expiring: list[calls.ExpiringRow] = []
    for name, source in SOURCES.items():
        _attempt([], name, partial(_gather, expiring, source, desk, database))
    return tuple(expiring), log.edge(database).size


def _examine(desk: Desk, within: dt.timedelta, database: Database) -> calls.Examined:
    failed: list[calls.FailedRow] = []
    _attempt(failed, "ledger", partial(check_file, database.conn, "quick_check"))
    _attempt(failed, "audit log", partial(proved, desk.origin, desk.audit_public_key, "", database))
    expiring: list[calls.ExpiringRow] = []
    for name, source in SOURCES.items():
        _attempt(failed, name, partial(_gather, expiring, source, desk, database))
    if not any(row.what == GIVEN for row in failed):
        _attempt(failed, GIVEN, partial(refuse_unfit, desk))
    for own in _needed(desk):
        _attempt(failed, f"key of {own.name}", partial(_refuse_other_key, desk, own))
    failed += troubles.listed(desk)
    size = log.edge(database).size
    return calls.Examined(
        expiring=tuple(expiring),
        ending=certificates.count_ending(database, clock.now(), within),
        ended=certificates.count_ended(database, clock.now()),
        newest_entry=_newest(database, size),
        audit_size=size,
        restored_behind=tuple(each.moment for each in restores.every(database) if each.went_back),
        failed=tuple(failed),
        missing=(*_idle(desk), *_unsigned(desk, database)),
    )


def _gather(expiring: list[calls.ExpiringRow], source: Source, desk: Desk, database: Database) -> None:
    expiring.extend(source(desk, database))


def _attempt(failed: list[calls.FailedRow], what: str, look: Callable[[], object]) -> None:
    """Look; what is refused is part of the result, and the rest is looked at all the same."""
    try:
        look()
    except (BollardError, sqlite3.Error, msgspec.MsgspecError) as problem:
        known = _known(problem)
        failed.append(calls.FailedRow(what, known.code, known.cause, known.advice))


def _known(problem: BollardError | sqlite3.Error | msgspec.MsgspecError) -> BollardError:
    match problem:
        case BollardError():
            return problem
        case sqlite3.Error():
            return store.translate(problem)
        case _:
            return store.damaged(f"a row in it cannot be: {str(problem)[:120]!r}")


def _newest(database: Database, size: int) -> dt.datetime:
    """Return when the newest entry was written; of one that cannot be read, the audit proof has told already."""
    found = log.listed(database, max(size - 1, 0), 1)
    try:
        return dt.datetime.fromisoformat(read_entry(found[0].entry).at)
    except (ValueError, IndexError):
        return dt.datetime.fromtimestamp(0, dt.UTC)


def _own(desk: Desk, _: Database) -> Iterator[calls.ExpiringRow]:
    for own in _used(desk):
        yield _row("our certificate", own.name, own.certificate, _renewed_by(desk, own))


def _used(desk: Desk) -> Iterator[OwnCertificate]:
    given = bool(desk.settings.server_certificates)
    for own in desk.own.values():
        unused = given and own.purpose == "server"  # not presented while others are
        if not unused and own.holding.state is not KeyState.RETIRED:
            yield own


def _needed(desk: Desk) -> Iterator[OwnCertificate]:
    """Those whose key is used, or may be again."""
    return (own for own in _used(desk) if own.holding.keeper is Keeper.HERE)


def _refuse_other_key(desk: Desk, own: OwnCertificate) -> None:
    """A key that is in memory works until the next start, so it is looked for where that will."""
    if key_id(desk.keys.reread(own.name).public_key()) != key_id(own.certificate):
        says = f"what lies there as the key {own.name!r} is another than that in its certificate"
        raise BollardError("key.other", says, "Restore the real one from a backup.")


def _renewed_by(desk: Desk, own: OwnCertificate) -> str:
    if own.holding.state is KeyState.OLD and own.purpose in AUTHORITIES:
        return f"It signs no more; once nothing below it holds: bollard ca retire {own.name}"
    if own.purpose in FOUNDING:
        return f"bollard ca rollover {own.purpose} --plan"
    if own.purpose in AUTHORITIES:
        return f"{desk.maker_of(own)}, then bollard ca activate NAME"
    return RENEWED_BY.get(own.purpose, "Whoever made it has to renew it; see 'bollard ca list'.")


def _lists(desk: Desk, database: Database) -> Iterator[calls.ExpiringRow]:
    """Of each issuer's lists the one that ends first; who serves no status has none that others rely on."""
    mine = {key_id(own.certificate): own for own in answering(desk) if desk.settings.status_url}
    first: dict[bytes, crls.Listed] = {}
    for row in crls.valid(database):
        if row.shard >= 0 and row.issuer_key_id in mine and row.next_update < _end(first.get(row.issuer_key_id)):
            first[row.issuer_key_id] = row
    for key, row in first.items():
        renewed_by = f"A running authority signs it anew; at once: bollard crl publish {mine[key].name} --now"
        yield calls.ExpiringRow("revocation list of", mine[key].name, row.this_update, row.next_update, renewed_by)
    for own in [own for own in desk.own.values() if own.purpose == "root" and own.holding.keeper is Keeper.ELSEWHERE]:
        der = ceremonies.newest_list(database, key_id(own.certificate))
        if der and own.holding.state is not KeyState.RETIRED:
            row = read_list(own, der)
            renewed_by = "Hold a ceremony for a new list (bollard ca ceremony plan --existing RESULT), then import it."
            yield calls.ExpiringRow("revocation list of", own.name, row.this_update, row.next_update, renewed_by)


def _end(row: crls.Listed | None) -> dt.datetime:
    return row.next_update if row else dt.datetime.max.replace(tzinfo=dt.UTC)


def _idle(desk: Desk) -> Iterator[calls.MissingRow]:
    """Duties of authorities that nobody fills: nothing is issued there."""
    mine = [own for own in desk.own.values() if own.purpose in AUTHORITIES]
    alive = [own for own in mine if own.holding.state is not KeyState.RETIRED]
    slots = [own.holding.slot for own in (*alive, *mine) if own in alive or own.purpose in FOUNDING]
    for slot in dict.fromkeys(slots or sorted(FOUNDING)):  # a home that waits for its offline root has none yet
        try:
            desk.active(slot)
        except BollardError as problem:
            yield calls.MissingRow(f"authority for {slot}", problem.cause, problem.advice, "RFC 5280 6.1.3")


def _unsigned(desk: Desk, database: Database) -> Iterator[calls.MissingRow]:
    """Lists and signers that are not there; before the first list nobody was served, so nobody misses any."""
    if not desk.settings.status_url or not (rows := crls.valid(database)):
        return
    shards = Counter(row.issuer_key_id for row in rows if row.shard >= 0)
    for own in answering(desk):
        key = key_id(own.certificate)
        if shards[key] < (crls.shards(database, key) or 1):
            what, fix = f"revocation list of {own.name}", f"bollard crl publish {own.name}"
            yield calls.MissingRow(
                what, "it was never signed, though certificates point to it", fix, "RFC 5280 5.1.2.5"
            )
    needy = [own for own in below_the_root(desk) if signer_of(desk, own) is None and needs_signer(desk, own)]
    for own in [own for own in needy if named(own) not in desk.memory.troubles]:  # of those it is told already
        refused = refusal(desk, own)
        says = refused.cause if refused else "OCSP answers 'unauthorized' about everything that it signed"
        yield calls.MissingRow(named(own), says, refused.advice if refused else "bollard rotate", "RFC 6960 4.2.2.2")


def _given(desk: Desk, _: Database) -> Iterator[calls.ExpiringRow]:
    for given in desk.settings.server_certificates:
        leaf = read_chain(given.certificate)[0]
        renewed_by = f"Put a renewed chain into {given.certificate}, and its key beside it."
        yield _row("server certificate", given.certificate, leaf, renewed_by)


def _anchors(_: Desk, database: Database) -> Iterator[calls.ExpiringRow]:
    for anchor in anchors.every(database):
        vendor = f" --vendor {anchor.vendor!r}" if anchor.vendor else ""
        renewed_by = f"bollard ca trust add NEW.pem --purpose {anchor.purpose}{vendor}"
        yield _row(f"{anchor.purpose} anchor", anchor.subject, read_certificates(anchor.pem)[0], renewed_by)


def _row(kind: str, name: str, certificate: x509.Certificate, renewed_by: str) -> calls.ExpiringRow:
    ends = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    return calls.ExpiringRow(kind, name, *ends, renewed_by)


SOURCES: Final[Mapping[str, Source]] = {
    "our certificates": _own,
    GIVEN: _given,
    "anchors": _anchors,
    "revocation lists": _lists,
}
"""Everything that ends, by what it is called when it cannot be read."""
