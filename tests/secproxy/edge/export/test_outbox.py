"""The mark of a sink: everything behind it is taken once and again until it moves."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from secproxy.edge.event_store import EventStore
from secproxy.edge.export import outbox as module
from secproxy.edge.export.outbox import Outbox
from secproxy.edge.journal import Journal
from secproxy.edge.recorder import Recorder
from secproxy.event_settings import Retention
from secproxy.events import Note
from tests.secproxy.edge.export.scene import SINK, home_with_mark, record
from tests.secproxy.edge.homes import bare_home

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EXPIRED = Note("cert.expired", "CP-1")
MINOR = Note("tls.failed")


def ids(outbox: Outbox) -> list[str]:
    """What is taken, by id."""
    taken = outbox.take()
    return [json.loads(line)["id"] for line in taken.lines] if taken else []


def test_events_are_taken_in_the_order_of_recording_until_the_mark_moves(tmp_path: Path) -> None:
    """Taking alone changes nothing; a crash before the mark moves repeats the batch."""
    home = home_with_mark(tmp_path)
    outbox = Outbox(home.events, SINK)
    assert outbox.take() is None
    written = record(home, EXPIRED, MINOR)
    assert ids(outbox) == ids(Outbox(home.events, SINK)) == written
    taken = outbox.take()
    assert taken is not None
    outbox.sent(taken.mark)
    assert outbox.take() is None
    assert record(home, EXPIRED) == ids(outbox)


def test_an_event_that_is_recorded_late_is_not_passed_over(tmp_path: Path) -> None:
    """Its id is smaller than that of one which was sent already: processes write side by side."""
    home = home_with_mark(tmp_path)
    outbox = Outbox(home.events, SINK)
    with Journal(home.journal, "slow") as slow, Journal(home.journal, "fast") as fast:
        early, late = slow.write(EXPIRED), fast.write(EXPIRED)
        hidden = next(home.journal.glob("slow-*"))
        hidden.rename(tmp_path / hidden.name)
        Recorder(home, sinks=[SINK]).catch_up()
        taken = outbox.take()
        assert taken is not None
        outbox.sent(taken.mark)
        (tmp_path / hidden.name).rename(hidden)
        Recorder(home, sinks=[SINK]).catch_up()
    assert early < late
    assert ids(outbox) == [early]


def test_a_batch_is_bounded_by_events_and_by_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And never empty while there is something."""
    home = home_with_mark(tmp_path)
    written = record(home, *[EXPIRED] * 10)
    monkeypatch.setattr(module, "BATCH_EVENTS", 4)
    assert ids(Outbox(home.events, SINK)) == written[:4]
    monkeypatch.setattr(module, "BATCH_BYTES", 1_000)
    assert ids(Outbox(home.events, SINK)) == written[:2]
    monkeypatch.setattr(module, "BATCH_BYTES", 1)
    assert ids(Outbox(home.events, SINK)) == written[:1]


def test_a_new_sink_begins_with_what_happens_from_then_on(tmp_path: Path) -> None:
    """What was recorded before is for 'event export'."""
    home = home_with_mark(tmp_path)
    record(home, EXPIRED)
    newcomer = Outbox(home.events, "new")
    assert newcomer.take() is None
    Recorder(home, sinks=[SINK, "new"]).catch_up()
    assert newcomer.take() is None
    assert record(home, EXPIRED, sinks=(SINK, "new")) == ids(newcomer)


def test_the_mark_of_a_sink_that_is_gone_goes(tmp_path: Path) -> None:
    """Nothing is counted as missed by somebody whom nobody names any more."""
    home = home_with_mark(tmp_path, "old", SINK)
    record(home, EXPIRED)
    assert [state.name for state in EventStore(home).sinks()] == [SINK]


