"""A desk goes on where another ended, by what that one handed over."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from secproxy import claims
from secproxy.edge import claim_wire as wire
from secproxy.edge import line_end
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.claim_estate import Kept
from tests.secproxy.edge.desks import BOTH, CREDENTIAL, NEVER, OTHER, Peer, heir

if TYPE_CHECKING:
    from pathlib import Path


def test_a_desk_that_follows_another_goes_on_where_it_ended(tmp_path: Path) -> None:
    """Lines, claims, half a word, attempts, a newcomer who waits, commands: nobody at the other end notices."""

    async def story() -> None:
        async with asyncio.timeout(20), contextlib.AsyncExitStack() as stack:
            before = ClaimDesk(NEVER, lambda _: None, _never)
            await stack.enter_async_context(before.open(tmp_path / "s"))
            one, two, command = [Peer(*await asyncio.open_unix_connection(tmp_path / "s")) for _ in range(3)]
            one.say(wire.Hello(0), wire.Ready(), wire.Want(1, "CP-1", CREDENTIAL), wire.Report({"a": 2}, {}))
            two.say(wire.Hello(0, 2), *(wire.Attempt(n, "CP-2", "192.0.2.1") for n in range(5)))
            assert await one.hear() == wire.Granted(1, 1)
            assert [await two.hear() for _ in range(5)] == [wire.Tried(n) for n in range(5)]
            two.say(wire.Want(9, "CP-1", CREDENTIAL))
            assert await one.hear() == wire.Probe(1)
            whole = line_end.line(wire.Release(1))
            one.writer.write(whole[:7])
            command.say(wire.AskReload())
            while not (before._errands.under_way() and _half(before)):  # noqa: ASYNC110 (nothing tells it)
                await asyncio.sleep(0.01)

            async with heir(before, tmp_path / "s") as after:
                assert await command.hear() == wire.ReloadDone(("web",))
                two.say(wire.Attempt(6, "CP-2", "192.0.2.1"))
                locked = await two.hear()
                assert isinstance(locked, wire.Tried)
                assert locked.scope == "station"
                one.writer.write(whole[7:])
                assert await two.hear() == wire.Granted(9, 2)
                one.say(wire.Want(2, "CP-1", OTHER))
                assert await one.hear() == wire.Denied(2, "session.duplicate", BOTH)
                assert (after.seen().open, after.seen().counters) == ([0], {"a": 2})
                for peer in (one, two, command):
                    await peer.leave()

    asyncio.run(story())


def test_a_probe_that_the_former_desk_began_has_an_end(tmp_path: Path) -> None:
    """A holder that says nothing to the new one either counts as dead."""

    async def story() -> None:
        async with asyncio.timeout(20), contextlib.AsyncExitStack() as stack:
            before = ClaimDesk(NEVER, lambda _: None)
            await stack.enter_async_context(before.open(tmp_path / "s"))
            one, two = [Peer(*await asyncio.open_unix_connection(tmp_path / "s")) for _ in range(2)]
            one.say(wire.Want(1, "CP-1", CREDENTIAL))
            await one.hear()
            two.say(wire.Want(9, "CP-1", CREDENTIAL))
            assert await one.hear() == wire.Probe(1)
            async with heir(before, tmp_path / "s", probe_seconds=0.01):
                assert [await one.hear(), await two.hear()] == [wire.Drop(1), wire.Granted(9, 2)]
                for peer in (one, two):
                    await peer.leave()

    asyncio.run(story())


def test_who_asked_for_the_upgrade_is_answered_by_the_desk_that_came_of_it(tmp_path: Path) -> None:
    """It asked the one before."""

    async def story() -> None:
        async with asyncio.timeout(20), contextlib.AsyncExitStack() as stack:
            before = ClaimDesk(NEVER, lambda _: None, upgrade=_never_upgraded)
            await stack.enter_async_context(before.open(tmp_path / "s"))
            command = Peer(*await asyncio.open_unix_connection(tmp_path / "s"))
            command.say(wire.AskUpgrade())
            while not before._errands.under_way():  # noqa: ASYNC110 (nothing tells it)
                await asyncio.sleep(0.01)
            async with heir(before, tmp_path / "s") as after:
                after.answer_upgrade(wire.UpgradeDone(2, "2.0"))
                assert await command.hear() == wire.UpgradeDone(2, "2.0")
                await command.leave()

    asyncio.run(story())


def _half(desk: ClaimDesk) -> bool:
    """Whether half a word was heard."""
    return any(line.rest for line in desk._lines.values())


async def _never() -> wire.ReloadDone:
    await asyncio.Event().wait()
    raise AssertionError


async def _never_upgraded(_: wire.AskUpgrade) -> wire.UpgradeDone:
    await asyncio.Event().wait()
    raise AssertionError


def test_what_an_older_desk_does_not_know_of_is_as_for_the_first() -> None:
    """A field that was added since has what a desk begins with; nothing of one goes into another."""
    told = msgspec.json.encode(Kept(listening=7, connections=3))
    fields = msgspec.json.decode(told)
    del fields["upgrades"], fields["errands"], fields["lockouts"]
    assert msgspec.json.decode(msgspec.json.encode(fields), type=Kept) == Kept(listening=7, connections=3)
    Kept().claims.tell(claims.Wanted(1, 1, "CP-1", CREDENTIAL), 0.0)
    assert Kept().claims.tell(claims.Wanted(2, 1, "CP-1", OTHER), 0.0) == [claims.Grant(2, 1, 1)]
