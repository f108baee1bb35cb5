"""The workers of one home: how many there are, of which generation, and from which listening sockets each accepts.

Rules this file keeps:

* Each worker has a place, and the sockets of that number are its own. Those of a place that nobody fills, because its
  worker has died or there are fewer than before, are accepted from by all: nobody waits in them for nothing.
* A new generation is prepared beside the one that serves, and handed sockets when all of it is prepared. Only when all
  of it accepts is the one before told to let its stations go; what fails before that is dismissed.
* Whoever is let go is not started again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pki.errors import ConflictError
from secproxy.edge import sockets
from secproxy.edge.children import GRACE_SECONDS
from secproxy.edge.claim_wire import Mate, Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from socket import socket as Socket  # noqa: N812 - beside the module of ours

    from secproxy.config import Config
    from secproxy.edge.children import Child
    from secproxy.edge.sockets import Place, Sockets

PREPARE_SECONDS: Final = (
    60.0  # for a new generation to be prepared, or to open; reading code takes a few on a busy host
)


class Crew:
    """The workers. ``make`` makes the child for one, ``retire`` tells one over its line to let its stations go."""

    def __init__(
        self, config: Config, held: Sockets, make: Callable[[Mate], Child], retire: Callable[[Mate], None]
    ) -> None:
        self._config, self._held, self._make, self._retire = config, held, make, retire
        self.generation = 1
        self.children: dict[Mate, Child] = {}
        self.prepared: set[Mate] = set()
        self.open: set[Mate] = set()
        self.leaving: dict[Mate, Child] = {}
        self._ended: set[Mate] = set()
        self._farewells: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    # -- how many there are --------------------------------------------------------------------------------------------

    def resize(self, config: Config) -> None:
        """Have as many as the settings say: start those that are missing, let go those that are too many."""
        self._config = config
        for mate in [each for each in self._serving() if each.number >= config.workers]:
            self._let_go(mate)
        for number in range(config.workers):
            mate = Mate(number, self.generation)
            if mate not in self.children:
                self._start(mate)

    async def all_open(self) -> None:
        """Wait until every worker that serves accepts stations."""
        while not self.open.issuperset(self._serving()):
            await self._change()

    # -- another generation --------------------------------------------------------------------------------------------

    async def prepare(self, generation: int) -> None:
        """Start another generation and wait until all of it is prepared; ``ConflictError`` when it is not in time."""
        mates = {Mate(number, generation) for number in range(self._config.workers)}
        for mate in mates:
            self._start(mate)
        await self._until(lambda: self.prepared >= mates, mates, "be prepared")

    async def exchange(self, generation: int) -> None:
        """Have a prepared generation accept stations, then let go the one that served until now."""
        mates = {mate for mate in self.children if mate.generation == generation}
        for mate in mates:
            self.hand(mate)
        await self._until(lambda: self.open >= mates, mates, "open its listeners")
        before, self.generation = self._serving(), generation
        for mate in before:
            self._let_go(mate)

    async def dismiss(self, generation: int) -> None:
        """End a generation that is not to serve."""
        mates = [mate for mate in self.children if mate.generation == generation]
        await asyncio.gather(*(self.children.pop(mate).stop() for mate in mates))
        self._deal()

    async def _until(self, met: Callable[[], bool], mates: set[Mate], what: str) -> None:
        try:
            async with asyncio.timeout(PREPARE_SECONDS):
                while not met():
                    if dead := self._ended & mates:
                        raise _failed(min(dead), "ended")
                    await self._change()
        except TimeoutError:
            raise _failed(min(mates), f"did not {what} within {PREPARE_SECONDS:.0f} seconds") from None

    # -- what the desk hears -------------------------------------------------------------------------------------------

    def is_prepared(self, mate: Mate) -> None:
        """One has all that it needs but its sockets."""
        self.prepared.add(mate)
        self._notice()

    def has_opened(self, mate: Mate) -> None:
        """One accepts stations."""
        self.open.add(mate)
        self._deal()
        self._notice()

    def has_shut(self, mate: Mate) -> None:
        """One accepts no more, or is gone."""
        self.prepared.discard(mate)
        if mate in self.open:
            self.open.discard(mate)
            self._deal()
        self._notice()

    def has_ended(self, mate: Mate) -> None:
        """One has died, and is started again unless it is dismissed."""
        self._ended.add(mate)
        self._notice()

    def _notice(self) -> None:
        self._changed.set()

    async def _change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    # -- who accepts from what -----------------------------------------------------------------------------------------

    def hand(self, mate: Mate) -> None:
        """Hand a worker the sockets that it is to accept from now."""
        child = self.children.get(mate)
        if child is not None and child.line is not None and not sockets.hand(child.line, self._share(mate)):
            child.renew()  # it has not looked for long: it hangs

    def started(self, mate: Mate) -> None:
        """One is about to be started; what is handed over now waits for it. A new generation waits for its turn."""
        if mate.generation == self.generation:
            self.hand(mate)

    def _share(self, mate: Mate) -> dict[Place, Socket]:
        filled = {each.number for each in self.open}
        left = self._held.numbers() - filled if mate in self.open else set()
        return self._held.of("stations", {mate.number, *left})

    def _deal(self) -> None:
        for mate in self._serving():
            if mate in self.open:
                self.hand(mate)

    def deal(self) -> None:
        """Hand every worker what it is to accept from, because addresses have come or gone."""
        for mate in self._serving():
            self.hand(mate)

    # -- the end -------------------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """End all of them."""
        for task in self._farewells:
            task.cancel()
        children = [*self.children.values(), *self.leaving.values()]
        await asyncio.gather(*self._farewells, *(child.stop() for child in children), return_exceptions=True)

    def processes(self) -> Iterator[Process]:
        """Name all of them."""
        for kept, leaving in ((self.children, False), (self.leaving, True)):
            for mate, child in sorted(kept.items()):
                yield child.seen(mate.generation, leaving=leaving)

    def adopt(
        self, mates: Iterable[tuple[Mate, Child]], leaving: Iterable[tuple[Mate, Child]], accepting: Iterable[Mate]
    ) -> None:
        """Go on with the workers of the code before."""
        self.children.update(mates)
        self.open.update(accepting)
        for mate, child in leaving:
            self._see_off(mate, child)

    def _serving(self) -> list[Mate]:
        return [mate for mate in self.children if mate.generation == self.generation]

    def _start(self, mate: Mate) -> None:
        self._ended.discard(mate)
        self.prepared.discard(mate)
        self.children[mate] = self._make(mate)
        self.children[mate].start()

    def _let_go(self, mate: Mate) -> None:
        child = self.children.pop(mate)
        self.open.discard(mate)
        self._deal()  # before it shuts, so that somebody accepts from every socket at every moment
        self._retire(mate)
        self._see_off(mate, child)

    def _see_off(self, mate: Mate, child: Child) -> None:
        self.leaving[mate] = child
        child.release()
        task = asyncio.ensure_future(self._farewell(mate, child))
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    async def _farewell(self, mate: Mate, child: Child) -> None:
        limits = self._config.limits
        await child.end(limits.arrival_seconds + limits.close_spread_seconds + GRACE_SECONDS)
        self.leaving.pop(mate, None)
        self.prepared.discard(mate)


def _failed(mate: Mate, what: str) -> ConflictError:
    return ConflictError(
        "upgrade.failed",
        f"the new worker {mate.number} {what}",
        "What it said stands before this on stderr. All is as it was.",
    )
