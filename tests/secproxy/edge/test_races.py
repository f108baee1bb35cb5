"""Whatever comes first ends the wait, and nothing runs on behind it."""

from __future__ import annotations

import asyncio

import pytest

from secproxy.edge.races import any_of, comes_first, first_end


def test_one_event_of_several_is_enough_and_none_of_them_is_waited_for_ever() -> None:
    """No wait is left over, whichever way it ends."""

    async def story() -> None:
        one, two = asyncio.Event(), asyncio.Event()
        await any_of(one, two, seconds=0.01)
        two.set()
        await any_of(one, two, seconds=3600)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(story())


def test_work_is_done_unless_something_else_comes_first() -> None:
    """Then it is cut off, and has ended before anybody goes on; what it raises is raised."""
    did: list[str] = []

    async def work(*, seconds: float = 0) -> None:
        try:
            await asyncio.sleep(seconds)
            did.append("done")
        finally:
            did.append("ended")

    async def fails() -> None:
        raise ConnectionError

    async def story() -> None:
        other: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        assert await comes_first(work(), other)
        with pytest.raises(ConnectionError):
            await comes_first(fails(), other)
        asyncio.get_running_loop().call_soon(other.set_result, 3)
        assert not await comes_first(work(seconds=3600), other)
        assert did == ["done", "ended", "ended"]

    asyncio.run(story())


def test_the_first_of_several_works_to_end_ends_them_all() -> None:
    """Whether it returns or raises; each has ended before anybody goes on."""
    ended: list[str] = []

    async def work(name: str, seconds: float, problem: Exception | None = None) -> None:
        try:
            await asyncio.sleep(seconds)
            if problem:
                raise problem
        finally:
            ended.append(name)

    async def story() -> None:
        await first_end(work("long", 3600), work("short", 0))
        with pytest.raises(ConnectionError):
            await first_end(work("fails", 0, ConnectionError()), work("long", 3600))
        assert ended == ["short", "long", "fails", "long"]

    asyncio.run(story())