def test_a_number_is_never_given_twice(tmp_path: Path) -> None:
    """The newest event makes room when all others weigh more; the next one is still behind the mark."""
    home = home_with_mark(tmp_path)
    outbox = Outbox(home.events, SINK)
    record(home, *[EXPIRED] * 3, MINOR)
    taken = outbox.take()
    assert taken is not None
    outbox.sent(taken.mark)
    record(home, kept=Retention(keep_rows=3))
    assert record(home, EXPIRED) == ids(outbox)


def test_what_is_deleted_before_it_was_taken_is_counted_and_told_once(tmp_path: Path) -> None:
    """By number as by age; what was taken already is nobody's loss."""
    home = home_with_mark(tmp_path)
    outbox = Outbox(home.events, SINK)
    record(home, EXPIRED, EXPIRED)
    taken = outbox.take()
    assert taken is not None
    outbox.sent(taken.mark)
    record(home, *[EXPIRED] * 4, kept=Retention(keep_rows=1))
    assert (outbox.missed(), EventStore(home).sinks()[0].missed) == (3, 3)
    outbox.told(3)
    assert outbox.missed() == 0


def test_trouble_is_kept_with_its_beginning_until_something_was_sent(tmp_path: Path) -> None:
    """``bollard status`` shows both."""
    home = home_with_mark(tmp_path)
    record(home, EXPIRED)
    outbox = Outbox(home.events, SINK)
    outbox.failed("it is down")
    [first] = EventStore(home).sinks()
    outbox.failed("it is away")
    [then] = EventStore(home).sinks()
    assert (first.waiting, first.trouble, then.trouble) == (1, "it is down", "it is away")
    assert first.since == then.since != ""
    taken = outbox.take()
    assert taken is not None
    outbox.sent(taken.mark)
    [state] = EventStore(home).sinks()
    assert (state.waiting, state.trouble, state.since) == (0, "", "")


def test_what_was_taken_of_late_can_be_read_again(tmp_path: Path) -> None:
    """For whoever remembers nothing beyond the process; what was not taken comes by itself."""
    home = home_with_mark(tmp_path)
    outbox = Outbox(home.events, SINK)
    before = record(home, EXPIRED)
    taken = outbox.take()
    assert taken is not None
    outbox.sent(taken.mark)
    record(home, MINOR)
    assert [json.loads(line)["id"] for line in outbox.before(60)] == before
    assert list(outbox.before(0)) == []


def test_without_a_recorder_there_is_nothing_to_take_and_no_file_is_made(tmp_path: Path) -> None:
    """It is the recorder's to make the database."""
    home = bare_home(tmp_path / "home")
    assert Outbox(home.events, SINK).take() is None
    assert not home.events.exists()
    home.events.touch()
    assert Outbox(home.events, SINK).take() is None


def test_a_database_of_before_keeps_its_events_in_their_order(tmp_path: Path) -> None:
    """Numbers are given by id, and every filter has its index as before."""
    home = home_with_mark(tmp_path)
    written = record(home, EXPIRED, MINOR, EXPIRED)
    with closing(sqlite3.connect(home.events)) as db, db:
        db.execute("CREATE TABLE old (id TEXT PRIMARY KEY, time TEXT, type TEXT, severity TEXT, station TEXT, "
                   "cause TEXT, event TEXT, rank INTEGER)")  # fmt: skip
        db.execute("INSERT INTO old SELECT id, time, type, severity, station, cause, event, rank FROM events "
                   "ORDER BY id DESC")  # fmt: skip
        db.execute("DROP TABLE events")
        db.execute("DROP TABLE sinks")
        db.execute("ALTER TABLE old RENAME TO events")
        db.execute("DELETE FROM _sqlite_migrations WHERE name LIKE 'm002%'")
    Recorder(home, sinks=[SINK]).catch_up()
    assert [event["id"] for event in EventStore(home).list()] == written
    with closing(sqlite3.connect(home.events)) as db:
        assert [row[0] for row in db.execute("SELECT id FROM events ORDER BY seq")] == written
    assert ids(Outbox(home.events, SINK)) == []
