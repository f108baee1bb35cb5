"""Lists of revoked certificates in the ledger: recorded as intended, then valid, replaced by the next.

Of a list that was replaced its row stays and its body goes. What must be listed anew is written down with the change
itself (``changed``), and struck out by the list that has it. A list is about one shard, or, as shard -1, about all.
"""

from __future__ import annotations

import datetime as dt
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from pki.edge import store
from pki.edge.clock import stamp
from pki.errors import ConflictError, NotFoundError
from pki.listing import Revoked
from pki.revocation import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlite_utils import Database

ALL: Final = -1  # the shard that is none: a list of every certificate of an issuer

_EACH_ROW: Final = " NOT INDEXED WHERE issuer_key_id = :key AND :ends <> ''"  # in the order in which they lie
_BY_INDEX: Final = (
    " INDEXED BY certificate_revoked"
    " WHERE issuer_key_id = :key AND substr('0' || serial, -2) IN (SELECT value FROM json_each(:ends))"
)
_COLUMNS: Final = "id, issuer_key_id, shard, number, this_update, next_update, entries"


class Listed(msgspec.Struct, frozen=True):
    """A list as the ledger knows it, without its body."""

    id: int
    issuer_key_id: bytes
    shard: int
    number: int
    this_update: dt.datetime
    next_update: dt.datetime
    entries: int


class Draft(msgspec.Struct, frozen=True):
    """A list about to be signed. ``seen`` is the newest change that it knows of."""

    issuer_key_id: bytes
    shard: int
    number: int
    this_update: dt.datetime
    next_update: dt.datetime
    entries: int
    digest: bytes
    tbs: bytes
    seen: int


def shards(database: Database, issuer_key_id: bytes) -> int:
    """Return into how many shards an issuer's list is cut; 0 when that was never fixed."""
    values = {"key": issuer_key_id}
    found = database.execute("SELECT shards FROM crl_scope WHERE issuer_key_id = :key", values).fetchone()
    return int(found[0]) if found else 0


def fix_shards(database: Database, issuer_key_id: bytes, count: int) -> int:
    """Fix into how many shards an issuer's list is cut, unless that was done; return the number that holds."""
    values: dict[str, store.Value] = {"key": issuer_key_id, "count": count}
    store.change(database, "INSERT INTO crl_scope VALUES (:key, :count) ON CONFLICT DO NOTHING", values)
    return shards(database, issuer_key_id)


def bases(database: Database) -> tuple[str, ...]:
    """Return every address that lists were ever found below, the newest first: older certificates name the older."""
    return tuple(url for (url,) in database.execute("SELECT url FROM crl_base ORDER BY id DESC"))


def add_base(database: Database, url: str) -> None:
    """Note an address that lists are found below."""
    store.change(database, "INSERT INTO crl_base (url) VALUES (:url) ON CONFLICT DO NOTHING", {"url": url})


def changed(database: Database, issuer_key_id: bytes, serial: str) -> None:
    """Note, in the transaction of a change of status, that the list has to be written anew."""
    sql = "INSERT INTO crl_change (issuer_key_id, serial) VALUES (:key, :serial)"
    store.change(database, sql, {"key": issuer_key_id, "serial": serial})


def changes(database: Database, issuer_key_id: bytes) -> tuple[int, frozenset[int]]:
    """Return the newest change of an issuer's, and the last bytes of the serials of all that are not listed yet."""
    sql = "SELECT id, serial FROM crl_change WHERE issuer_key_id = :key"
    found = database.execute(sql, {"key": issuer_key_id}).fetchall()
    return max((number for number, _ in found), default=0), frozenset(int(serial[-2:], 16) for _, serial in found)


def pending(database: Database, issuer_key_id: bytes, shard: int, shards: int) -> frozenset[int]:
    """Return the serials of a shard that its next list will have anew, or no more."""
    found = database.execute(
        "SELECT serial FROM crl_change WHERE issuer_key_id = :key"
        " AND substr('0' || serial, -2) IN (SELECT value FROM json_each(:ends))",
        {"key": issuer_key_id, "ends": _ends(shard, shards)},
    )
    return frozenset(int(serial, 16) for (serial,) in found)


def valid(database: Database) -> list[Listed]:
    """Return the newest list of each shard of each issuer."""
    sql = f"SELECT {_COLUMNS} FROM crl WHERE status = 'valid' ORDER BY issuer_key_id, shard"  # noqa: S608 - ours
    return store.rows(database, Listed, sql)


def body(database: Database, issuer_key_id: bytes, shard: int) -> tuple[Listed, bytes]:
    """Return the newest list of one shard with its DER. Raises ``NotFoundError("crl.none")``."""
    where = "issuer_key_id = :key AND shard = :shard AND status = 'valid'"
    values: dict[str, store.Value] = {"key": issuer_key_id, "shard": shard}
    found = store.rows(database, Listed, f"SELECT {_COLUMNS} FROM crl WHERE {where}", values)  # noqa: S608 - ours
    if not found:
        raise NotFoundError("crl.none", "no such list was signed", "'bollard crl show' lists those there are.")
    der = database.execute(f"SELECT der FROM crl WHERE {where}", values).fetchone()[0]  # noqa: S608 - ours
    return found[0], bytes(der)


