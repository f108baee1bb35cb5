"""How fast the two sides of a live connection are read: neither faster than it may speak, nor than the other reads.

Rules this file keeps:

* What waits for a slow reader is bounded: the other side is not read meanwhile, and who stays slow is dropped.
* Whoever says more messages than allowed is not read for a while; who floods on nevertheless is closed.
* A side is read again when there is no reason left not to.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from secproxy.buckets import Meter
from secproxy.frames import GOING_AWAY, POLICY_VIOLATION
from secproxy.plan import OTHER, Side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secproxy.config import Limits
    from secproxy.events import Value


class Paced(Protocol):
    """What it may do with a connection."""

    def rest(self, side: Side) -> None:
        """Do not read this side."""

    def read_on(self, side: Side) -> None:
        """Read it again."""

    def give_up(
        self, cause: str, evidence: Mapping[str, Value], code: int, reason: str, csms: tuple[int, str] | None = None
    ) -> None:
        """End it with an event; ``csms`` are code and reason for the CSMS, where they are others than the station's."""


class Pace:
    """The pace of one connection. It is made with the first reason not to read a side; most never give one."""

    __slots__ = ("_full", "_held", "_limits", "_loop", "_meters", "_paced")

    def __init__(self, limits: Limits, paced: Paced) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits, self._paced = limits, paced
        self._full: dict[Side, asyncio.TimerHandle] = {}  # by reader: until when it has to have read
        self._held: dict[Side, asyncio.TimerHandle] = {}  # by speaker: until when it is not read
        self._meters: dict[Side, Meter] = {}

    # -- who speaks ------------------------------------------------------------------------------------------------

    def measure(self, side: Side, messages: int) -> int:
        """Hold how much a side has said against what it may say; return the count from which to ask again."""
        at, limits = self._loop.time(), self._limits
        meter = self._meters.setdefault(side, Meter(limits.messages_per_second, limits.messages_burst))
        pause = meter.read(messages, at)
        if meter.flooding(at) > limits.flood_seconds:
            self._drown(side)
        elif pause:
            self._hold(side, pause)
        return meter.due

    def _hold(self, side: Side, seconds: float) -> None:
        """Do not read a side for a while: what it says waits on its own side of the line."""
        if side in self._held:
            self._held[side].cancel()
        self._held[side] = self._loop.call_later(seconds, self._let_on, side)
        self._paced.rest(side)

    def _let_on(self, side: Side) -> None:
        self._held.pop(side, None)
        if side in self._meters:
            self._meters[side].go_on(self._loop.time())
        self._read_on(side)

    def _drown(self, side: Side) -> None:
        evidence: dict[str, Value] = {"side": side.value, "per_second": self._limits.messages_per_second}
        codes = (POLICY_VIOLATION, GOING_AWAY) if side is Side.STATION else (GOING_AWAY, POLICY_VIOLATION)
        reason = "more messages than allowed"
        self._paced.give_up("message.rate", evidence, codes[0], reason, (codes[1], reason))

    # -- who reads -------------------------------------------------------------------------------------------------

    def fill(self, reader: Side) -> None:
        """All that may wait for a reader does: the other side is not read, and the reader has a while to read it."""
        self._paced.rest(OTHER[reader])
        if reader not in self._full:
            self._full[reader] = self._loop.call_later(self._limits.slow_reader_seconds, self._drop_slow, reader)

    def drain(self, reader: Side) -> None:
        """A reader has read what waited for it."""
        self.forgive(reader)
        self._read_on(OTHER[reader])

    def forgive(self, reader: Side) -> None:
        """Let no time run against a reader any more."""
        timer = self._full.pop(reader, None)
        if timer is not None:
            timer.cancel()

    def _drop_slow(self, reader: Side) -> None:
        evidence: dict[str, Value] = {"reader": reader.value, "seconds": self._limits.slow_reader_seconds}
        code = POLICY_VIOLATION if reader is Side.STATION else GOING_AWAY
        self._paced.give_up("session.slow_reader", evidence, code, "what waited was not read in time")

    # -- both ------------------------------------------------------------------------------------------------------

    def _read_on(self, side: Side) -> None:
        """Read a side again, unless there is another reason not to."""
        if side not in self._held and OTHER[side] not in self._full:
            self._paced.read_on(side)

    def end(self) -> None:
        """The connection is over: nothing is due any more."""
        for timer in (*self._full.values(), *self._held.values()):
            timer.cancel()
