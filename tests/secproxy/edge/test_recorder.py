"""Events on their way from the journal to the database."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import fcntl
import json
import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.edge.lock import exclusive
from secproxy.edge import recorder as module
from secproxy.edge.event_store import EventStore, Filter, open_for_writing
from secproxy.edge.journal import Journal, event_line
from secproxy.edge.recorder import Recorder
from secproxy.edge.segments import Segment, list_segments, read_lines
from secproxy.event_settings import Retention
from secproxy.events import Note
from tests.secproxy.edge.homes import bare_home

if TYPE_CHECKING:
    from pathlib import Path

    from sqlite_utils import Database

    from pki.edge.home import Home


NOW = dt.datetime(2026, 5, 1, 12, 0, tzinfo=dt.UTC)
EXPIRED = Note("cert.expired", "CP-1")
MINOR = Note("tls.failed")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return bare_home(tmp_path / "home")


def recorded(home: Home) -> list[str]:
    """The ids in the database alone, by order of id."""
    db = open_for_writing(home.events)
    try:
        return [str(row[0]) for row in db.execute("SELECT id FROM events ORDER BY id")]
    finally:
        db.close()


async def until_recorded(home: Home, count: int) -> None:
    """Wait for the recorder, which is another writer of the same file and tells nobody."""
    while len(EventStore(home)._recorded(Filter(), None)) < count:  # noqa: ASYNC110 (a database tells nobody)
        await asyncio.sleep(0.01)


def test_each_event_is_recorded_once_however_often_it_runs(home: Home) -> None:
    """Running again over a segment that is still written adds only what is new."""
    with Journal(home.journal, "worker-0") as journal:
        ids = [journal.write(EXPIRED) for _ in range(3)]
        counts = [Recorder(home).catch_up(), Recorder(home).catch_up()]
        ids.append(journal.write(EXPIRED))
        counts.append(Recorder(home).catch_up())

    assert counts == [3, 0, 1]
    assert ids == recorded(home)


def test_a_segment_is_deleted_when_its_writer_let_go_and_all_is_recorded(home: Home) -> None:
    """A live writer's segment stays, a final one goes."""
    with Journal(home.journal, "worker-0") as journal:
        journal.write(EXPIRED)
        Recorder(home).catch_up()
        assert len(list_segments(home.journal)) == 1
    Recorder(home).catch_up()

    assert list_segments(home.journal) == []
    assert len(recorded(home)) == 1


def test_a_writer_goes_on_after_its_first_segments_are_gone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotation, recording and deletion do not disturb each other."""
    monkeypatch.setattr("secproxy.edge.journal.SEGMENT_BYTES", 2000)
    ids = []
    with Journal(home.journal, "worker-0") as journal:
        for _ in range(20):
            ids.append(journal.write(EXPIRED))
            Recorder(home).catch_up()
        assert len(list_segments(home.journal)) == 1

    assert ids == recorded(home)


def test_a_segment_is_never_deleted_under_the_writer_that_has_just_made_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between making a file and locking it a writer looks like a dead one; it notices and takes another."""
    monkeypatch.setattr("secproxy.edge.journal.SEGMENT_BYTES", 1)
    done = threading.Event()

    def record() -> None:
        while not done.is_set():
            Recorder(home).catch_up()

    recording = threading.Thread(target=record)
    recording.start()
    with Journal(home.journal, "worker-0") as journal:
        ids = [journal.write(EXPIRED) for _ in range(300)]
    done.set()
    recording.join()
    Recorder(home).catch_up()

    assert ids == recorded(home)


def test_a_crash_before_the_commit_repeats_the_batch_and_counts_it_once(home: Home) -> None:
    """Marks and events are one transaction; even marks that are lost make no event double."""
    with Journal(home.journal, "worker-0") as journal:
        ids = [journal.write(EXPIRED) for _ in range(3)]
        Recorder(home).catch_up()
        db = open_for_writing(home.events)
        db.table("segments").delete_where()
        db.close()
        Recorder(home).catch_up()

    assert ids == recorded(home)


def test_the_half_line_of_a_dead_writer_becomes_an_event_of_its_own(home: Home) -> None:
    """Nothing vanishes in silence: where it stood and how it began is kept."""
    whole = event_line(EXPIRED, "0" * 32, NOW)
    (home.journal / "worker-0-1-1.jsonl").write_bytes(whole + b'junk\n{"id": "ab\x1b[2J')
    Recorder(home).catch_up()
    Recorder(home).catch_up()

    first, *damaged = EventStore(home).list()
    assert [first["id"], *(event["cause"] for event in damaged)] == ["0" * 32, "journal.damaged", "journal.damaged"]
    where = {"segment": "worker-0-1-1.jsonl"}
    assert [event["evidence"] for event in damaged] == [
        {**where, "offset": len(whole), "bytes": 4, "beginning": "b'junk'"},
        {**where, "offset": len(whole) + 5, "bytes": 14, "beginning": 'b\'{"id": "ab\\x1b[2J\''},
    ]
    assert "\x1b" not in json.dumps(damaged, ensure_ascii=False)
    assert list_segments(home.journal) == []


