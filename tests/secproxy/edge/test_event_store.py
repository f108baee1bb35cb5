"""Events as people list and follow them."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from pki.errors import InputError, UnreachableError
from secproxy.edge.event_store import EventStore, Filter, open_for_writing, parse_line
from secproxy.edge.journal import Journal, event_line
from secproxy.edge.recorder import Recorder
from secproxy.events import CAUSES, Note
from tests.secproxy.edge.homes import bare_home

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 5, 1, 12, 0, tzinfo=dt.UTC)
NOTES = [
    Note("cert.expired", "CP-1"),
    Note("cert.revoked", "CP-1"),
    Note("tls.failed"),
    Note("cert.expired", "CP-2"),
    Note("auth.missing", "CP-2"),
]


def at(minute: int) -> dt.datetime:
    return NOW + dt.timedelta(minutes=minute)


@pytest.fixture(params=["recorded", "waiting", "both"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> EventStore:
    """Five events of five minutes: in the database, in the journal, or two there and three here."""
    home = bare_home(tmp_path / "home")
    with Journal(home.journal, "worker-0") as journal:
        for minute, note in enumerate(NOTES):
            journal.write(note, at(minute))
            if request.param == "recorded" or (request.param == "both" and minute == 1):
                Recorder(home).catch_up()
    return EventStore(home)


@pytest.mark.parametrize(
    ("wanted", "minutes"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"station": "CP-1"}, [0, 1]),
        ({"cause": "cert.expired"}, [0, 3]),
        ({"type": "FailedToAuthenticateAtCsms"}, [4]),
        ({"severity": "critical"}, [1]),
        ({"severity": "high"}, [0, 1, 3]),
        ({"station": "CP-1", "cause": "cert.expired"}, [0]),
        ({"station": "CP-1' OR 1=1 --"}, []),
        ({"since": at(3)}, [3, 4]),
        ({"since": at(9)}, []),
        ({"until": at(2)}, [0, 1]),
        ({"since": at(1), "until": at(3)}, [1, 2]),
        ({"limit": 2}, [3, 4]),
        ({"limit": 0}, []),
        ({"station": "CP-1", "limit": 1}, [1]),
    ],
)
def test_a_listing_holds_what_passes_newest_last(
    store: EventStore, wanted: dict[str, object], minutes: list[int]
) -> None:
    """The answer is the same wherever an event lies at the moment."""
    times = [event["time"] for event in store.list(**wanted)]  # type: ignore[arg-type]  # a table of mixed fields

    assert [f"2026-05-01T12:0{minute}:00.000000Z" for minute in minutes] == times


def test_everything_is_read_oldest_first_and_once(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pages of the database that takes."""
    monkeypatch.setattr("secproxy.edge.event_store.PAGE_ROWS", 2)
    assert [parse_line(line).time for line in store.read(Filter())] == [event["time"] for event in store.list()]
    assert [parse_line(line).station for line in store.read(Filter(station="CP-2", until=at(4)))] == ["CP-2"]


def test_following_may_begin_in_the_past_and_end(store: EventStore) -> None:
    """With both ends in the past it is a listing."""
    shown = [event["time"] for event in store.follow(since=at(1), until=at(3))]
    assert shown == ["2026-05-01T12:01:00.000000Z", "2026-05-01T12:02:00.000000Z"]


def test_a_home_that_never_had_a_sink_tells_of_none(tmp_path: Path) -> None:
    """Neither without a database, nor with one of before."""
    home = bare_home(tmp_path / "home")
    assert EventStore(home).sinks() == []
    Recorder(home).catch_up()
    assert EventStore(home).sinks() == []


def test_an_event_can_be_listed_the_instant_after_it_was_written(tmp_path: Path) -> None:
    """No recorder has ever run here."""
    home = bare_home(tmp_path / "home")
    with Journal(home.journal, "worker-0") as journal:
        event = journal.write(NOTES[0])
        [found] = EventStore(home).list()

    assert event == found["id"]


def test_an_empty_database_file_is_a_store_without_events(tmp_path: Path) -> None:
    """The file may be there before the recorder has laid out its tables."""
    home = bare_home(tmp_path / "home")
    home.events.touch()

    assert EventStore(home).list() == []


def test_a_damaged_line_hides_no_other_event(tmp_path: Path) -> None:
    """What cannot be read is left to the recorder; the rest is listed."""
    home = bare_home(tmp_path / "home")
    good = event_line(NOTES[0], "0" * 32, NOW)
    (home.journal / "worker-0-1-1.jsonl").write_bytes(b"{garbage\n\xff\xfe\n" + good + b'{"half')

    assert [event["id"] for event in EventStore(home).list()] == ["0" * 32]


def test_a_severity_that_does_not_exist_is_refused() -> None:
    """A slip of the pen must not look like a quiet night."""
    with pytest.raises(InputError) as caught:
        Filter(severity="hihg")

    assert "critical" in caught.value.advice


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_makes_a_line_that_can_be_read_back(cause: str) -> None:
    """The journal and the store agree for the whole table of causes."""
    line = parse_line(event_line(Note(cause, "CP-1"), "0" * 32, NOW))

    assert (cause, "CP-1", CAUSES[cause].severity) == (line.cause, line.station, line.severity)


