"""Every security event that was ever written down can be listed and followed here, from the first moment on.

Rules this file keeps:

* ``events.db`` has one writer, the recorder; this file holds its tables and reads them.
* A listing is complete: what the journal holds and the recorder has not moved yet is read from the journal itself.
  First the journal is read and then the database, so a line that moves in between is seen at least once; ids make it
  once.
* Order is the order of ids, which is the order of time. Lists end with the newest event.
"""

from __future__ import annotations

import datetime as dt
import heapq
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec
from sqlite_utils import Database, Migrations

from pki.errors import InputError, UnreachableError
from secproxy.edge.journal import earliest_id
from secproxy.edge.segments import Segment, list_segments, read_lines
from secproxy.events import Severity
from secproxy.kinds import RANKS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pki.edge.home import Home

Event = dict[str, object]
"""One event as it was written: id, time, type, severity, station, remote, cause, clause, says, advice, evidence."""
Events = list[Event]

POLL_SECONDS: Final = 0.2  # seconds between two looks of ``follow``
OVERLAP: Final = dt.timedelta(seconds=10)  # how late an event may become visible after its own time and be followed
BUSY_SECONDS: Final = 5.0  # seconds a reader waits for the recorder's commit

_migrations = Migrations("events")


@_migrations()
def m001_events_and_segments(db: Database) -> None:
    """Events by id, and how far each segment of the journal has been read."""
    texts = ("id", "time", "type", "severity", "station", "cause", "event")
    events = db.table("events")
    events.create({**dict.fromkeys(texts, str), "rank": int}, pk="id", not_null={*texts, "rank"}, strict=True)
    for columns in (["time"], ["station", "id"], ["type", "id"], ["cause", "id"], ["rank", "id"]):
        events.create_index(columns)
    db.table("segments").create({"name": str, "offset": int}, pk="name", not_null={"offset"}, strict=True)


class Line(msgspec.Struct, frozen=True):
    """What the tables need of an event's JSON line; the line itself is kept whole."""

    id: str
    time: str
    type: str
    severity: Severity
    cause: str
    station: str = ""


def parse_line(text: bytes) -> Line:
    """Read one line of the journal; ``ValueError`` when it is no event."""
    return msgspec.json.decode(text, type=Line)


def row_of(line: Line, text: bytes) -> dict[str, str | int]:
    """Lay an event out as a row of the events table."""
    row = {"id": line.id, "time": line.time, "type": line.type, "severity": line.severity.value}
    rank = RANKS[line.severity]
    return {**row, "station": line.station, "cause": line.cause, "event": text.decode("utf-8"), "rank": rank}


