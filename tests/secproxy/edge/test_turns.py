"""A crowd that comes or goes works one after the other, and those who are in have their turn in between."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import pytest

from secproxy.edge.turns import AT_ONCE, ROUND_SECONDS, Turns, a_few_at_a_time


def work() -> None:
    """Keep the loop busy for longer than a round."""
    end = time.monotonic() + 2 * ROUND_SECONDS
    while time.monotonic() < end:
        pass


def crowd(turns: Turns, said: list[str], names: str) -> list[asyncio.Task[None]]:
    """Let each of these come in: one step of work, then its name is said."""

    async def come_in(name: str) -> None:
        await turns.take()
        work()
        said.append(name)

    return [asyncio.ensure_future(come_in(name)) for name in names]


def test_between_two_of_a_crowd_everybody_else_has_a_turn() -> None:
    """However many come at once; and they go in the order in which they came."""

    async def story() -> None:
        loop, said, coming = asyncio.get_running_loop(), list[str](), list[asyncio.Task[None]]()

        def live() -> None:
            said.append("live")
            if not all(task.done() for task in coming):
                loop.call_soon(live)

        coming += crowd(Turns(loop), said, "abcde")
        loop.call_soon(live)
        await asyncio.gather(*coming)

        assert [name for name in said if name != "live"] == list("abcde")
        for one, next_one in zip("abcd", "bcde", strict=True):
            assert "live" in said[said.index(one) : said.index(next_one)]

    asyncio.run(story())


def test_who_comes_alone_does_not_wait() -> None:
    """Not once does the loop go round for it."""

    async def story() -> None:
        turns, gone_round = Turns(asyncio.get_running_loop()), list[bool]()
        asyncio.get_running_loop().call_soon(gone_round.append, True)
        await turns.take()
        assert not gone_round

    asyncio.run(story())


def test_who_gives_up_holds_nobody_back() -> None:
    """A handshake that ran out of time while it waited for its turn."""

    async def story() -> None:
        said: list[str] = []
        coming = crowd(Turns(asyncio.get_running_loop()), said, "abc")
        await asyncio.sleep(0)  # a works, b and c wait
        coming[1].cancel()
        await asyncio.wait(coming)
        assert said == ["a", "c"]
        with pytest.raises(asyncio.CancelledError):
            coming[1].result()

    asyncio.run(story())


def test_a_crowd_that_goes_lets_everybody_else_have_a_turn_as_well() -> None:
    """However many go at once; who is first to go is first to be gone, and who comes in meanwhile waits behind them."""

    async def story() -> None:
        loop, said = asyncio.get_running_loop(), list[str]()
        turns, gone = Turns(loop), asyncio.Event()

        def go(name: str) -> None:
            work()
            said.append(name)

        def live() -> None:
            said.append("live")
            if not gone.is_set():
                loop.call_soon(live)

        for name in "abcd":
            turns.call(partial(go, name))
        turns.call(gone.set)
        coming = crowd(turns, said, "e")
        loop.call_soon(live)
        await asyncio.gather(gone.wait(), *coming)

        assert [name for name in said if name != "live"] == list("abcde")
        assert "live" in said[said.index("b") : said.index("c")]

    asyncio.run(story())


def test_who_goes_alone_is_gone_at_once() -> None:
    """The loop does not go round for it."""

    async def story() -> None:
        gone = list[bool]()
        Turns(asyncio.get_running_loop()).call(partial(gone.append, True))
        assert gone == [True]

    asyncio.run(story())


def test_an_end_that_goes_wrong_holds_nobody_back() -> None:
    """It is told as any fault of ours is."""

    async def story() -> None:
        def fails() -> None:
            raise ValueError

        loop, faults, gone = asyncio.get_running_loop(), list[str](), asyncio.Event()
        loop.set_exception_handler(lambda _, told: faults.append(repr(told["exception"])))
        turns = Turns(loop)
        turns.call(work)
        turns.call(fails)
        turns.call(gone.set)
        await gone.wait()
        assert ["ValueError" in fault for fault in faults] == [True]

    asyncio.run(story())


def test_a_look_at_all_of_many_lets_everybody_else_have_a_turn() -> None:
    """After every ``AT_ONCE`` of them; each is looked at once, in order."""

    async def story() -> None:
        loop, seen, live = asyncio.get_running_loop(), list[int](), list[int]()

        def others() -> None:
            live.append(len(seen))
            if len(seen) < 3 * AT_ONCE:
                loop.call_soon(others)

        loop.call_soon(others)
        async for each in a_few_at_a_time(range(3 * AT_ONCE)):
            seen.append(each)
        assert seen == [*range(3 * AT_ONCE)]
        assert live == [AT_ONCE, 2 * AT_ONCE, 3 * AT_ONCE]

    asyncio.run(story())
