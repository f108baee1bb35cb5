"""A crowd that comes in works one after the other, and those who are in already have their turn in between."""

from __future__ import annotations

import asyncio
import time

import pytest

from secproxy.edge.turns import ROUND_SECONDS, Turns


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
