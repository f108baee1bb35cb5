"""Alert rules over a real journal and database: each alert once, whatever is restarted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from secproxy.alerts import CAUSE, AlertRule
from secproxy.edge.event_store import EventStore
from secproxy.edge.export.alert_desk import NAME, AlertDesk
from secproxy.edge.export.outbox import Outbox
from secproxy.edge.journal import Journal
from secproxy.events import Note
from secproxy.export.event import read_event
from tests.secproxy.edge.export.scene import home_with_mark, record

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home

RULE = AlertRule("three", "", "cert.expired", 3, 3600, each_station=True)
EXPIRED = Note("cert.expired", "CP-1")


def turn(home: Home, *, moves: bool = True) -> int:
    """A process that begins, takes what there is and dies; how many alerts there are then."""
    outbox = Outbox(home.events, NAME)
    with Journal(home.journal, "web") as journal:
        desk = AlertDesk([RULE], outbox, EventStore(home), lambda note: void(journal.write(note)))
        if taken := outbox.take():
            asyncio.run(desk.send([read_event(line) for line in taken.lines]))
            if moves:
                outbox.sent(taken.mark)
        asyncio.run(desk.close())
    return len(EventStore(home).list(cause=CAUSE))


def void(_: object) -> None:
    """Nothing."""


def test_what_was_counted_before_a_restart_counts_after_it(tmp_path: Path) -> None:
    """Two before, one after: three within the window."""
    home = home_with_mark(tmp_path, NAME)
    record(home, EXPIRED, EXPIRED, sinks=(NAME,))
    assert turn(home) == 0
    record(home, EXPIRED, sinks=(NAME,))
    assert turn(home) == 1


def test_a_restart_raises_no_alert_again(tmp_path: Path) -> None:
    """Neither when the mark had moved, nor when the process died before, with the alert still in the journal."""
    home = home_with_mark(tmp_path, NAME)
    record(home, *[EXPIRED] * 3, sinks=(NAME,))
    assert turn(home, moves=False) == 1
    assert turn(home) == 1
    record(home, *[EXPIRED] * 9, sinks=(NAME,))
    assert turn(home) == 1