def test_the_half_line_of_a_live_writer_is_left_alone(home: Home) -> None:
    """It may be whole a moment later."""
    path = home.journal / "worker-0-1-1.jsonl"
    with path.open("wb", buffering=0) as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        writer.write(event_line(EXPIRED, "0" * 32, NOW)[:-5])
        assert Recorder(home).catch_up() == 0
        writer.write(event_line(EXPIRED, "0" * 32, NOW)[-5:])
        assert Recorder(home).catch_up() == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=40).map(lambda junk: junk.replace(b"\n", b"\r")), max_size=6), st.data())
def test_junk_between_events_costs_none_of_them(
    tmp_path_factory: pytest.TempPathFactory, junk: list[bytes], data: st.DataObject
) -> None:
    """Whatever a damaged disk puts between lines, every whole event is recorded and every byte is accounted for."""
    home = bare_home(tmp_path_factory.mktemp("junk") / "home")
    good = [event_line(EXPIRED, f"{number:032x}", NOW) for number in range(4)]
    parts = data.draw(st.permutations([*good, *(piece + b"\n" for piece in junk)]))
    (home.journal / "worker-0-1-1.jsonl").write_bytes(b"".join(parts))
    Recorder(home).catch_up()

    found = recorded(home)
    assert [f"{number:032x}" for number in range(4)] == [event for event in found if event.startswith("0" * 20)]
    assert len(parts) == len(found)


def test_a_line_too_long_for_an_event_does_not_stop_the_recorder(home: Home) -> None:
    """It is reported piece by piece, and what follows it is recorded."""
    path = home.journal / "worker-0-1-1.jsonl"
    path.write_bytes(b"x" * (3 * 1024 * 1024) + b"\n" + event_line(EXPIRED, "0" * 32, NOW))
    Recorder(home).catch_up()

    assert "0" * 32 in recorded(home)
    assert not path.exists()


def test_the_least_serious_and_oldest_events_make_room(home: Home) -> None:
    """A flood of broken handshakes does not push out a revoked certificate."""
    with Journal(home.journal, "worker-0") as journal:
        minor = [journal.write(MINOR) for _ in range(5)]
        serious = journal.write(EXPIRED)
        minor += [journal.write(MINOR) for _ in range(5)]
    Recorder(home, Retention(keep_rows=4)).catch_up()

    assert sorted([serious, *minor[-3:]]) == recorded(home)


