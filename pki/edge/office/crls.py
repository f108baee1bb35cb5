"""Signing lists of revoked certificates: when one is due, how it comes to be, and who may have it.

* Record before sign, as for certificates: the row with number and digest of the very bytes is on the disk before the
  key is used, the signed list before anybody sees it, each with an audit entry.
* A list is due when there is none, when half its life is over, or when something on it changed; the round of duties
  bounds how often, so a thousand revocations in one round cost one signature a shard.
* Entries are read and written in a thread on a connection of its own: a million of them hold nobody up.
* Numbers are milliseconds of the clock or one more than the last, whichever is higher: they grow through restarts and
  jump ahead when an older ledger is restored (RFC 5280 5.2.3).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from cryptography import x509

from pki import listing
from pki.certificate import is_self_issued, key_id
from pki.edge import calls, clock
from pki.edge.crashpoints import reach
from pki.edge.ledger import ceremonies, crls, restores
from pki.edge.office.authorities import LINK
from pki.edge.office.desk import sha256
from pki.edge.office.services import answering, shards_of
from pki.edge.office.settling import give_up
from pki.edge.office.troubles import alone
from pki.errors import BollardError, ConflictError, NotFoundError
from pki.holding import Keeper
from pki.revocation import is_half_spent
from pki.services import Services

if TYPE_CHECKING:
    from sqlite_utils import Database

    from pki import audit
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk, OwnCertificate
    from pki.strength import Padding, SigningKey

LIFE: Final = dt.timedelta(hours=24)  # of a list; a relying party that keeps it is a day behind at most
ROOT_LIFE: Final = dt.timedelta(days=7)  # of a root's, whose key is to rest
AT_ONCE: Final = 8  # lists recorded in one transaction; at a million entries in 32 shards about 13 MB
SELF: Final = "authority"  # who acts, in the audit log


@dataclass(frozen=True, slots=True)
class Due:
    """Lists of one issuer that are to be signed. ``shards`` is into how many the whole is cut."""

    issuer: OwnCertificate
    which: tuple[int, ...]
    shards: int
    padding: Padding


@dataclass(frozen=True, slots=True)
class Signed:
    """A list that was drafted, recorded and signed."""

    row: int
    draft: crls.Draft
    der: bytes


async def sign_due_crls(desk: Desk, who: str = SELF) -> int:
    """Sign every list that is due; return how many that were. Where no address is set, none is ever due.

    Each issuer stands alone: one that cannot sign is told of, and the others sign.
    """
    if not desk.settings.status_url:
        return 0
    count = 0
    for issuer in answering(desk):
        count += await alone(desk, f"revocation list of {issuer.name}", _sign_due(desk, issuer, who)) or 0
    return count


async def _sign_due(desk: Desk, issuer: OwnCertificate, who: str) -> int:
    shards = await shards_of(desk, issuer)
    which = await desk.ledger.read(partial(_due, issuer=issuer, shards=shards))
    return len(await _sign(desk, Due(issuer, which, shards, desk.issuer(issuer.name).padding), who))


async def sign(desk: Desk, call: calls.SignCrls, who: str) -> calls.Crls:
    """Sign lists that are asked for: what is due, or all now; in shards, or one list of all.

    Where no address is set there is one list of all: a shard has to say of itself where it lies. Among several issuers
    one that cannot sign is told of in the answer, and stops no other.
    """
    whole = call.whole or not desk.settings.status_url
    failed: list[calls.FailedRow] = []
    for issuer in _named(desk, call.issuer):
        try:
            await _sign_asked(desk, issuer, call, who, whole=whole)
        except BollardError as problem:
            if call.issuer:
                raise
            failed.append(calls.FailedRow(issuer.name, problem.code, problem.cause, problem.advice))
    found = await listed(desk, calls.ListCrls(issuer=call.issuer), who)
    rows = [row for row in found.crls if (row.shard == crls.ALL) is whole or _is_elsewhere(desk, row.issuer)]
    return calls.Crls(tuple(rows), tuple(failed))


async def _sign_asked(desk: Desk, issuer: OwnCertificate, call: calls.SignCrls, who: str, *, whole: bool) -> None:
    if not whole and not call.now:
        await _sign_due(desk, issuer, who)
        return
    shards = await shards_of(desk, issuer)
    which = (crls.ALL,) if whole else tuple(range(shards))
    await _sign(desk, Due(issuer, which, shards, desk.issuer(issuer.name).padding), who)


def _is_elsewhere(desk: Desk, name: str) -> bool:
    return desk.mine(name).holding.keeper is Keeper.ELSEWHERE


def _named(desk: Desk, name: str) -> list[OwnCertificate]:
    found = [own for own in answering(desk) if name in {"", own.name}]
    if not found:
        desk.mine(name)
        cause = f"{name[:40]!r} signs no list here: its key lies elsewhere, or it is no authority that counts"
        raise ConflictError("crl.elsewhere", cause, "Whoever holds its key signs its list; see 'bollard ca list'.")
    return found


async def listed(desk: Desk, call: calls.ListCrls, who: str) -> calls.Crls:  # noqa: ARG001 - one shape for all acts
    """List the newest list of each shard, by issuer and shard, and those that came from an offline root."""
    mine = [own for own in desk.own.values() if own.purpose != LINK]  # a link has its root's key, and signs no list
    issuers = {key_id(own.certificate): own for own in mine}
    if call.issuer and call.issuer not in {own.name for own in mine}:
        desk.mine(call.issuer)
    rows = [row for row in await desk.ledger.read(crls.valid) if row.issuer_key_id in issuers]
    known = [(issuers[row.issuer_key_id], row) for row in rows]
    came = [(own, row) for own in issuers.values() if (row := await _came(desk, own)) is not None]
    found = [_row(desk, own.name, row) for own, row in (*known, *came) if call.issuer in {"", own.name}]
    return calls.Crls(tuple(sorted(found, key=lambda row: (row.issuer, row.shard))))


async def _came(desk: Desk, own: OwnCertificate) -> crls.Listed | None:
    """Describe the newest list that came from a root elsewhere, if it is one and that brought a list."""
    if own.holding.keeper is not Keeper.ELSEWHERE:
        return None
    der = await desk.ledger.read(partial(ceremonies.newest_list, root_key_id=key_id(own.certificate)))
    return read_list(own, der) if der else None


def read_list(own: OwnCertificate, der: bytes) -> crls.Listed:
    """Describe a list that came from elsewhere; it is one of all, at the place of the first shard."""
    found = x509.load_der_x509_crl(der)
    number = found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    begins, ends = found.last_update_utc, found.next_update_utc or found.last_update_utc
    return crls.Listed(0, key_id(own.certificate), 0, number, begins, ends, len(found))


async def fetch(desk: Desk, call: calls.FetchCrl, who: str) -> calls.Crl:  # noqa: ARG001 - one shape for all acts
    """Return one list with its bytes."""
    own = desk.own.get(call.issuer)
    if own is None:
        raise NotFoundError("crl.none", "no such list was signed", "'bollard crl show' lists those there are.")
    if own.holding.keeper is Keeper.ELSEWHERE and call.shard == 0:
        return await _from_elsewhere(desk, own)
    look = partial(crls.body, issuer_key_id=key_id(own.certificate), shard=call.shard)
    row, der = await desk.ledger.read(look)
    return calls.Crl(_row(desk, own.name, row), der)


async def _from_elsewhere(desk: Desk, own: OwnCertificate) -> calls.Crl:
    """Return the newest list that came with a ceremony of an offline root."""
    der = await desk.ledger.read(partial(ceremonies.newest_list, root_key_id=key_id(own.certificate)))
    if der is None:
        raise NotFoundError("crl.none", f"no list of {own.name!r} was imported", "Import the result of a ceremony.")
    return calls.Crl(_row(desk, own.name, read_list(own, der)), der)


def sweep(desk: Desk, tx: Tx) -> None:
    """Give up what a crash left between two records."""
    _abandon(desk, frozenset(row.id for row in crls.intended(tx.database)), tx)


def _abandon(desk: Desk, rows: frozenset[int], tx: Tx) -> None:
    lost = [row for row in crls.intended(tx.database) if row.id in rows]
    names = {key_id(own.certificate): own.name for own in desk.own.values() if own.purpose != LINK}
    for row in lost:
        crls.abandon(tx.database, row.id)
    if lost:
        lists: audit.Json = [[row.shard, row.number, names.get(row.issuer_key_id, "")] for row in lost]
        desk.record(tx, "crl.abandoned", SELF, {"lists": lists})


def _due(database: Database, issuer: OwnCertificate, shards: int) -> tuple[int, ...]:
    key, now = key_id(issuer.certificate), clock.now()
    back = max((each.moment for each in restores.every(database)), default=dt.datetime.min.replace(tzinfo=dt.UTC))
    _, ends = crls.changes(database, key)
    fresh = {
        row.shard
        for row in crls.valid(database)
        if row.issuer_key_id == key
        and not is_half_spent(row.this_update, row.next_update, now)
        and row.this_update > back  # what came back from a backup may be older than what others have seen
    }
    return tuple(shard for shard in range(shards) if shard not in fresh or any(end % shards == shard for end in ends))


async def _sign(desk: Desk, due: Due, who: str) -> list[Signed]:
    """Draft, record, sign, record; what is returned may be handed out."""
    signed: list[Signed] = []
    key = desk.keys.key(due.issuer.name) if due.which else None
    for which in (due.which[first : first + AT_ONCE] for first in range(0, len(due.which), AT_ONCE)):
        reach("crl.planned")
        drafts = await desk.ledger.read_apart(partial(_draft, due=due, which=which))
        rows = await desk.ledger.write(partial(_intend, desk, due, drafts, who))
        reach("crl.intended")
        assert key is not None  # noqa: S101 - there is something to sign
        try:
            ders = await asyncio.to_thread(_seal_each, drafts, due, key)
            reach("crl.signed")
            done = [Signed(*each) for each in zip(rows, drafts, ders, strict=True)]
            await desk.ledger.write(partial(_seal, desk, due, done, who))
        except Exception:
            await give_up(desk, partial(_abandon, desk, frozenset(rows)))
            raise
        reach("crl.sealed")
        signed += done
    return signed


def _draft(database: Database, due: Due, which: tuple[int, ...]) -> list[crls.Draft]:
    key, now = key_id(due.issuer.certificate), clock.now()
    seen, _ = crls.changes(database, key)
    bases = crls.bases(database)
    found = []
    for shard in which:
        last, since = crls.last(database, key, shard)
        # A list of everything names no place: who checks the root itself, which points nowhere, would take no other.
        whole = shard == crls.ALL or due.shards == 1
        urls = () if whole else tuple(Services(base, due.issuer.name).crl(shard) for base in bases)
        life = ROOT_LIFE if is_self_issued(due.issuer.certificate) else LIFE
        frame = listing.Frame(due.issuer.certificate, _number(last), now, now + life, urls, due.padding)
        tbs, entries = listing.write_tbs(frame, crls.entries(database, key, shard, due.shards, since))
        digest = hashlib.sha256(tbs).digest()
        found.append(crls.Draft(key, shard, frame.number, now, now + life, entries, digest, tbs, seen))
    return found


def _number(last: int) -> int:
    return max(last + 1, int(clock.now().timestamp() * 1000))


def _intend(desk: Desk, due: Due, drafts: list[crls.Draft], who: str, tx: Tx) -> list[int]:
    rows = [crls.intend(tx.database, draft) for draft in drafts]
    lists: audit.Json = [[draft.shard, draft.number, draft.entries, draft.digest.hex()] for draft in drafts]
    desk.record(tx, "crl.intended", who, {"issuer": due.issuer.name, "lists": lists, **_times(drafts[0])})
    reach("crl.intending")
    return rows


def _times(draft: crls.Draft) -> dict[str, audit.Json]:
    """Say what the lists of one turn have in common (pki/replay.py)."""
    return {
        "issuer_key_id": draft.issuer_key_id.hex(),
        "this_update": clock.stamp(draft.this_update),
        "next_update": clock.stamp(draft.next_update),
    }


def _seal_each(drafts: list[crls.Draft], due: Due, key: SigningKey) -> list[bytes]:
    return [listing.seal(draft.tbs, due.issuer.certificate, key, due.padding) for draft in drafts]


def _seal(desk: Desk, due: Due, signed: list[Signed], who: str, tx: Tx) -> None:
    for each in signed:
        crls.seal(tx.database, each.row, each.draft, due.shards, each.der)
        news = calls.CrlChanged(due.issuer.name, each.draft.shard)
        tx.after.append(partial(desk.board.publish, news))
    lists: audit.Json = [[each.draft.shard, each.draft.number, sha256(each.der)] for each in signed]
    desk.record(tx, "crl.issued", who, {"issuer": due.issuer.name, "lists": lists})
    reach("crl.sealing")


def _row(desk: Desk, issuer: str, row: crls.Listed) -> calls.CrlRow:
    base = desk.settings.status_url
    url = "" if row.shard == crls.ALL or not base else Services(base, issuer).crl(row.shard)
    return calls.CrlRow(issuer, row.shard, row.number, row.this_update, row.next_update, row.entries, url)
