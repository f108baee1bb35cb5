"""Requests in the ledger that wait: for a person's decision, or for the authority of others that was asked.

A request is known by its station, its key, and whom it waits for; asking again finds the same one. How many there may
be is bounded here, where it cannot be passed by.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import msgspec

from pki.edge import store
from pki.edge.calls import WaitingRow
from pki.edge.clock import stamp
from pki.errors import ConflictError, NotFoundError
from pki.waiting import ALL_MOST, DAYS, DENIED_EACH_MOST, EACH_MOST, Decision

if TYPE_CHECKING:
    from sqlite_utils import Database

_COLUMNS: Final = "id, station, way, state, key_id, subject, asked, expires, issuer, decided_by, reason"


class Kept(msgspec.Struct, frozen=True):
    """A request as it came."""

    id: int
    station: str
    issuer: str
    csr: bytes


class _Number(msgspec.Struct, frozen=True):
    id: int


class _Count(msgspec.Struct, frozen=True):
    here: int
    everywhere: int


def keep(database: Database, row: WaitingRow, csr: bytes) -> int:
    """Let a request wait, if there is room; return its number."""
    _refuse_crowd(database, row.station)
    cursor = database.execute(
        "INSERT INTO waiting (station, key_id, subject, way, issuer, state, csr, asked, due, expires)"
        " VALUES (:station, :key_id, :subject, :way, :issuer, :state, :csr, :asked, :asked, :expires)",
        {
            "station": row.station,
            "key_id": row.key_id,
            "subject": row.subject,
            "way": row.way,
            "issuer": row.issuer,
            "state": row.state,
            "csr": csr,
            "asked": stamp(row.asked),
            "expires": stamp(row.expires),
        },
    )
    assert cursor.lastrowid is not None  # noqa: S101 - sqlite3 types it as optional; after an INSERT it is set
    return cursor.lastrowid


def find(database: Database, station: str, key_id: bytes, issuer: str, now: dt.datetime) -> WaitingRow | None:
    """Return the request of a station for a key, while it waits or its decision holds."""
    found = store.rows(
        database,
        WaitingRow,
        f"SELECT {_COLUMNS} FROM waiting"  # noqa: S608 - the columns are ours
        " WHERE station = :station AND key_id = :key_id AND issuer = :issuer AND expires > :now",
        {"station": station, "key_id": key_id, "issuer": issuer, "now": stamp(now)},
    )
    return found[0] if found else None


def every(database: Database, now: dt.datetime) -> list[WaitingRow]:
    """Return all that wait, or were decided and not yet fetched, the oldest first."""
    return store.rows(
        database,
        WaitingRow,
        f"SELECT {_COLUMNS} FROM waiting WHERE expires > :now ORDER BY id",  # noqa: S608 - the columns are ours
        {"now": stamp(now)},
    )


def numbered(database: Database, number: int, now: dt.datetime) -> WaitingRow:
    """Return one request by its number."""
    found = [row for row in every(database, now) if row.id == number]
    if not found:
        raise NotFoundError("enrolment.unknown", f"no request {number} waits", "See 'bollard cert pending'.")
    return found[0]


def decide(database: Database, number: int, state: Decision, who: str, reason: str, now: dt.datetime) -> str:
    """Keep a decision; it holds as long as a request may wait, until the moment that is returned."""
    expires = stamp(now + dt.timedelta(days=DAYS))
    store.change(
        database,
        "UPDATE waiting SET state = :state, decided_by = :who, reason = :reason, expires = :expires WHERE id = :id",
        {
            "id": number,
            "state": state.value,
            "who": who,
            "reason": reason,
            "expires": expires,
        },
    )
    return expires


def end(database: Database, number: int) -> None:
    """Forget a request, since it was answered. Of two that would answer it at once, one is too late and refused."""
    if not store.change(database, "DELETE FROM waiting WHERE id = :id", {"id": number}):
        raise ConflictError(
            "enrolment.decided", f"the request {number} was answered meanwhile", "'bollard cert list' shows with what."
        )


def put_off(database: Database, number: int, until: dt.datetime) -> None:
    """Send a request on again at this time, not before."""
    store.change(database, "UPDATE waiting SET due = :due WHERE id = :id", {"id": number, "due": stamp(until)})


def keep_answer(database: Database, number: int, answer: bytes) -> None:
    """Keep what was issued for a request (a body of RFC 7030 4.2.3) until what is above it is known as well."""
    store.change(database, "UPDATE waiting SET answer = :answer WHERE id = :id", {"id": number, "answer": answer})


def answer(database: Database, number: int) -> bytes:
    """Return what was issued for a request already; empty: nothing."""
    found = database.execute("SELECT answer FROM waiting WHERE id = :id", {"id": number}).fetchone()
    return bytes(found[0]) if found else b""


def is_due(database: Database, number: int, now: dt.datetime) -> bool:
    """Tell whether a request may be sent on by now."""
    found = database.execute("SELECT 1 FROM waiting WHERE id = :id AND due <= :now", {"id": number, "now": stamp(now)})
    return found.fetchone() is not None


def due(database: Database, now: dt.datetime, most: int) -> list[Kept]:
    """Return requests that are to be sent on to authorities of others by now, the longest due first."""
    return store.rows(
        database,
        Kept,
        "SELECT id, station, issuer, csr FROM waiting"
        " WHERE issuer <> '' AND state = 'pending' AND due <= :now AND expires > :now ORDER BY due, id LIMIT :most",
        {"now": stamp(now), "most": most},
    )


def forget_ended(database: Database, now: dt.datetime) -> list[WaitingRow]:
    """Delete what has waited too long; return it."""
    ended = store.rows(
        database,
        WaitingRow,
        f"SELECT {_COLUMNS} FROM waiting WHERE expires <= :now ORDER BY id",  # noqa: S608 - the columns are ours
        {"now": stamp(now)},
    )
    store.change(database, "DELETE FROM waiting WHERE expires <= :now", {"now": stamp(now)})
    return ended


def forget_denied(database: Database) -> list[int]:
    """Delete the oldest refusals beyond what is kept for a station and for all; return their numbers."""
    found = store.rows(
        database,
        _Number,
        "DELETE FROM waiting WHERE id IN (SELECT id FROM (SELECT id,"
        " row_number() OVER (PARTITION BY station ORDER BY expires DESC, id DESC) AS here,"
        " row_number() OVER (ORDER BY expires DESC, id DESC) AS everywhere FROM waiting WHERE state = 'denied')"
        " WHERE here > :each OR everywhere > :every) RETURNING id",
        {"each": DENIED_EACH_MOST, "every": ALL_MOST},
    )
    return sorted(each.id for each in found)


def _refuse_crowd(database: Database, station: str) -> None:
    counted = store.rows(
        database,
        _Count,
        "SELECT count(*) FILTER (WHERE station = :station) AS here, count(*) AS everywhere FROM waiting"
        " WHERE state <> 'denied'",
        {"station": station},
    )[0]
    if counted.here >= EACH_MOST or counted.everywhere >= ALL_MOST:
        raise ConflictError(
            "enrolment.crowded",
            f"{counted.here} requests of {station} wait already, {counted.everywhere} of all stations: for a decision,"
            " or approved for the station to come back",
            "Decide some of them, or deny what no station will fetch: 'bollard cert pending'.",
        )
