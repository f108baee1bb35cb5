"""Takes a batch behind a sink's mark, sends it, and moves the mark; what fails is tried again, later and later.

Rules this file keeps:

* A batch that was taken is kept until it was sent: a retry is the same batch.
* Whatever a sink does, it holds up nobody else, and its trouble is told in ``bollard status`` and ``bollard doctor``.
* A line that is no event is left out and told; it can only come from a file that somebody edited.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final, Protocol

from pki.edge import log
from secproxy.events import Note, written_out
from secproxy.export.event import read_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from secproxy.edge.export.outbox import Outbox, Taken
    from secproxy.event_settings import Wanted
    from secproxy.export.event import Event

POLL_SECONDS: Final = 0.3  # seconds between two looks for new events
PAUSE_LEAST: Final = 1.0  # seconds before the first retry
PAUSE_MOST: Final = 60.0  # seconds before any retry; a sink that is back is noticed within a minute
TROUBLE_LENGTH: Final = 200  # characters of what is told about a sink


class Way(Protocol):
    """A way out: ``send`` returns when the events were taken, and raises when they were not."""

    async def send(self, events: Sequence[Event]) -> None:
        """Send events, in this order; they may be sent again."""

    async def close(self) -> None:
        """Let go of whatever is held."""


class Exporter:
    """One sink's loop. ``write`` puts a note in the journal."""

    def __init__(self, name: str, wanted: Wanted, way: Way, outbox: Outbox, write: Callable[[Note], None]) -> None:
        self._name = name
        self._wanted = wanted
        self._way = way
        self._outbox = outbox
        self._write = write
        self._taken: Taken | None = None
        self._failures = 0

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:  # noqa: ASYNC110 - it waits for a database, which tells nobody
                await asyncio.sleep(await self._turn())
        finally:
            await self._way.close()

    async def _turn(self) -> float:
        """Do one step; returns how many seconds to wait before the next."""
        try:
            moved = await self._step()
        except Exception as problem:  # noqa: BLE001 - nothing that one sink does may end what the process is there for
            self._failures += 1
            await self._tell(problem)
            return pause(self._failures, random.random())  # noqa: S311 - so that sinks do not come back all at once
        self._failures = 0
        return 0.0 if moved else POLL_SECONDS

    async def _step(self) -> bool:
        if self._taken is None:
            self._taken = await asyncio.to_thread(self._outbox.take)
            if self._taken is None:
                return False
            await self._tell_missed()
        events = [event for event in self._read(self._taken) if self._wanted.accepts(event)]
        if events:
            await self._way.send(events)
        await asyncio.to_thread(self._outbox.sent, self._taken.mark)
        self._taken = None
        return True

    def _read(self, taken: Taken) -> Iterator[Event]:
        for line in taken.lines:
            try:
                yield read_event(line)
            except ValueError:
                self._say("sink.unreadable", f"an event cannot be read and was left out: {line[:80]!r}")

    async def _tell(self, problem: Exception) -> None:
        says = written_out(str(problem) or type(problem).__name__, TROUBLE_LENGTH)
        if self._failures == 1:
            self._say("sink.failing", f"{says}; it is tried again until it works")
        try:
            await asyncio.to_thread(self._outbox.failed, says)
        except Exception as worse:  # noqa: BLE001 - as in _turn; the database itself may be what is wrong
            self._say("sink.failing", written_out(str(worse), TROUBLE_LENGTH))

    def _say(self, kind: str, says: str) -> None:
        log.say(kind, says, who=f"event sink {self._name}", level=log.Level.WARNING)

    async def _tell_missed(self) -> None:
        if missed := await asyncio.to_thread(self._outbox.missed):
            self._write(Note("export.lost", evidence={"sink": self._name, "lost_at_most": missed}))
            await asyncio.to_thread(self._outbox.told, missed)


def pause(failures: int, chance: float) -> float:
    """How long to wait after so many failures in a row: twice as long each time, less up to a half of it by chance."""
    return float(min(PAUSE_LEAST * 2 ** min(failures - 1, 16), PAUSE_MOST)) * (1 - chance / 2)