def open_for_writing(path: Path) -> Database:
    """Open events.db for the recorder, with its tables up to date and every commit durable."""
    path.touch(mode=0o600)
    db = Database(sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False))
    db.enable_wal()
    db.execute("PRAGMA synchronous=FULL")
    _migrations.apply(db)
    return db


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted; empty fields do not filter. ``severity`` means this one or a worse one."""

    station: str = ""
    type: str = ""
    cause: str = ""
    severity: str = ""
    since: dt.datetime | None = None

    def __post_init__(self) -> None:
        if self.severity and self.severity not in RANKS:
            raise InputError(
                "event.severity", f"{self.severity[:32]!r} is no severity", f"Give one of {', '.join(RANKS)}."
            )

    @property
    def rank(self) -> int:
        """The least rank wanted."""
        return RANKS[Severity(self.severity)] if self.severity else 0

    @property
    def first_id(self) -> str:
        """The least id wanted."""
        return earliest_id(self.since) if self.since else ""

    def accepts(self, line: Line) -> bool:
        """Tell whether an event passes."""
        named = ((self.station, line.station), (self.type, line.type), (self.cause, line.cause))
        same = all(wanted in ("", found) for wanted, found in named)
        return same and RANKS[line.severity] >= self.rank and line.id >= self.first_id

    def where(self) -> tuple[str, dict[str, str | int]]:
        """Say the same in SQL: a condition and its parameters."""
        named: dict[str, str | int] = {"station": self.station, "type": self.type, "cause": self.cause}
        given = {column: wanted for column, wanted in named.items() if wanted}
        conditions = ["rank >= :rank", "id >= :first", *(f"{column} = :{column}" for column in given)]
        return " AND ".join(conditions), {**given, "rank": self.rank, "first": self.first_id}


Rows = list[tuple[str | int, ...]]
Found = list[tuple[str, bytes]]
"""Events as (id, JSON text), oldest first."""


class EventStore:
    """The events of one home, for reading. Safe beside a running recorder and beside none."""

    def __init__(self, home: Home) -> None:
        self._database = home.events
        self._journal = home.journal

    def follow(
        self,
        station: str = "",
        type: str = "",  # noqa: A002  (the event's own field name)
        cause: str = "",
        severity: str = "",
    ) -> Iterator[Event]:
        """Return an endless iterator over the events that are written from this call on; it waits for each."""
        now = dt.datetime.now(dt.UTC)
        seen = {event for event, _ in self._select(Filter(since=now - OVERLAP))}
        return self._follow(Filter(station, type, cause, severity, now - OVERLAP), seen)

    def list(
        self,
        station: str = "",
        type: str = "",  # noqa: A002  (the event's own field name)
        cause: str = "",
        severity: str = "",
        since: dt.datetime | None = None,
        limit: int = 100,
    ) -> Events:
        """List the newest ``limit`` events that pass, newest last. ``severity`` means this one or a worse one."""
        selected = self._select(Filter(station, type, cause, severity, since), limit)
        return [msgspec.json.decode(text, type=Event) for _, text in selected]

    def _follow(self, wanted: Filter, seen: set[str]) -> Iterator[Event]:
        while True:
            for event, text in self._select(wanted):
                if event not in seen:
                    yield msgspec.json.decode(text, type=Event)
                seen.add(event)
            wanted = replace(wanted, since=dt.datetime.now(dt.UTC) - OVERLAP)
            seen = {event for event in seen if event >= wanted.first_id}
            time.sleep(POLL_SECONDS)

    def _select(self, wanted: Filter, limit: int | None = None) -> Found:
        waiting = self._waiting(wanted)
        newest = waiting if limit is None else heapq.nlargest(limit, waiting)
        found = {**dict(newest), **dict(self._recorded(wanted, limit))}
        chosen = sorted(found.items())
        return chosen if limit is None else chosen[max(0, len(chosen) - limit) :]

    def _waiting(self, wanted: Filter) -> Iterator[tuple[str, bytes]]:
        """What the journal holds past the recorder's marks."""
        offsets = self._offsets()
        for segment in list_segments(self._journal):
            with suppress(FileNotFoundError):  # the recorder moved all of it and deleted it: it is in the database
                for text in _lines_from(segment, offsets.get(segment.name, 0)):
                    with suppress(ValueError):  # damaged: the recorder will say so in an event of its own
                        line = parse_line(text)
                        if wanted.accepts(line):
                            yield line.id, text

    def _offsets(self) -> dict[str, int]:
        rows = self._query("SELECT name, offset FROM segments", {})
        return {str(name): int(offset) for name, offset in rows}

    def _recorded(self, wanted: Filter, limit: int | None) -> Found:
        condition, given = wanted.where()
        sql = f"SELECT id, event FROM events WHERE {condition} ORDER BY id DESC LIMIT :limit"  # noqa: S608 (fixed words)
        rows = self._query(sql, {**given, "limit": -1 if limit is None else limit})
        return [(str(event), str(text).encode()) for event, text in rows]

    def _query(self, sql: str, given: dict[str, str | int]) -> Rows:
        """Ask the database; before the recorder has run for the first time it holds nothing."""
        if not self._database.exists():
            return []
        try:
            connection = sqlite3.connect(f"{self._database.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
            with closing(Database(connection)) as db:
                return db.execute(sql, given).fetchall() if "events" in db.table_names() else []
        except sqlite3.OperationalError as problem:
            raise UnreachableError(
                "events.unreadable", f"events.db cannot be read: {problem}", "Check the folder's disk and permissions."
            ) from None


def _lines_from(segment: Segment, offset: int) -> Iterator[bytes]:
    while lines := read_lines(segment, offset):
        yield from lines.split(b"\n")[:-1]
        offset += len(lines)
