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
PAGE_ROWS: Final = 1_000  # events read from the database at once; about a MiB
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


@_migrations()
def m002_order_of_recording_and_sinks(db: Database) -> None:
    """Give events the number in which they were recorded, never one twice, and keep how far each sink was sent them.

    An id follows the event's own time, so an event of one process may become visible after a later one of another.
    """
    texts = ("time", "type", "severity", "station", "cause", "event")
    columns = ", ".join(f"{name} TEXT NOT NULL" for name in texts)
    db.execute(
        "CREATE TABLE numbered (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, "
        f"{columns}, rank INTEGER NOT NULL) STRICT"
    )
    kept = ", ".join(("id", *texts, "rank"))
    db.execute(f"INSERT INTO numbered ({kept}) SELECT {kept} FROM events ORDER BY id")  # noqa: S608 (fixed words)
    db.execute("DROP TABLE events")
    db.execute("ALTER TABLE numbered RENAME TO events")
    for names in (["time"], ["station", "id"], ["type", "id"], ["cause", "id"], ["rank", "id"]):
        db.table("events").create_index(names)
    db.execute(
        "CREATE TABLE sinks (name TEXT PRIMARY KEY, seq INTEGER NOT NULL, missed INTEGER NOT NULL DEFAULT 0, "
        "trouble TEXT NOT NULL DEFAULT '', since TEXT NOT NULL DEFAULT '') STRICT"
    )


@_migrations()
def m003_tallies(db: Database) -> None:
    """Count events for good, by cause and severity: in the transaction that records them, so each counts once."""
    db.execute(
        "CREATE TABLE tallies (cause TEXT, severity TEXT, total INTEGER NOT NULL, PRIMARY KEY (cause, severity)) "
        "STRICT, WITHOUT ROWID"
    )
    db.execute("INSERT INTO tallies SELECT cause, severity, count(*) FROM events GROUP BY cause, severity")
    db.execute(
        "CREATE TRIGGER tally AFTER INSERT ON events BEGIN "
        "INSERT OR IGNORE INTO tallies VALUES (NEW.cause, NEW.severity, 0); "
        "UPDATE tallies SET total = total + 1 WHERE cause = NEW.cause AND severity = NEW.severity; END"
    )


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
    until: dt.datetime | None = None

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

    @property
    def end_id(self) -> str:
        """The id that none wanted reaches; greater than every one where there is no end."""
        return earliest_id(self.until) if self.until else "g"

    def accepts(self, line: Line) -> bool:
        """Tell whether an event passes."""
        named = ((self.station, line.station), (self.type, line.type), (self.cause, line.cause))
        same = all(wanted in ("", found) for wanted, found in named)
        return same and RANKS[line.severity] >= self.rank and self.first_id <= line.id < self.end_id

    def where(self) -> tuple[str, dict[str, str | int]]:
        """Say the same in SQL: a condition and its parameters."""
        named: dict[str, str | int] = {"station": self.station, "type": self.type, "cause": self.cause}
        given = {column: wanted for column, wanted in named.items() if wanted}
        conditions = ["rank >= :rank", "id >= :first", "id < :end", *(f"{column} = :{column}" for column in given)]
        return " AND ".join(conditions), {**given, "rank": self.rank, "first": self.first_id, "end": self.end_id}


Rows = list[tuple[str | int, ...]]
Found = list[tuple[str, bytes]]
"""Events as (id, JSON text), oldest first."""


@dataclass(frozen=True, slots=True)
class SinkState:
    """How far a sink was sent events: how many wait for it, how many were deleted before it took them, and what is
    wrong with it since when; both are empty while nothing is."""

    name: str
    waiting: int
    missed: int
    trouble: str
    since: str


SinkStates = list[SinkState]


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
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
    ) -> Iterator[Event]:
        """Return an iterator over the events that are written from this call on; it waits for each.

        With ``since`` those written since then come first. Without ``until`` it has no end.
        """
        first = dt.datetime.now(dt.UTC) - OVERLAP
        seen = set() if since else {event for event, _ in self._select(Filter(since=first))}
        return self._follow(Filter(station, type, cause, severity, since or first, until), seen)

    def list(
        self,
        station: str = "",
        type: str = "",  # noqa: A002  (the event's own field name)
        cause: str = "",
        severity: str = "",
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        limit: int = 100,
    ) -> Events:
        """List the newest ``limit`` events that pass, newest last. ``severity`` means this one or a worse one."""
        selected = self._select(Filter(station, type, cause, severity, since, until), limit)
        return [msgspec.json.decode(text, type=Event) for _, text in selected]

    def read(self, wanted: Filter) -> Iterator[bytes]:
        """Read every event that passes, oldest first, as its line; what is in memory at once is bounded."""
        waiting = sorted(self._waiting(wanted))
        last = ""
        for event, text in heapq.merge(waiting, self._pages(wanted)):
            if event != last:
                yield text
            last = event

    def sinks(self) -> SinkStates:
        """Tell how each sink is doing; empty where none was ever configured."""
        sql = (
            "SELECT name, (SELECT count(*) FROM events WHERE events.seq > sinks.seq), missed, trouble, since "
            "FROM sinks ORDER BY name"
        )
        if not self._query("SELECT 1 FROM sqlite_master WHERE name = 'sinks'", {}):
            return []
        return [SinkState(*row) for row in self._query(sql, {})]  # type: ignore[arg-type]  # the table is STRICT

    def tallies(self) -> dict[tuple[str, str], int]:
        """Count all events that were ever recorded, by cause and severity; those that were deleted since count on."""
        if not self._query("SELECT 1 FROM sqlite_master WHERE name = 'tallies'", {}):
            return {}
        rows = self._query("SELECT cause, severity, total FROM tallies", {})
        return {(str(cause), str(severity)): int(total) for cause, severity, total in rows}

    def severities(self, since: dt.datetime) -> dict[str, int]:
        """Count the events since a moment, by severity; what waits in the journal is told by ``waiting`` alone."""
        sql = "SELECT severity, count(*) FROM events WHERE id >= :first GROUP BY severity"
        return {str(name): int(count) for name, count in self._query(sql, {"first": earliest_id(since)})}

    def waiting(self) -> int:
        """How many bytes of the journal are not in the database yet."""
        offsets = self._offsets()
        return sum(max(0, each.size - offsets.get(each.name, 0)) for each in list_segments(self._journal))

    def _pages(self, wanted: Filter) -> Iterator[tuple[str, bytes]]:
        condition, given = wanted.where()
        sql = f"SELECT id, event FROM events WHERE {condition} ORDER BY id LIMIT :limit"  # noqa: S608 (fixed words)
        while rows := self._query(sql, {**given, "limit": PAGE_ROWS}):
            yield from ((str(event), str(text).encode()) for event, text in rows)
            given["first"] = f"{rows[-1][0]}0"  # the least id after it: ids are of one length

    def _follow(self, wanted: Filter, seen: set[str]) -> Iterator[Event]:
        while True:
            for event, text in self._select(wanted):
                if event not in seen:
                    yield msgspec.json.decode(text, type=Event)
                seen.add(event)
            if wanted.until and wanted.until <= dt.datetime.now(dt.UTC):
                return
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
        except sqlite3.DatabaseError as problem:
            raise UnreachableError(
                "events.unreadable", f"events.db cannot be read: {problem}", "Check the folder's disk and permissions."
            ) from None


def _lines_from(segment: Segment, offset: int) -> Iterator[bytes]:
    while lines := read_lines(segment, offset):
        yield from lines.split(b"\n")[:-1]
        offset += len(lines)
