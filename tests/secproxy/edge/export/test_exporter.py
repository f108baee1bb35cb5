"""The loop of one sink: it loses nothing, tells its trouble, and holds up nobody."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.edge.event_store import EventStore
from secproxy.edge.export import exporter as module
from secproxy.edge.export.exporter import PAUSE_LEAST, PAUSE_MOST, Exporter, pause
from secproxy.edge.export.outbox import Outbox
from secproxy.event_settings import Retention, Wanted
from secproxy.events import Note
from secproxy.kinds import Severity
from tests.secproxy.edge.export.scene import SINK, home_with_mark, record, until
from tests.secproxy.edge.homes import bare_home

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from pki.edge.home import Home
    from secproxy.export.event import Event

EXPIRED = Note("cert.expired", "CP-1")
MINOR = Note("tls.failed")


class Way:
    """A way out that takes everything, or fails in the way it was told to."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.tried: list[list[str]] = []
        self.problem: Exception | None = None
        self.closed = False

    async def send(self, events: Sequence[Event]) -> None:
        self.tried.append([event.id for event in events])
        if self.problem:
            raise self.problem
        self.sent.append([event.id for event in events])

    async def close(self) -> None:
        self.closed = True


def run(home: Home, story: Callable[[Way, list[Note]], Awaitable[None]], wanted: Wanted | None = None) -> None:
    """Run an exporter beside a story."""

    async def both() -> None:
        way, notes = Way(), list[Note]()
        exporter = Exporter(SINK, wanted or Wanted(), way, Outbox(home.events, SINK), notes.append)
        task = asyncio.ensure_future(exporter.run())
        try:
            await story(way, notes)
        finally:
            task.cancel()
            await asyncio.wait([task])
        assert way.closed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAUSE_LEAST", 0.01)
        patch.setattr(module, "PAUSE_MOST", 0.02)
        asyncio.run(both())


def test_what_is_recorded_is_sent_once_and_in_order(tmp_path: Path) -> None:
    """Before it began and while it runs."""
    home = home_with_mark(tmp_path)
    first = record(home, EXPIRED, MINOR)

    async def story(way: Way, notes: list[Note]) -> None:
        await until(lambda: way.sent == [first])
        then = record(home, EXPIRED)
        await until(lambda: way.sent == [first, then])
        assert notes == []

    run(home, story)


def test_a_batch_that_failed_is_the_one_that_is_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever was recorded meanwhile; the trouble is told while it lasts, and on stderr once."""
    home = home_with_mark(tmp_path)
    first = record(home, EXPIRED)

    async def story(way: Way, notes: list[Note]) -> None:
        way.problem = ConnectionError("it is\x1b[2J down")
        await until(lambda: bool(way.tried))
        then = record(home, EXPIRED)
        before = len(way.tried)
        await until(lambda: len(way.tried) > before + 1)
        [state] = EventStore(home).sinks()
        assert (state.waiting, state.trouble) == (2, "it is\\x1b[2J down")
        assert all(tried == first for tried in way.tried)
        way.problem = None
        await until(lambda: way.sent == [first, then])
        await until(lambda: EventStore(home).sinks()[0].trouble == "")

    run(home, story)
    assert capsys.readouterr().err.count("it is tried again") == 1


def test_a_new_process_sends_again_what_the_mark_had_not_passed(tmp_path: Path) -> None:
    """At least once, whenever the former died."""
    home = home_with_mark(tmp_path)
    first = record(home, EXPIRED)

    async def fails(way: Way, notes: list[Note]) -> None:
        way.problem = TimeoutError()
        await until(lambda: bool(way.tried))
        await until(lambda: EventStore(home).sinks()[0].trouble == "TimeoutError")

    async def works(way: Way, notes: list[Note]) -> None:
        await until(lambda: way.sent == [first])

    run(home, fails)
    run(home, works)


def test_only_what_is_wanted_is_sent_and_the_rest_is_done_with(tmp_path: Path) -> None:
    """A sink of the gravest events waits for none of the others."""
    home = home_with_mark(tmp_path)
    wanted = record(home, MINOR, EXPIRED, MINOR)[1:2]

    async def story(way: Way, notes: list[Note]) -> None:
        await until(lambda: EventStore(home).sinks()[0].waiting == 0)
        assert way.tried == [wanted]

    run(home, story, Wanted(Severity.HIGH))


def test_a_line_that_is_no_event_holds_up_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told, in a form that does nothing to a terminal."""
    home = home_with_mark(tmp_path)
    first, second = record(home, EXPIRED, EXPIRED)
    with closing(sqlite3.connect(home.events)) as db, db:
        db.execute("UPDATE events SET event = ? WHERE id = ?", ["\x1b[2Jspoilt", first])

    async def story(way: Way, notes: list[Note]) -> None:
        await until(lambda: way.sent == [[second]])

    run(home, story)
    assert r"\x1b[2Jspoilt" in capsys.readouterr().err


def test_events_that_made_room_before_are_told_as_an_event(tmp_path: Path) -> None:
    """Once, with their number."""
    home = home_with_mark(tmp_path)
    record(home, *[EXPIRED] * 5, kept=Retention(keep_rows=2))

    async def story(way: Way, notes: list[Note]) -> None:
        await until(lambda: bool(way.sent))
        then = record(home, EXPIRED)
        await until(lambda: then in way.sent)
        assert notes == [Note("export.lost", evidence={"sink": SINK, "lost_at_most": 3})]

    run(home, story)


def test_a_defect_of_one_way_ends_nothing(tmp_path: Path) -> None:
    """Even what nobody thought of is a sink's trouble and no more."""
    home = home_with_mark(tmp_path)
    first = record(home, EXPIRED)

    async def story(way: Way, notes: list[Note]) -> None:
        way.problem = ZeroDivisionError()
        await until(lambda: len(way.tried) > 1)
        way.problem = None
        await until(lambda: way.sent == [first])

    run(home, story)


def test_a_database_that_is_not_there_yet_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The recorder makes it; it may be busy elsewhere."""
    home = bare_home(tmp_path / "home")

    async def story(way: Way, notes: list[Note]) -> None:
        await asyncio.sleep(0.05)
        record(home)
        first = record(home, EXPIRED)
        await until(lambda: way.sent == [first])

    run(home, story)
    assert capsys.readouterr().err == ""


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_pauses_grow_to_a_bound_and_are_spread(failures: int, chance: float) -> None:
    """Never shorter than half of what is due, never longer than the bound."""
    due = min(PAUSE_LEAST * 2 ** min(failures - 1, 16), PAUSE_MOST)
    assert due / 2 <= pause(failures, chance) <= due <= PAUSE_MOST
    assert pause(1, 0.0) == PAUSE_LEAST < pause(2, 0.0) < pause(9, 0.0) == PAUSE_MOST
