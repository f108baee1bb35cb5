"""Security events as they are written down."""

from __future__ import annotations

import datetime as dt
import json
import resource
import signal
import subprocess
import sys
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import BollardError
from secproxy.edge import journal as module
from secproxy.edge.journal import Journal, earliest_id, event_id
from secproxy.edge.segments import list_segments, segment_name
from secproxy.events import Note

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = dt.datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=dt.UTC)
EXPIRED = Note("cert.expired", "CP-1", "192.0.2.7:50000", {"serial": "1f"})
MINOR = Note("tls.failed", remote="192.0.2.7:50000")


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for found in list_segments(folder) for line in found.path.read_bytes().splitlines()]


def test_an_event_is_one_line_with_the_id_that_was_returned(tmp_path: Path) -> None:
    """What is written is the event as people will see it."""
    with Journal(tmp_path, "worker-0") as journal:
        event = journal.write(EXPIRED, NOW)

    [line] = lines(tmp_path)
    assert (event, "cert.expired", "CP-1") == (line["id"], line["cause"], line["station"])
    assert line["evidence"] == {"serial": "1f"}


def test_segments_are_private(tmp_path: Path) -> None:
    """Events name stations and addresses; only we may read them."""
    with Journal(tmp_path, "worker-0") as journal:
        journal.write(EXPIRED)

    assert [found.path.stat().st_mode & 0o777 for found in list_segments(tmp_path)] == [0o600]


def test_a_journal_that_writes_nothing_makes_no_file(tmp_path: Path) -> None:
    """An idle process leaves nothing behind."""
    with Journal(tmp_path, "web"):
        pass

    assert list(tmp_path.iterdir()) == []


def test_what_a_stranger_chose_cannot_break_the_line(tmp_path: Path) -> None:
    """Line breaks and lone surrogates in a station's words stay inside one JSON string."""
    with Journal(tmp_path, "worker-0") as journal:
        journal.write(Note("message.malformed", "CP-1\n{", evidence={"beginning": "a\nb\r\udc80\u2028"}))

    assert len(lines(tmp_path)) == 1


def test_ids_of_one_writer_rise_even_when_the_clock_goes_back(tmp_path: Path) -> None:
    """Order within a process is the order of writing."""
    with Journal(tmp_path, "worker-0") as journal:
        moments = [NOW, NOW, NOW - dt.timedelta(hours=1), NOW + dt.timedelta(microseconds=1)]
        ids = [journal.write(EXPIRED, moment) for moment in moments]

    assert sorted(set(ids)) == ids


@given(st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2200, 1, 1)), st.binary(min_size=8, max_size=8))  # noqa: DTZ001
def test_an_id_is_a_uuid_of_version_7_and_tells_its_time(naive: dt.datetime, random: bytes) -> None:
    """RFC 9562 5.7: milliseconds in front, version and variant in their places."""
    moment = naive.replace(tzinfo=dt.UTC)
    made = uuid.UUID(event_id(moment, random))

    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1) == made.int >> 80
    assert earliest_id(moment) <= made.hex < earliest_id(moment + dt.timedelta(milliseconds=1))


def test_a_full_segment_is_followed_by_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments stay small enough to be recorded and deleted one by one."""
    monkeypatch.setattr(module, "SEGMENT_BYTES", 1000)
    with Journal(tmp_path, "worker-0") as journal:
        ids = [journal.write(EXPIRED) for _ in range(10)]

    assert len(list_segments(tmp_path)) > 1
    assert ids == [line["id"] for line in lines(tmp_path)]


def test_a_segment_that_the_recorder_deleted_before_it_was_locked_is_not_written_to(tmp_path: Path) -> None:
    """Whatever went into a file without a name would be lost."""
    path = tmp_path / segment_name("worker-0", 1, 1)
    with path.open("wb") as kept:
        assert module._claim(kept.fileno())
    with path.open("wb") as deleted:
        path.unlink()
        assert not module._claim(deleted.fileno())


def test_minor_events_are_left_out_under_pressure_and_serious_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of broken handshakes cannot push out the event that matters."""
    monkeypatch.setattr(module, "WAITING_BYTES", 1000)
    waiting = tmp_path / segment_name("worker-1", 1, 1)
    waiting.write_bytes(b"x" * 600)
    with Journal(tmp_path, "worker-0") as journal:
        with pytest.raises(BollardError, match=r"journal\.full"):
            journal.write(MINOR)
        journal.write(MINOR)
        event = journal.write(EXPIRED)
    waiting.unlink()

    lost, written = lines(tmp_path)
    assert (lost["cause"], lost["evidence"]) == ("journal.lost", {"lost": 2})
    assert event == written["id"]


def test_a_journal_that_nobody_records_stops_growing_and_goes_on_when_somebody_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound holds for serious events as well; the first one after it tells the loss."""
    monkeypatch.setattr(module, "WAITING_BYTES", 2000)
    monkeypatch.setattr(module, "LOOK_AGAIN_SECONDS", 0.0)
    waiting = tmp_path / segment_name("worker-1", 1, 1)
    waiting.write_bytes(b"x" * 2000)
    with Journal(tmp_path, "worker-0") as journal:
        with pytest.raises(BollardError) as caught:
            journal.write(EXPIRED)
        journal.write(EXPIRED)
        waiting.unlink()
        journal.write(EXPIRED)

    assert "bollard web" in caught.value.advice
    assert [line["cause"] for line in lines(tmp_path)] == ["journal.lost", "cert.expired"]


@contextmanager
def tiny_files() -> Iterator[None]:
    """A limit of 2,000 bytes a file, as a disk that is full; within one test, for pytest itself may write to a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_that_fills_up_within_a_line_leaves_no_half_line(tmp_path: Path) -> None:
    """The half that was written is taken back, so whole lines are all that a reader meets."""
    with Journal(tmp_path, "worker-0") as journal, tiny_files():
        told = [_write(journal) for _ in range(10)]

    found = lines(tmp_path)
    assert len(found) == told.index("journal.full")
    assert told.count("journal.full") == 1
    assert {"cert.expired"} == {line["cause"] for line in found}


def _write(journal: Journal) -> str:
    try:
        journal.write(EXPIRED)
    except BollardError as lost:
        return lost.code
    return ""


WRITER = """
import sys
from pathlib import Path
import bollard
from secproxy.edge.journal import Journal
from secproxy.events import Note
journal = Journal(Path(sys.argv[1]), "worker-3")
while True:
    print(journal.write(Note("cert.expired", "CP-1")), flush=True)
"""


def test_an_event_whose_id_was_seen_survives_kill_9(tmp_path: Path) -> None:
    """Whoever was answered was written down first: killing the writer at any moment loses none of those."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        seen = [writer.stdout.readline().strip() for _ in range(200)]
        writer.kill()
        seen += writer.stdout.read().split("\n")[:-1]

    assert set(seen) <= {line["id"] for line in lines(tmp_path)}
