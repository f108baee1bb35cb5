"""Whose turn it is among those who come in, so that a crowd of them does not keep live stations waiting.

Rules this file keeps:

* In one round of the loop all who come in work for about ``ROUND_SECONDS``; then everybody else has his turn.
* They go in the order in which they asked.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

ROUND_SECONDS: Final = 0.001  # a step of a handshake takes up to 1 ms, the others a fifth; a live message waits so long


class Turns:
    """The turns of one loop. Whoever comes in takes one before each step that costs processor time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._began = 0.0  # this round's work; 0 while nobody has begun

    async def take(self) -> None:
        """Go on now, or when it is this one's turn."""
        if not self._waiting and (not self._began or time.monotonic() - self._began < ROUND_SECONDS):
            if not self._began:
                self._begin()
            return
        turn = self._loop.create_future()
        self._waiting.append(turn)
        await turn

    def _begin(self) -> None:
        self._began = time.monotonic()
        self._loop.call_soon(self._next_round)

    def _next_round(self) -> None:
        self._began = 0.0
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else it was given up
                turn.set_result(None)
                self._begin()
                return