def entries(database: Database, issuer_key_id: bytes, shard: int, shards: int, since: str) -> Iterator[Revoked]:
    """Return what a list holds: all that is revoked, on hold or abandoned, and not expired when the last was signed.

    So a certificate is on one list at least that was signed after its end (RFC 5280 3.3). ``since`` is the last list's
    ``this_update`` as the ledger writes it, empty for the first.
    """
    cursor = database.execute(
        "SELECT serial, coalesce(revoked_at, not_before), reason FROM certificate"  # noqa: S608 - texts of ours
        + (_EACH_ROW if shard == ALL else _BY_INDEX)
        + " AND status IN ('revoked', 'held', 'abandoned')"
        " AND (not_after >= :since OR coalesce(revoked_at, '') >= :since)",
        {"key": issuer_key_id, "ends": _ends(shard, shards), "since": since},
    )
    for serial, moment, reason in cursor:
        yield Revoked(int(serial, 16), _moment(moment), _REASONS[reason])


def last(database: Database, issuer_key_id: bytes, shard: int) -> tuple[int, str]:
    """Return the highest number that any list of this shard was intended with, and when the newest valid one began."""
    values: dict[str, store.Value] = {"key": issuer_key_id, "shard": shard}
    number, since = database.execute(
        "SELECT max(number), max(this_update) FILTER (WHERE status IN ('valid', 'superseded')) FROM crl"
        " WHERE issuer_key_id = :key AND shard = :shard",
        values,
    ).fetchone()
    return number or 0, since or ""


def intend(database: Database, draft: Draft) -> int:
    """Note that these very bytes are about to be signed. A number that does not grow is a ``ConflictError``."""
    if draft.number <= last(database, draft.issuer_key_id, draft.shard)[0]:
        raise ConflictError("crl.number", "a list with this number or a higher one exists", "Ask again.")
    cursor = database.execute(
        "INSERT INTO crl (issuer_key_id, shard, number, this_update, next_update, entries, tbs_digest, status)"
        " VALUES (:key, :shard, :number, :this_update, :next_update, :entries, :digest, 'intended')",
        {
            "key": draft.issuer_key_id,
            "shard": draft.shard,
            "number": draft.number,
            "this_update": stamp(draft.this_update),
            "next_update": stamp(draft.next_update),
            "entries": draft.entries,
            "digest": draft.digest,
        },
    )
    assert cursor.lastrowid is not None  # noqa: S101 - sqlite3 types it as optional; after an INSERT it is set
    return cursor.lastrowid


def seal(database: Database, number: int, draft: Draft, shards: int, der: bytes) -> None:
    """Keep the signed list in the place of the one before, and strike out the changes that it has."""
    values: dict[str, store.Value] = {"key": draft.issuer_key_id, "shard": draft.shard}
    store.change(
        database,
        "UPDATE crl SET status = 'superseded', der = NULL"
        " WHERE issuer_key_id = :key AND shard = :shard AND status = 'valid'",
        values,
    )
    sql = "UPDATE crl SET status = 'valid', der = :der WHERE id = :id AND status = 'intended'"
    if store.change(database, sql, {"id": number, "der": der}) != 1:
        raise ConflictError("crl.state", "the list was given up meanwhile", "Ask again.")
    if draft.shard != ALL:
        store.change(
            database,
            "DELETE FROM crl_change WHERE issuer_key_id = :key AND id <= :seen"
            " AND substr('0' || serial, -2) IN (SELECT value FROM json_each(:ends))",
            {"key": draft.issuer_key_id, "seen": draft.seen, "ends": _ends(draft.shard, shards)},
        )


def intended(database: Database) -> list[Listed]:
    """Return the lists whose signature was never recorded."""
    sql = f"SELECT {_COLUMNS} FROM crl WHERE status = 'intended' ORDER BY id"  # noqa: S608 - ours
    return store.rows(database, Listed, sql)


def abandon(database: Database, number: int) -> None:
    """Note that an intended list was never handed out."""
    store.change(database, "UPDATE crl SET status = 'abandoned' WHERE id = :id AND status = 'intended'", {"id": number})


_REASONS: Final[dict[str | None, Reason]] = {None: Reason.UNSPECIFIED} | {reason.value: reason for reason in Reason}


def _ends(shard: int, shards: int) -> str:
    """Return how the serials of a shard may end, two hex digits each, as a JSON array."""
    return json.dumps([f"{byte:02x}" for byte in range(256) if shard == ALL or byte % shards == shard])


@lru_cache(10_000)
def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
