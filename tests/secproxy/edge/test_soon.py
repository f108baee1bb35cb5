"""What many need is done a few at a time, soon, and for each by what holds then."""

from __future__ import annotations

import asyncio

import pytest

from secproxy.edge import soon
from secproxy.edge.soon import FEW, Soon

MANY = 3 * FEW


@pytest.fixture
def one_in_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds that are over as soon as they have begun."""
    monkeypatch.setattr(soon, "ROUND_SECONDS", 0.0)


@pytest.mark.usefixtures("one_in_a_round")
def test_a_few_have_it_now_and_many_a_few_in_each_round() -> None:
    """In the order of asking; everybody else has a turn between, and whoever waits for the end hears of it."""

    async def story() -> None:
        seen, live = list[int](), list[int]()
        work, loop = Soon(seen.append), asyncio.get_running_loop()

        def others() -> None:
            live.append(len(seen))
            if len(seen) < MANY:
                loop.call_soon(others)

        work.ask(range(FEW))
        assert seen == [*range(FEW)]
        await work.done()
        seen.clear()
        work.ask(range(MANY))
        loop.call_soon(others)
        await work.done()
        assert seen == [*range(MANY)]
        assert set(live) == {*range(MANY + 1)} - {0}

    asyncio.run(story())


def test_whoever_is_asked_for_with_few_others_does_not_wait_behind_many() -> None:
    """And has it once."""

    async def story() -> None:
        seen = list[int]()
        work = Soon(seen.append)
        work.ask(range(MANY))
        work.ask([MANY - 1])
        assert seen == [MANY - 1]
        await work.done()
        assert sorted(seen) == [*range(MANY)]

    asyncio.run(story())


@pytest.mark.usefixtures("one_in_a_round")
@pytest.mark.parametrize("after", [0, 1, MANY - 1, MANY, MANY + 1])
def test_what_is_asked_in_between_is_done_for_all_once_more(after: int) -> None:
    """By what holds then: nobody is left with what held before, however far the work has come."""

    async def story() -> None:
        had, holds = dict[int, int](), 1
        work = Soon[int](lambda each: had.update({each: holds}))
        work.ask(range(MANY))
        for _ in range(after):
            await asyncio.sleep(0)
        first = asyncio.ensure_future(work.done())
        holds = 2
        work.ask(range(MANY))
        await asyncio.gather(first, work.done())
        assert had == dict.fromkeys(range(MANY), 2)

    asyncio.run(story())


@pytest.mark.usefixtures("one_in_a_round")
def test_when_it_has_taken_long_rounds_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that has much to do else would otherwise leave one connected that has to go."""
    monkeypatch.setattr(soon, "SOON_SECONDS", -1.0)
    monkeypatch.setattr(soon, "LONG_SECONDS", 60.0)

    async def story() -> None:
        seen = list[int]()
        Soon(seen.append).ask(range(MANY))
        await asyncio.sleep(0)
        assert len(seen) == MANY

    asyncio.run(story())


def test_a_fault_with_one_keeps_nobody_else_from_it() -> None:
    """It is told, as every fault is."""

    async def story() -> None:
        seen, faults = list[int](), list[str]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(repr(context["exception"])))

        def work(each: int) -> None:
            if each in {0, MANY - 1}:
                raise ValueError(each)
            seen.append(each)

        many = Soon(work)
        many.ask(range(MANY))
        await many.done()
        assert seen == [*range(1, MANY - 1)]
        assert faults == ["ValueError(0)", f"ValueError({MANY - 1})"]

    asyncio.run(story())


def test_the_work_of_one_may_be_that_of_others() -> None:
    """Who ends takes another with it; whoever gave up waiting for the end is told nothing."""

    async def story() -> None:
        seen = list[int]()

        def work(each: int) -> None:
            seen.append(each)
            if each == 0:
                many.ask(range(1, FEW))
                waiting.cancel()

        many = Soon(work)
        many.ask(range(MANY))
        waiting = asyncio.ensure_future(many.done())
        await asyncio.sleep(0)
        await many.done()
        assert seen == [*range(MANY)]

    asyncio.run(story())
