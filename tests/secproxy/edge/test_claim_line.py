"""A worker's line to the supervisor's desk, both real."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pki.errors import ConflictError, UnreachableError
from secproxy.edge import claim_line
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.claim_line import ClaimLine
from secproxy.edge.claim_wire import Bequeath, Mate, Reloaded
from tests.secproxy.edge.homes import bare_home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from pki.edge.home import Home

CREDENTIAL = bytes(32)
OTHER = b"\x01" * 32


async def alive(leg: int) -> bool:
    return True


async def dead(leg: int) -> bool:
    return False


async def failing(leg: int) -> bool:
    raise OSError("the socket is gone")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return bare_home(tmp_path / "h")


@contextlib.asynccontextmanager
async def desk(home: Home, ready: Callable[[Mate], None] = lambda _: None) -> AsyncIterator[None]:
    async with asyncio.timeout(20), ClaimDesk(3600, ready).open(home.claims_socket):
        yield


@contextlib.asynccontextmanager
async def line(
    home: Home,
    worker: int = 0,
    probe: Callable[[int], Awaitable[bool]] = alive,
    drop: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[ClaimLine]:
    made = await ClaimLine.connect(home, worker, probe, drop)
    try:
        yield made
    finally:
        await made.close()


def test_a_claim_returns_its_leg_and_a_second_one_is_refused(home: Home) -> None:
    """The refusal names the event that the worker writes."""

    async def story() -> None:
        async with desk(home), line(home) as one, line(home, 1) as two:
            assert await one.claim("CP-1", CREDENTIAL) == 1
            assert await two.claim("CP-2", CREDENTIAL) == 2
            with pytest.raises(ConflictError) as caught:
                await two.claim("CP-1", OTHER)
            assert caught.value.code == "session.duplicate"

    asyncio.run(story())


def test_a_released_station_can_come_again(home: Home) -> None:
    """Release is by leg, and needs no answer."""

    async def story() -> None:
        async with desk(home), line(home) as one:
            one.release(await one.claim("CP-1", CREDENTIAL))
            assert await one.claim("CP-1", OTHER) == 2

    asyncio.run(story())


def test_a_live_station_is_not_replaced(home: Home) -> None:
    """The same credential from elsewhere waits for the probe and is refused."""

    async def story() -> None:
        async with desk(home), line(home, 0, alive) as one, line(home, 1) as two:
            await one.claim("CP-1", CREDENTIAL)
            with pytest.raises(ConflictError):
                await two.claim("CP-1", CREDENTIAL)

    asyncio.run(story())


@pytest.mark.parametrize("probe", [dead, failing])
def test_a_dead_station_is_dropped_and_replaced(home: Home, probe: Callable[[int], Awaitable[bool]]) -> None:
    """A probe that fails in any way means dead; the old leg is told to end."""

    async def story() -> None:
        dropped: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with desk(home), line(home, 0, probe, dropped.set_result) as one, line(home, 1) as two:
            leg = await one.claim("CP-1", CREDENTIAL)
            assert await two.claim("CP-1", CREDENTIAL) == 2
            assert await dropped == leg

    asyncio.run(story())


def test_a_claim_given_up_meanwhile_is_released_when_it_is_granted(home: Home) -> None:
    """A station that hung up while it waited blocks nobody."""

    async def story() -> None:
        probed = asyncio.Event()
        goes = asyncio.Event()

        async def slow(leg: int) -> bool:
            probed.set()
            await goes.wait()
            return False

        async with desk(home), line(home, 0, slow) as one, line(home, 1) as two:
            await one.claim("CP-1", CREDENTIAL)
            waiting = asyncio.create_task(two.claim("CP-1", CREDENTIAL))
            await probed.wait()
            waiting.cancel()
            await asyncio.wait({waiting})
            goes.set()
            while True:
                with contextlib.suppress(ConflictError):
                    assert await two.claim("CP-1", OTHER) == 3
                    break

    asyncio.run(story())


def test_when_the_supervisor_goes_every_claim_fails_and_the_worker_learns_of_it(home: Home) -> None:
    """Without the desk nobody knows who is connected where, so nobody is let in."""

    async def story() -> None:
        asked = asyncio.Event()

        async def hanging(leg: int) -> bool:
            asked.set()
            await asyncio.Event().wait()
            return True

        async with contextlib.AsyncExitStack() as supervisor:
            await supervisor.enter_async_context(desk(home))
            made = await ClaimLine.connect(home, 0, hanging, lambda _: None)
            await made.claim("CP-1", CREDENTIAL)
            waiting = asyncio.create_task(made.claim("CP-1", CREDENTIAL))
            await asked.wait()
        await made.closed()
        for claim in (waiting, made.claim("CP-2", CREDENTIAL)):
            with pytest.raises(UnreachableError):
                await claim

    asyncio.run(asyncio.wait_for(story(), 20))


def test_without_a_supervisor_there_is_no_line(home: Home) -> None:
    """The advice says what to start."""

    async def story() -> None:
        with pytest.raises(UnreachableError) as caught:
            await ClaimLine.connect(home, 0, alive, lambda _: None)
        assert "bollard up" in caught.value.advice

    asyncio.run(story())


def test_a_worker_tells_when_its_listeners_are_open(home: Home) -> None:
    """Its number and its generation go with it."""

    async def story() -> Mate:
        told: asyncio.Future[Mate] = asyncio.get_running_loop().create_future()
        async with desk(home, told.set_result), line(home, 4) as one:
            one.ready()
            return await told

    assert asyncio.run(story()) == Mate(4)


def test_attack_03_a_leg_that_is_dropped_or_released_is_held_no_more(home: Home) -> None:
    """Row 3: whoever is still making a connection of it asks, and gives up."""

    async def story() -> None:
        async with desk(home), line(home, 0, dead) as one, line(home, 1) as two:
            first = await one.claim("CP-1", CREDENTIAL)
            assert one.holds(first)
            second = await two.claim("CP-1", CREDENTIAL)
            assert (one.holds(first), two.holds(second)) == (False, True)
            two.release(second)
            assert not two.holds(second)

    asyncio.run(story())


def test_who_comes_back_before_its_end_was_told_is_let_in_at_once(home: Home) -> None:
    """A release may wait for company; whoever is asked for a sign of life of such a leg tells it first."""

    async def story() -> None:
        async with desk(home), line(home, 0, alive) as one, line(home, 1) as two:
            leg = await one.claim("CP-1", CREDENTIAL)
            one.release(leg)
            assert await two.claim("CP-1", CREDENTIAL) > leg
            with pytest.raises(ConflictError):
                await one.claim("CP-1", OTHER)

    asyncio.run(story())


def test_releases_that_claims_take_along_leave_one_timer_behind_them(home: Home) -> None:
    """Stations that come and go wake the supervisor once each, for their claim."""

    async def story() -> list[float]:
        loop, timers = asyncio.get_running_loop(), list[float]()
        call_later = loop.call_later

        def noted(delay: float, *rest: Any) -> asyncio.TimerHandle:
            timers.append(delay)
            return call_later(delay, *rest)

        async with desk(home), line(home, 0) as one:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(claim_line, "RELEASE_SECONDS", 3600.0)
                patch.setattr(loop, "call_later", noted)
                for _ in range(10):
                    one.release(await one.claim("CP-1", CREDENTIAL))
        return [delay for delay in timers if delay == 3600.0]

    assert asyncio.run(story()) == [3600.0]


def test_a_worker_tells_its_generation_and_hears_that_others_take_its_place(home: Home) -> None:
    """Once it has what it needs but sockets, when it has opened, and when it accepts no more."""

    async def story() -> None:
        told = asyncio.Queue[tuple[str, Mate]]()

        def tell(what: str) -> Callable[[Mate], None]:
            return lambda mate: told.put_nowait((what, mate))

        made = ClaimDesk(3600, tell("open"), prepared=tell("prepared"), shut=tell("shut"))
        async with asyncio.timeout(20), made.open(home.claims_socket):
            one = await ClaimLine.connect(home, 1, alive, lambda _: None, 2)
            retired = asyncio.Event()
            one.retire = retired.set
            one.prepared()
            one.ready()
            assert [await told.get(), await told.get()] == [("prepared", Mate(1, 2)), ("open", Mate(1, 2))]
            made.retire(Mate(1, 1))
            made.retire(Mate(1, 2))
            await retired.wait()
            one.shut()
            assert await told.get() == ("shut", Mate(1, 2))
            await one.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("problem", "answer"),
    [
        (None, Reloaded()),
        (ConflictError("up.address", "it is taken", "Free it."), Reloaded("up.address", "it is taken", "Free it.")),
    ],
    ids=["taken in", "refused"],
)
def test_new_settings_are_answered_once_they_hold_for_everybody(
    home: Home, problem: ConflictError | None, answer: Reloaded
) -> None:
    """Other words are heard meanwhile."""

    async def story() -> None:
        made, go, begun = ClaimDesk(3600, lambda _: None), asyncio.Event(), asyncio.Event()

        async def take() -> None:
            begun.set()
            await go.wait()
            if problem is not None:
                raise problem

        async with asyncio.timeout(20), made.open(home.claims_socket):
            one = await ClaimLine.connect(home, 1, alive, lambda _: None)
            one.reload = take
            await one.attempt("CP-1", "192.0.2.1")
            asked = asyncio.ensure_future(made.reload_workers(3600))
            await begun.wait()
            await one.attempt("CP-1", "192.0.2.1")
            assert not asked.done()
            go.set()
            assert await asked == [answer]
            await one.close()

    asyncio.run(story())


def test_a_fault_while_settings_are_taken_in_ends_the_worker(home: Home) -> None:
    """Nobody knows then whom they hold for; it is started again and reads them anew."""

    async def take() -> None:
        raise ZeroDivisionError

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        made = ClaimDesk(3600, lambda _: None)
        async with asyncio.timeout(20), made.open(home.claims_socket):
            one = await ClaimLine.connect(home, 1, alive, lambda _: None)
            one.reload = take
            await one.attempt("CP-1", "192.0.2.1")
            asked = asyncio.ensure_future(made.reload_workers(3600))
            await one.closed()
            await asked

    asyncio.run(story())


def test_what_a_worker_knows_comes_to_its_heir(home: Home) -> None:
    """Once it has heard that there is one, and what that one reads."""

    async def story() -> None:
        told = asyncio.Queue[Bequeath]()
        made = ClaimDesk(3600, lambda _: None)
        async with asyncio.timeout(20), made.open(home.claims_socket):
            old = await ClaimLine.connect(home, 1, alive, lambda _: None, 1)
            new = await ClaimLine.connect(home, 1, alive, lambda _: None, 2)
            new.inherit = told.put_nowait
            await new.attempt("CP-1", "192.0.2.1")
            retired = asyncio.Event()
            old.retire = retired.set
            await old.attempt("CP-1", "192.0.2.1")
            made.retire(Mate(1, 1), 5)
            await retired.wait()
            assert (old.heir, new.heir) == (5, 0)
            old.bequeath(Bequeath(5, msgspec.Raw(b"[1]")))
            word = await told.get()
            assert (word.form, bytes(word.known)) == (5, b"[1]")
            await old.close()
            await new.close()

    asyncio.run(story())


def test_attack_07_an_attempt_is_answered_and_its_outcome_counts(home: Home) -> None:
    """Five wrong ones and there is a wait, for both workers; the right one elsewhere is not stopped."""

    async def story() -> None:
        async with desk(home), line(home) as one, line(home, 1) as two:
            for _ in range(5):
                assert await one.attempt("CP-1", "192.0.2.1") is None
                one.tried("CP-1", "192.0.2.1", right=False)
            wait = await two.attempt("CP-1", "192.0.2.1")
            assert wait is not None
            assert (wait.scope.value, wait.begun) == ("station", True)
            assert await two.attempt("CP-1", "192.0.2.2") is None
            two.tried("CP-1", "192.0.2.1", right=True)
            assert await two.attempt("CP-1", "192.0.2.1") is None

    asyncio.run(story())


def test_when_the_supervisor_goes_an_attempt_fails(home: Home) -> None:
    """Nobody would count it, so nobody may make it."""

    async def story() -> None:
        async with contextlib.AsyncExitStack() as supervisor:
            await supervisor.enter_async_context(desk(home))
            made = await ClaimLine.connect(home, 0, alive, lambda _: None)
            assert await made.attempt("CP-1", "192.0.2.1") is None
        await made.closed()
        with pytest.raises(UnreachableError):
            await made.attempt("CP-1", "192.0.2.1")

    asyncio.run(asyncio.wait_for(story(), 20))