def test_the_database_stops_growing_at_its_bound_of_bytes(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of deleted events are used again."""
    monkeypatch.setattr(module, "TRIM_EVERY", 50)
    sizes = []
    with Journal(home.journal, "worker-0") as journal:
        for _ in range(20):
            for _ in range(100):
                journal.write(MINOR)
            Recorder(home, Retention(keep_bytes=300_000)).catch_up()
            sizes.append(home.events.stat().st_size)

    assert max(sizes) < 600_000


def test_events_beyond_their_age_go_whatever_they_weigh(home: Home) -> None:
    """The bound by days is beside those by number and bytes; without it nothing is too old."""
    today = dt.datetime.now(dt.UTC)
    with Journal(home.journal, "worker-0") as journal:
        old = [journal.write(EXPIRED, today - dt.timedelta(days=days)) for days in (400, 31, 29, 0)]
    Recorder(home).catch_up()
    assert recorded(home) == old
    with Journal(home.journal, "worker-0") as journal:
        new = journal.write(MINOR)
    Recorder(home, Retention(keep_days=30)).catch_up()

    assert [*old[2:], new] == recorded(home)


def test_ages_are_looked_at_while_nothing_happens(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quiet home forgets as well, a bounded number at a time."""
    monkeypatch.setattr(module, "TRIM_ROWS", 2)
    with Journal(home.journal, "worker-0") as journal:
        for _ in range(7):
            journal.write(EXPIRED, NOW - dt.timedelta(days=9_999))
    recorder = Recorder(home, Retention(keep_days=30))

    async def story() -> None:
        running = asyncio.ensure_future(recorder.run())
        while not home.events.exists() or list_segments(home.journal) or recorded(home):  # noqa: ASYNC110 (as above)
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(asyncio.wait_for(story(), 20))


def test_only_one_recorder_works_at_a_time(home: Home) -> None:
    """The second one leaves everything to the first."""
    with Journal(home.journal, "worker-0") as journal, exclusive(home.run / "recorder.lock"):
        journal.write(EXPIRED)
        assert Recorder(home).catch_up() == 0


def test_a_running_recorder_records_what_is_written_and_stops_when_cancelled(home: Home) -> None:
    """It waits for the lock, follows the journal, and leaves no half batch behind."""

    async def story() -> list[str]:
        with Journal(home.journal, "worker-0") as journal:
            with exclusive(home.run / "recorder.lock"):
                running = asyncio.create_task(Recorder(home).run())
                ids = [journal.write(EXPIRED)]
                await asyncio.sleep(0)
            await until_recorded(home, 1)
            ids.append(journal.write(EXPIRED))
            await until_recorded(home, 2)
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        return ids

    assert asyncio.run(asyncio.wait_for(story(), 20)) == recorded(home)


def test_a_database_that_cannot_be_written_is_told_and_tried_again(
    home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The recorder outlives a full disk; the journal keeps the events meanwhile."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)

    async def story() -> None:
        with Journal(home.journal, "worker-0") as journal:
            journal.write(EXPIRED)
            home.events.mkdir()  # no file can be made of it
            running = asyncio.create_task(Recorder(home).run())
            said = ""
            while "event recorder" not in said:
                await asyncio.sleep(0.01)
                said += capfd.readouterr().err
            home.events.rmdir()
            await until_recorded(home, 1)
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    asyncio.run(asyncio.wait_for(story(), 20))


WRITER = """
import sys
from pathlib import Path
import bollard
from secproxy.edge.journal import Journal
from secproxy.events import Note
journal = Journal(Path(sys.argv[1]), sys.argv[2])
while True:
    print(journal.write(Note("cert.expired", "CP-1")), flush=True)
"""

RECORDER = """
import sys
from pathlib import Path
import bollard
from pki.edge.home import Home
from secproxy.edge.recorder import Recorder
print("go", flush=True)
while True:
    Recorder(Home(Path(sys.argv[1]))).catch_up()
"""


def test_a_sink_that_moves_its_mark_in_the_midst_of_a_batch_stops_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the recorder has read by then: SQLite lets nobody write by what has changed since he read it."""
    said: list[str] = []

    def watched(path: Path) -> Database:
        db = open_for_writing(path)
        with contextlib.closing(sqlite3.connect(path)) as sink, sink:
            sink.execute("INSERT INTO sinks (name, seq) VALUES ('mine', 0)")
        db.conn.set_trace_callback(lambda sql: move_a_mark(path, sql))
        return db

    def move_a_mark(path: Path, sql: str) -> None:
        said.append(sql)
        with (
            contextlib.closing(sqlite3.connect(path, timeout=0)) as sink,
            contextlib.suppress(sqlite3.OperationalError),
        ):
            sink.execute("UPDATE sinks SET seq = seq + 1")
            sink.commit()

    monkeypatch.setattr(module, "open_for_writing", watched)
    with Journal(home.journal, "worker-0") as journal:
        ids = [journal.write(EXPIRED) for _ in range(3)]
    assert Recorder(home, Retention(keep_rows=2), ["mine"]).catch_up() == 3

    assert any("INSERT" in sql and "events" in sql for sql in said)
    assert recorded(home) == ids[1:], "the oldest made room, which reads before it writes as well"


def test_killing_writers_and_recorder_loses_no_event_and_doubles_none(home: Home) -> None:
    """Two writers and the recorder are killed in the middle of their work; a new recorder finishes it."""
    commands = [
        [sys.executable, "-c", WRITER, str(home.journal), "worker-0"],
        [sys.executable, "-c", WRITER, str(home.journal), "worker-1"],
        [sys.executable, "-c", RECORDER, str(home.path)],
    ]
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True)) for command in commands
        ]
        streams = [process.stdout for process in processes if process.stdout]
        streams[2].readline()
        seen = {stream.readline().strip() for _ in range(300) for stream in streams[:2]}
        for process in processes:
            process.kill()
        seen |= {line for stream in streams[:2] for line in stream.read().split("\n")[:-1]}
    Recorder(home).catch_up()

    found = recorded(home)
    assert seen <= set(found)
    assert len(found) - len(seen) <= 2  # what was written but not yet told when the writer died
    assert list_segments(home.journal) == []


def test_lines_of_a_segment_are_read_in_order(home: Home) -> None:
    """Batches follow each other without a gap."""
    path = home.journal / "worker-0-1-1.jsonl"
    lines = [event_line(EXPIRED, f"{number:032x}", NOW) for number in range(5)]
    path.write_bytes(b"".join(lines))

    assert b"".join(lines[2:]) == read_lines(Segment(path, 1, 0), len(lines[0]) * 2)