def test_following_starts_now_and_shows_each_event_once(tmp_path: Path) -> None:
    """Events that move from the journal to the database meanwhile are not shown again."""
    home = bare_home(tmp_path / "home")
    with Journal(home.journal, "worker-0") as journal, Journal(home.journal, "worker-1") as other:
        journal.write(NOTES[0])
        tail = EventStore(home).follow()
        written = [journal.write(NOTES[1]), other.write(NOTES[2])]
        shown = [next(tail)["id"], next(tail)["id"]]
        Recorder(home).catch_up()
        written.append(journal.write(NOTES[3]))
        shown.append(next(tail)["id"])

    assert written == shown


def test_following_waits_for_the_event_it_was_asked_for(tmp_path: Path) -> None:
    """A filter holds for what comes, too."""
    home = bare_home(tmp_path / "home")
    with Journal(home.journal, "worker-0") as journal:
        tail = EventStore(home).follow(station="CP-2")
        writer = threading.Thread(target=lambda: [journal.write(note) for note in NOTES])
        writer.start()
        first = next(tail)
        writer.join()

    assert first["station"] == "CP-2"


def test_the_database_is_private_and_durable(tmp_path: Path) -> None:
    """Only we may read it, and a commit means the disk has it."""
    db = open_for_writing(tmp_path / "events.db")
    try:
        assert (tmp_path / "events.db").stat().st_mode & 0o777 == 0o600
        assert (db.journal_mode, db.execute("PRAGMA synchronous").fetchone()[0]) == ("wal", 2)
    finally:
        db.close()


@pytest.mark.parametrize(
    ("column", "wanted"),
    [("station", Filter(station="x")), ("type", Filter(type="x")), ("cause", Filter(cause="x"))],
)
def test_filters_use_an_index(tmp_path: Path, column: str, wanted: Filter) -> None:
    """Half a million events are not read one by one for the ten that are asked for."""
    open_for_writing(tmp_path / "events.db").close()
    connection = sqlite3.connect(tmp_path / "events.db")
    condition, given = wanted.where()
    sql = f"EXPLAIN QUERY PLAN SELECT id, event FROM events WHERE {condition} ORDER BY id DESC LIMIT 5"  # noqa: S608
    plan = str(connection.execute(sql, given).fetchall())
    connection.close()

    assert f"idx_events_{column}_id" in plan
    assert "SCAN" not in plan


def test_a_database_that_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    """A damaged file is our error with a next step, not sqlite's."""
    home = bare_home(tmp_path / "h")
    home.events.mkdir()

    with pytest.raises(UnreachableError, match=r"events\.unreadable"):
        EventStore(home).list()
    home.events.rmdir()
    home.events.write_bytes(b"spoilt" * 1_000)
    with pytest.raises(UnreachableError, match=r"events\.unreadable"):
        EventStore(home).list()


def test_events_are_counted_for_good_and_each_once(tmp_path: Path) -> None:
    """A batch that is repeated after a crash counts once; what was deleted counts on."""
    home = bare_home(tmp_path / "home")
    with Journal(home.journal, "worker-0") as journal:
        for note in NOTES:
            journal.write(note)
        store = EventStore(home)
        assert store.waiting() == sum(path.stat().st_size for path in home.journal.iterdir())
        Recorder(home).catch_up()
        with sqlite3.connect(home.events) as db:
            db.execute("DELETE FROM segments")
            db.execute("DELETE FROM events WHERE cause = 'tls.failed'")
            db.execute("INSERT INTO events SELECT * FROM events LIMIT 0")
        db.close()
        again = {note.cause: (note.cause, note.kind.severity.value) for note in NOTES}
        Recorder(home).catch_up()

    found = store.tallies()
    assert found[again["cert.expired"]] == 2
    assert found[again["cert.revoked"]] == 1
    assert found[again["tls.failed"]] == 2  # deleted and found again in the journal, it is a new row
    assert store.waiting() == 0


def test_events_of_an_older_database_are_counted_when_it_is_opened(tmp_path: Path) -> None:
    """What was recorded before counting began is part of the sum."""
    home = bare_home(tmp_path / "home")
    with Journal(home.journal, "worker-0") as journal:
        journal.write(NOTES[0])
    Recorder(home).catch_up()
    with sqlite3.connect(home.events) as db:
        db.executescript(
            "DROP TRIGGER tally; DROP TABLE tallies; DELETE FROM _sqlite_migrations WHERE name = 'm003_tallies'"
        )
    db.close()
    assert EventStore(home).tallies() == {}
    open_for_writing(home.events).close()

    assert list(EventStore(home).tallies().values()) == [1]


def test_severities_are_counted_since_a_moment(tmp_path: Path) -> None:
    """Those of the last hour, say; older ones are left out."""
    home = bare_home(tmp_path / "home")
    with Journal(home.journal, "worker-0") as journal:
        for minute, note in enumerate(NOTES):
            journal.write(note, at(minute))
    Recorder(home).catch_up()
    found = EventStore(home).severities(at(1))

    assert sum(found.values()) == len(NOTES) - 1
    assert found[CAUSES["cert.revoked"].severity.value] == 1
