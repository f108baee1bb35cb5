"""The workers of a home: who accepts from which socket, how many there are, and how one generation follows another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import pytest

from pki.errors import ConflictError
from secproxy.config import parse_config
from secproxy.edge import crew as module
from secproxy.edge.claim_wire import Mate, Process
from secproxy.edge.crew import Crew
from secproxy.edge.sockets import Hatch, Sockets, pair, places
from tests.worlds import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from secproxy.edge.children import Child

TEXT = """
[organisation]
name = "Example"
[csms]
host = "csms.example.org"
upstream = "ws://127.0.0.1:1"
[[listener]]
address = "127.0.0.1:{port}"
profile = 3
[web]
address = "127.0.0.1:1"
public_url = "https://csms.example.org:1"
"""


@dataclass
class Hand:
    """A worker that does what a test has it do; it holds a real end of a real line."""

    mate: Mate
    crew: Crew
    log: list[str]
    starts: int = 0
    since: float = 0.0
    pid: int = 1
    accepts: set[int] = field(default_factory=set)

    def start(self) -> None:
        self.starts, (self.line, theirs) = self.starts + 1, pair()
        self.hatch = Hatch(theirs)
        self._theirs = theirs
        self.crew.started(self.mate)

    def look(self) -> set[int]:
        """Take what was handed over; the numbers of the sockets that it accepts from."""
        taken = self.hatch.take()
        if taken is not None:
            self.accepts = {place.number for place in taken}
            for sock in taken.values():
                sock.close()
        return self.accepts

    def seen(self, generation: int, *, leaving: bool = False) -> Process:
        return Process(f"worker {self.mate.number}", self.pid, self.since, 0, generation, leaving)

    def release(self) -> None:
        self.log.append(f"{self.mate.number} of {self.mate.generation} is not kept any more")

    async def end(self, _seconds: float) -> None:
        await self.stop()

    async def stop(self) -> None:
        self.line.close()
        self._theirs.close()
        self.pid = 0

    def renew(self) -> None:
        self.log.append("renewed")


class House:
    """A crew of stand-ins, with real sockets."""

    def __init__(self, workers: int) -> None:
        self.log: list[str] = []
        self.config = replace(parse_config(TEXT.format(port=free_port())), workers=workers)
        self.held = Sockets()
        self.hands: dict[Mate, Hand] = {}
        self.crew = Crew(self.config, self.held, self._make, self._retire)
        self.resize(workers)

    def _make(self, mate: Mate) -> Child:
        self.hands[mate] = Hand(mate, self.crew, self.log)
        return cast("Child", self.hands[mate])

    def _retire(self, mate: Mate) -> None:
        accepts = {of.mate.number: sorted(of.look()) for of in self.hands.values() if of.mate in self.crew.open}
        self.log.append(f"{mate.number} of {mate.generation} is let go while others accept from {accepts}")

    def resize(self, workers: int) -> None:
        most = max([workers, *(number + 1 for number in self.held.numbers())])
        self.held.keep(places(self.config, most, web=False))
        self.crew.resize(replace(self.config, workers=workers))

    def opens(self, *mates: Mate) -> None:
        for mate in mates:
            self.crew.is_prepared(mate)
            self.crew.has_opened(mate)

    def shares(self) -> dict[Mate, set[int]]:
        return {mate: self.hands[mate].look() for mate in self.crew.children}


def story(workers: int) -> Callable[[Callable[[House], Coroutine[object, object, None]]], None]:
    """Run a story with a house of so many workers, all open."""

    def run(told: Callable[[House], Coroutine[object, object, None]]) -> None:
        async def whole() -> None:
            house = House(workers)
            house.opens(*house.crew.children)
            try:
                await told(house)
            finally:
                await house.crew.stop()
                house.held.close()

        asyncio.run(asyncio.wait_for(whole(), 20))

    return run


def test_each_worker_accepts_from_its_own_socket_and_all_from_one_that_nobody_fills() -> None:
    """A worker has died: whoever waits in its socket waits for no restart; when it is back it has it for itself."""

    async def told(house: House) -> None:
        one, two, three = (Mate(number) for number in range(3))
        assert house.shares() == {one: {0}, two: {1}, three: {2}}
        house.crew.has_shut(two)
        assert house.shares() == {one: {0, 1}, two: {1}, three: {1, 2}}
        house.opens(two)
        assert house.shares() == {one: {0}, two: {1}, three: {2}}

    story(3)(told)


def test_fewer_workers_let_the_last_go_once_others_accept_in_their_place() -> None:
    """At every moment somebody accepts from every socket; more workers later have them for themselves again."""

    async def told(house: House) -> None:
        house.resize(1)
        assert set(house.crew.children) == {Mate(0)}
        assert house.shares() == {Mate(0): {0, 1, 2}}
        assert "1 of 1 is let go while others accept from {0: [0, 1], 2: [1, 2]}" in house.log
        assert "2 of 1 is let go while others accept from {0: [0, 1, 2]}" in house.log
        house.resize(2)
        house.opens(Mate(1))
        assert house.shares() == {Mate(0): {0, 2}, Mate(1): {1, 2}}

    story(3)(told)


def test_a_new_generation_is_handed_sockets_when_it_is_its_turn_and_the_old_one_goes_after_it_accepts() -> None:
    """Both hold the same sockets meanwhile."""

    async def told(house: House) -> None:
        old, new = [Mate(0), Mate(1)], [Mate(0, 2), Mate(1, 2)]
        preparing = asyncio.ensure_future(house.crew.prepare(2))
        await asyncio.sleep(0)
        for mate in new:
            house.crew.is_prepared(mate)
        await preparing
        assert house.shares() == {old[0]: {0}, old[1]: {1}, new[0]: set(), new[1]: set()}
        exchange = asyncio.ensure_future(house.crew.exchange(2))
        await asyncio.sleep(0)
        assert house.shares() == {old[0]: {0}, old[1]: {1}, new[0]: {0}, new[1]: {1}}
        house.crew.has_opened(new[0])
        await asyncio.sleep(0)
        assert set(house.crew.children) == {*old, *new}, "half of a generation replaces nobody"
        house.crew.has_opened(new[1])
        await exchange
        assert (set(house.crew.children), house.crew.generation) == (set(new), 2)
        assert [(each.generation, each.leaving) for each in house.crew.processes()][:2] == [(2, False)] * 2

    story(2)(told)


@pytest.mark.parametrize("late", [False, True])
def test_a_new_generation_that_is_not_whole_is_dismissed(late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of it dies, or hangs: nothing has happened, and the next try is a try of its own."""
    if late:
        monkeypatch.setattr(module, "PREPARE_SECONDS", 0.01)

    async def told(house: House) -> None:
        preparing = asyncio.ensure_future(house.crew.prepare(2))
        await asyncio.sleep(0)
        house.crew.is_prepared(Mate(0, 2))
        if not late:
            house.crew.has_ended(Mate(1, 2))
        with pytest.raises(ConflictError) as failed:
            await preparing
        await house.crew.dismiss(2)
        monkeypatch.setattr(module, "PREPARE_SECONDS", 20.0)
        assert (failed.value.code, set(house.crew.children)) == ("upgrade.failed", {Mate(0), Mate(1)})
        assert house.shares() == {Mate(0): {0}, Mate(1): {1}}
        again = asyncio.ensure_future(house.crew.prepare(2))
        await asyncio.sleep(0)
        for number in range(2):
            house.crew.is_prepared(Mate(number, 2))
        await again

    story(2)(told)
