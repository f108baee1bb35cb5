"""Hears every recorded event for the alert rules, and writes what they raise into the journal.

The rules remember nothing beyond the process: before the first batch they are told again what was recorded within their
longest window, and the alerts of that time wherever those lie, so that a restart neither misses nor repeats one.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING, Final

import msgspec

from secproxy.alerts import CAUSE, Alerts
from secproxy.export.event import read_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from secproxy.alerts import AlertRule
    from secproxy.edge.event_store import EventStore
    from secproxy.edge.export.outbox import Outbox
    from secproxy.events import Note
    from secproxy.export.event import Event

NAME: Final = "alerts.rules"  # of its mark; no sink can be called so, for its dot
ALERTS_MOST: Final = 10_000  # earlier alerts that are looked at; each rule raises one for a station and window


class AlertDesk:
    """The way to the alert rules. ``write`` puts a note in the journal."""

    def __init__(
        self, rules: Sequence[AlertRule], outbox: Outbox, store: EventStore, write: Callable[[Note], None]
    ) -> None:
        self._alerts = Alerts(rules)
        self._outbox = outbox
        self._store = store
        self._write = write
        self._remembers = False

    async def send(self, events: Sequence[Event]) -> None:
        """Tell the rules, and write what they raise."""
        if not self._remembers:
            await asyncio.to_thread(self._remember)
            self._remembers = True
        for event in events:
            for note in self._alerts.tell(event):
                self._write(note)

    async def close(self) -> None:
        """Nothing is held open."""

    def _remember(self) -> None:
        for line in self._outbox.before(self._alerts.longest):
            self._tell_again(line)
        since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=self._alerts.longest)
        for event in self._store.list(cause=CAUSE, since=since, limit=ALERTS_MOST):
            self._tell_again(msgspec.json.encode(event))

    def _tell_again(self, line: bytes) -> None:
        try:
            self._alerts.tell(read_event(line))
        except ValueError:
            return  # damaged; whoever sent it on has said so
