"""Events move from the journal's files into the event database, each exactly once, and old unimportant ones make room.

Rules this file keeps:

* One recorder per home: it holds ``run/recorder.lock``. A second one waits its turn.
* A batch of events and the mark of how far its segment was read are one durable transaction. A crash before it repeats
  the batch, a crash after it does not: ids make a repeated event the same event.
* A segment is deleted when its writer has let go of it and every byte of it is recorded.
* What is no event (the half line of a writer that was killed within its ``write``, a damaged disk) becomes an event
  ``journal.damaged`` that says where it stood and how it began.
* The database is bounded by rows and bytes: the oldest events of the least severity go first. It may be bounded by age
  as well. What goes before a sink was sent it is counted for that sink, in the same transaction.
* Before it moves anything it sets the marks of sinks that are new, so that those miss nothing from then on.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from pki.edge import log
from pki.edge.lock import exclusive
from secproxy.edge.event_store import open_for_writing, parse_line, row_of
from secproxy.edge.journal import earliest_id, event_id, event_line
from secproxy.edge.segments import Segment, held_if_final, list_segments, read_lines
from secproxy.event_settings import Retention
from secproxy.events import Note, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlite_utils import Database

    from pki.edge.home import Home


POLL_SECONDS: Final = 0.2  # seconds between two looks into the journal
RETRY_SECONDS: Final = 5.0  # seconds to wait when the database cannot be written
TRIM_EVERY: Final = 1000  # events recorded between two looks at those bounds
AGE_SECONDS: Final = 600.0  # seconds between two looks for events that are too old
TRIM_ROWS: Final = 10_000  # events deleted in one transaction at most
QUOTED: Final = 64  # bytes of a damaged line that its event quotes


class Recorder:
    """Moves the events of one home. ``run`` goes on until cancelled; ``catch_up`` returns when nothing is left."""

    def __init__(self, home: Home, kept: Retention | None = None, sinks: Sequence[str] = ()) -> None:
        self._journal = home.journal
        self._database = home.events
        self._lock = home.run / "recorder.lock"
        self._kept = kept or Retention()
        self._sinks = sinks
        self._untrimmed = TRIM_EVERY
        self._aged = -AGE_SECONDS

    async def run(self) -> None:
        """Record until cancelled. A database that cannot be written is told on stderr and tried again."""
        while True:
            try:
                with exclusive(self._lock) as mine:
                    if mine:
                        await self._record_for_ever()
            except (sqlite3.Error, OSError) as problem:
                says = f"{problem}; trying again in {RETRY_SECONDS:.0f} s"
                log.say("recorder.failing", says, who="event recorder", level=log.Level.ERROR)
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(POLL_SECONDS)

    def catch_up(self) -> int:
        """Record all that waits now and return how many events that were; 0 when another recorder is at work."""
        with exclusive(self._lock) as mine:
            if not mine:
                return 0
            with closing(self._open()) as db:
                moved = 0
                while step := self._step(db):
                    moved += step
                return moved

    async def _record_for_ever(self) -> None:
        with closing(self._open()) as db:
            while True:
                moved = await _finish(asyncio.ensure_future(asyncio.to_thread(self._step, db)))
                if not moved:
                    await asyncio.sleep(POLL_SECONDS)

    def _open(self) -> Database:
        db = open_for_writing(self._database)
        marks = ", ".join("?" * len(self._sinks))
        with _transaction(db):
            db.execute(f"DELETE FROM sinks WHERE name NOT IN ({marks})", [*self._sinks])  # noqa: S608 (question marks)
            for name in self._sinks:
                newest = "SELECT coalesce(max(seq), 0) FROM events"
                db.execute(f"INSERT OR IGNORE INTO sinks (name, seq) VALUES (?, ({newest}))", [name])  # noqa: S608
        return db

    def _step(self, db: Database) -> int:
        """Move one batch from each segment; return how many events moved."""
        offsets = {str(name): int(offset) for name, offset in db.execute("SELECT name, offset FROM segments")}
        moved = sum(self._move(db, segment, offsets.pop(segment.name, 0)) for segment in list_segments(self._journal))
        for gone in offsets:
            db.table("segments").delete_where("name = ?", [gone])
        self._untrimmed += moved
        if self._untrimmed >= TRIM_EVERY:
            self._trim(db)
        if self._kept.keep_days and time.monotonic() - self._aged >= AGE_SECONDS:
            self._retire(db)
        return moved

    def _move(self, db: Database, segment: Segment, offset: int) -> int:
        with held_if_final(segment) as final:  # what is read after a yes is all there will ever be
            taken = read_lines(segment, offset, rest=final)
            if final and not taken:
                segment.path.unlink()
        if not taken:
            return 0
        rows = _rows(segment, offset, taken)
        with _transaction(db):
            db.table("events").insert_all(rows, ignore=True)
            db.table("segments").insert({"name": segment.name, "offset": offset + len(taken)}, replace=True)
        return len(rows)

    def _trim(self, db: Database) -> None:
        excess = self._excess(db)
        _delete(db, "SELECT id FROM events ORDER BY rank, id LIMIT ?", [min(excess, TRIM_ROWS)])
        self._untrimmed = TRIM_EVERY if excess > TRIM_ROWS else 0

    def _retire(self, db: Database) -> None:
        oldest = earliest_id(dt.datetime.now(dt.UTC) - dt.timedelta(days=self._kept.keep_days))
        gone = _delete(db, "SELECT id FROM events WHERE id < ? ORDER BY id LIMIT ?", [oldest, TRIM_ROWS])
        self._aged = -AGE_SECONDS if gone == TRIM_ROWS else time.monotonic()

    def _excess(self, db: Database) -> int:
        """How many events are too many: by rows, and by their share of the bytes above the bound."""
        rows = db.table("events").count
        pages, free, size = (
            int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
        )
        used = (pages - free) * size
        return max(0, rows - self._kept.keep_rows, rows - rows * self._kept.keep_bytes // used)


@contextmanager
def _transaction(db: Database) -> Iterator[None]:
    """All or nothing, with the right to write from its first word on.

    One that reads before it writes cannot write any more once a sink has moved its mark in between: SQLite refuses it
    at once, without waiting ("database is locked").
    """
    db.conn.execute("BEGIN IMMEDIATE")
    with db.conn:
        yield


def _delete(db: Database, which: str, given: list[str | int]) -> int:
    """Delete the events that a query names, and count them for the sinks that were not sent them; returns how many."""
    late = f"SELECT count(*) FROM events WHERE seq > sinks.seq AND id IN ({which})"  # noqa: S608 (our own query)
    with _transaction(db):
        db.execute(f"UPDATE sinks SET missed = missed + ({late})", given)  # noqa: S608 (as above)
        return db.execute(f"DELETE FROM events WHERE id IN ({which})", given).rowcount  # noqa: S608 (as above)


async def _finish(step: asyncio.Future[int]) -> int:
    """Wait for a batch that runs in a thread; a cancellation waits for it too, for the database closes after it."""
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        await asyncio.wait({step})
        raise


def _rows(segment: Segment, offset: int, taken: bytes) -> list[dict[str, str | int]]:
    rows = []
    for text in taken.removesuffix(b"\n").split(b"\n"):
        rows.append(_row(segment, offset, text))
        offset += len(text) + 1
    return rows


def _row(segment: Segment, offset: int, text: bytes) -> dict[str, str | int]:
    try:
        return row_of(parse_line(text), text)
    except ValueError:
        moment = dt.datetime.now(dt.UTC)
        said: dict[str, Value] = {
            "segment": segment.name,
            "offset": offset,
            "bytes": len(text),
            "beginning": repr(text[:QUOTED]),
        }
        line = event_line(Note("journal.damaged", evidence=said), event_id(moment, os.urandom(8)), moment)
        return row_of(parse_line(line), line)
