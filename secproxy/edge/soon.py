"""Work that many connections need at one moment, such as new settings, without a live message waiting for all of it.

Rules this file keeps:

* In one round of the loop it takes ``ROUND_SECONDS``, then everybody else has his turn. Who is asked for with few
  others is not kept waiting, whoever waits already.
* A session that has to end ends within a second: what is left when half of that is over takes long rounds, so that a
  loop that is busy with others comes to the end of it.
* Each is worked on by what holds when its turn has come, and again for whatever is asked after that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

FEW: Final = 20  # connections that are worked on at once: 0.2 ms to judge them, 4 ms where all of them are closed
ROUND_SECONDS: Final = 0.001  # to judge one takes 7 microseconds, to close one 200
SOON_SECONDS: Final = 0.5  # from the first that was asked for until rounds are long
LONG_SECONDS: Final = 0.02  # a long round

Each = TypeVar("Each")


class Soon(Generic[Each]):
    """The work of one kind. ``work`` does it for one; what it may have to do with is hashable."""

    def __init__(self, work: Callable[[Each], None]) -> None:
        self._work = work
        self._left: dict[Each, None] = {}
        self._since = 0.0
        self._waiting: list[asyncio.Future[None]] = []

    def ask(self, those: Collection[Each]) -> None:
        """Have the work done for these; for a few, now."""
        if len(those) <= FEW:
            for each in those:
                self._left.pop(each, None)
                self._work(each)
            return
        if not self._left:
            loop = asyncio.get_running_loop()
            self._since = loop.time()
            loop.call_soon(self._go_on, loop)
        self._left.update(dict.fromkeys(those))

    async def done(self) -> None:
        """Wait until it is done for all that were asked for."""
        if self._left:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        began = loop.time()
        until = began + (LONG_SECONDS if began - self._since > SOON_SECONDS else ROUND_SECONDS)
        try:
            while self._left:
                each = next(iter(self._left))
                del self._left[each]
                self._work(each)
                if loop.time() >= until:
                    break
        finally:  # what goes wrong with one is told as a fault, and keeps nobody else from it
            if self._left:
                loop.call_soon(self._go_on, loop)
            else:
                self._tell_done()

    def _tell_done(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)
