"""Whose turn it is, so that neither a crowd that comes or goes nor a look at all who are here keeps them waiting.

Rules this file keeps:

* In one round of the loop all who come or go work for about ``ROUND_SECONDS``; then everybody else has his turn.
* They go in the order in which they asked.
* Whoever looks at every connection looks at ``AT_ONCE``, and goes on when everybody else has had his turn.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

ROUND_SECONDS: Final = 0.001  # a step of a handshake takes up to 1 ms, the others a fifth; a live message waits so long
AT_ONCE: Final = 100  # connections looked at in one round; a look takes about 1 microsecond, letting one go 20

Each = TypeVar("Each")


async def a_few_at_a_time(all_of_them: Iterable[Each]) -> AsyncIterator[Each]:
    """Each of them in turn. Much may have happened to those that come later by the time they come."""
    for place, each in enumerate(all_of_them, 1):
        yield each
        if place % AT_ONCE == 0:
            await asyncio.sleep(0)


class Turns:
    """The turns of one loop. Whoever comes in takes one before each step that costs processor time; whoever goes has
    its end called in one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[asyncio.Future[None] | Callable[[], None]] = deque()
        self._began = 0.0  # this round's work; 0 while nobody has begun

    async def take(self) -> None:
        """Go on now, or when it is this one's turn."""
        if self._waiting or not self._has_time():
            turn = self._loop.create_future()
            self._waiting.append(turn)
            await turn

    def call(self, work: Callable[[], None]) -> None:
        """Have this done now, or when it is its turn."""
        if self._waiting or not self._has_time():
            self._waiting.append(work)
        else:
            work()

    def _has_time(self) -> bool:
        """Whether this round has some left; who asks first begins it."""
        if self._began:
            return time.monotonic() - self._began < ROUND_SECONDS
        self._began = time.monotonic()
        self._loop.call_soon(self._next_round)
        return True

    def _next_round(self) -> None:
        self._began = 0.0
        while self._waiting and self._has_time():
            turn = self._waiting.popleft()
            if not isinstance(turn, asyncio.Future):
                turn()
            elif not turn.done():  # else it was given up
                turn.set_result(None)  # what it costs is known when it has gone on, so nobody else does in this round
                return
