"""The supervisor's end of the claim lines, spoken to over its real socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import pytest

from secproxy.edge import claim_desk as module
from secproxy.edge import claim_wire as wire
from secproxy.edge import line_end
from secproxy.edge.claim_desk import ClaimDesk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CREDENTIAL = bytes(32)
OTHER = b"\x01" * 32
BOTH = {"connected": "00" * 8, "refused": "01" * 8}
NEVER = 3600.0


@dataclass
class Peer:
    """One worker as the desk sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, *words: wire.Word) -> None:
        self.writer.write(b"".join(map(line_end.line, words)))

    async def hear(self) -> wire.FromDesk:
        word: wire.FromDesk = msgspec.json.decode(await self.reader.readline(), type=wire.FromDesk)
        return word

    async def ended(self) -> bool:
        return await self.reader.read() == b""

    async def leave(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def peers(path: Path, count: int, *, probe_seconds: float = NEVER) -> AsyncIterator[list[Peer]]:
    """A desk and so many workers on the line to it."""
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(20):
        await stack.enter_async_context(ClaimDesk(probe_seconds, lambda _: None).open(path))
        found = [Peer(*await asyncio.open_unix_connection(path, limit=line_end.LINE_BYTES)) for _ in range(count)]
        for number, peer in enumerate(found):
            stack.push_async_callback(peer.leave)
            peer.say(wire.Hello(number))
        yield found


def test_a_free_station_is_granted_and_a_held_one_is_not(tmp_path: Path) -> None:
    """Another worker with another credential is refused at once."""

    async def story() -> None:
        async with peers(tmp_path / "s", 2) as (one, two):
            one.say(wire.Want(1, "CP-1", CREDENTIAL))
            assert await one.hear() == wire.Granted(1, 1)
            two.say(wire.Want(1, "CP-1", OTHER))
            assert await two.hear() == wire.Denied(1, "session.duplicate", BOTH)

    asyncio.run(story())


@pytest.mark.parametrize("alive", [True, False])
def test_the_holder_is_probed_before_its_station_may_come_again(tmp_path: Path, alive: bool) -> None:
    """A live holder keeps the connection, a dead one gives way."""

    async def story() -> list[wire.FromDesk]:
        async with peers(tmp_path / "s", 2) as (one, two):
            one.say(wire.Want(1, "CP-1", CREDENTIAL))
            await one.hear()
            two.say(wire.Want(9, "CP-1", CREDENTIAL))
            assert await one.hear() == wire.Probe(1)
            one.say(wire.Probed(1, alive))
            return [await two.hear(), *([] if alive else [await one.hear()])]

    expected = [wire.Denied(9, "session.duplicate")] if alive else [wire.Granted(9, 2), wire.Drop(1)]
    assert asyncio.run(story()) == expected


def test_a_probe_without_an_answer_counts_as_dead_and_a_late_answer_for_nothing(tmp_path: Path) -> None:
    """A worker that hangs cannot keep its station out."""

    async def story() -> None:
        async with peers(tmp_path / "s", 2, probe_seconds=0.01) as (one, two):
            one.say(wire.Want(1, "CP-1", CREDENTIAL))
            await one.hear()
            two.say(wire.Want(9, "CP-1", CREDENTIAL))
            assert [await one.hear(), await one.hear(), await two.hear()] == [
                wire.Probe(1), wire.Drop(1), wire.Granted(9, 2)
            ]  # fmt: skip
            one.say(wire.Probed(1, True), wire.Release(1), wire.Want(2, "CP-1", OTHER))
            assert await one.hear() == wire.Denied(2, "session.duplicate", BOTH)

    asyncio.run(story())


def test_a_worker_cannot_answer_for_another_ones_leg(tmp_path: Path) -> None:
    """Only the holder's word counts, whatever numbers others send."""

    async def story() -> None:
        async with peers(tmp_path / "s", 2) as (one, two):
            one.say(wire.Want(1, "CP-1", CREDENTIAL))
            await one.hear()
            two.say(wire.Want(9, "CP-1", CREDENTIAL))
            await one.hear()
            two.say(wire.Probed(1, False), wire.Release(1), wire.Want(10, "CP-1", CREDENTIAL))
            assert await two.hear() == wire.Denied(10, "session.duplicate")
            one.say(wire.Probed(1, True))
            assert await two.hear() == wire.Denied(9, "session.duplicate")

    asyncio.run(story())


def test_what_a_gone_worker_held_is_free(tmp_path: Path) -> None:
    """Its stations are let in elsewhere, without a probe."""

    async def story() -> None:
        async with peers(tmp_path / "s", 2) as (one, two):
            one.say(wire.Want(1, "CP-1", CREDENTIAL))
            await one.hear()
            two.say(wire.Want(1, "CP-1", CREDENTIAL))
            await one.hear()
            await one.leave()
            assert await two.hear() == wire.Granted(1, 2)

    asyncio.run(story())


@pytest.mark.parametrize(
    "junk",
    [b"junk\n", b'{"says":"granted","ticket":1,"leg":1}\n', b"x" * (2 * line_end.LINE_BYTES)],
    ids=["no JSON", "a desk's word", "no end"],
)
def test_a_line_that_cannot_be_read_ends_that_connection_alone(tmp_path: Path, junk: bytes) -> None:
    """The desk goes on for everybody else."""

    async def story() -> None:
        async with peers(tmp_path / "s", 2) as (one, two):
            one.say(wire.Want(1, "CP-1", CREDENTIAL))
            await one.hear()
            one.writer.write(junk)
            with contextlib.suppress(ConnectionError):
                assert await one.ended()
            two.say(wire.Want(1, "CP-1", OTHER))
            assert await two.hear() == wire.Granted(1, 2)

    asyncio.run(story())


def test_a_worker_that_does_not_read_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for it is bounded."""
    monkeypatch.setattr(module, "UNREAD_BYTES", 1000)

    async def story() -> None:
        async with peers(tmp_path / "s", 2) as (one, two):
            one.reader._transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport can
            one.say(*(wire.Want(number, "CP-1", CREDENTIAL) for number in range(1, 20_000)))
            while True:
                two.say(wire.Want(1, "CP-1", OTHER))
                if await two.hear() == wire.Granted(1, 2):
                    break

    asyncio.run(story())


def test_ready_is_told_with_the_workers_number(tmp_path: Path) -> None:
    """The supervisor learns who has opened its listeners."""

    async def story() -> wire.Mate:
        told: asyncio.Future[wire.Mate] = asyncio.get_running_loop().create_future()
        async with ClaimDesk(NEVER, told.set_result).open(tmp_path / "s"):
            peer = Peer(*await asyncio.open_unix_connection(tmp_path / "s"))
            peer.say(wire.Hello(5, 2), wire.Ready())
            mate = await asyncio.wait_for(told, 20)
            await peer.leave()
            return mate

    assert asyncio.run(story()) == wire.Mate(5, 2)


def test_the_socket_is_private_and_replaces_what_a_dead_desk_left(tmp_path: Path) -> None:
    """A socket file of an earlier run is no obstacle."""
    (tmp_path / "s").touch()

    async def story() -> int:
        async with ClaimDesk(NEVER, lambda _: None).open(tmp_path / "s"):
            return (tmp_path / "s").stat().st_mode & 0o777

    assert asyncio.run(story()) == 0o600


def test_workers_are_told_of_new_settings_and_each_is_heard(tmp_path: Path) -> None:
    """One that says nothing in time, and one that goes, hold nobody up; who is no worker is not told."""

    async def story() -> None:
        desk = ClaimDesk(NEVER, lambda _: None)
        async with asyncio.timeout(20), desk.open(tmp_path / "desk"):
            assert await desk.reload_workers(NEVER) == []
            found = [Peer(*await asyncio.open_unix_connection(tmp_path / "desk")) for _ in range(3)]
            for number, peer in enumerate(found):
                peer.say(wire.Hello(number), wire.Want(1, f"CP-{number}", CREDENTIAL))
                await peer.hear()
            asked = asyncio.ensure_future(desk.reload_workers(NEVER))
            for peer in found:
                assert await peer.hear() == wire.Reload()
            found[0].say(wire.Reloaded("up.address", "taken", "free it"))
            found[1].say(wire.Reloaded())
            await found[2].leave()
            assert await asked == [wire.Reloaded("up.address", "taken", "free it"), wire.Reloaded(), wire.Reloaded()]
            silent = await desk.reload_workers(0.01)
            assert [each.code for each in silent] == ["reload.silent", "reload.silent"]
            found[0].say(wire.Reloaded())  # too late: it counts for nothing
            for peer in found[:2]:
                await peer.leave()

    asyncio.run(story())


def test_a_command_that_asks_for_a_reload_hears_what_became_of_it(tmp_path: Path) -> None:
    """It is no worker, and holds nothing."""

    async def reload() -> wire.ReloadDone:
        return wire.ReloadDone((), "config.value", "wrong", "correct it")

    async def story() -> None:
        async with asyncio.timeout(20), ClaimDesk(NEVER, lambda _: None, reload).open(tmp_path / "desk"):
            peer = Peer(*await asyncio.open_unix_connection(tmp_path / "desk"))
            peer.say(wire.AskReload())
            assert await peer.hear() == wire.ReloadDone((), "config.value", "wrong", "correct it")
            await peer.leave()

    asyncio.run(story())


def test_attack_07_attempts_are_counted_across_workers_and_outlive_them(tmp_path: Path) -> None:
    """Five guesses by way of one worker and none by way of the next, also when the first has died meanwhile."""

    async def story() -> None:
        async with peers(tmp_path / "s", 2) as (one, two):
            for ticket in range(5):
                one.say(wire.Attempt(ticket, "CP-1", "192.0.2.1"))
                assert await one.hear() == wire.Tried(ticket)
            await one.leave()
            two.say(wire.Attempt(1, "CP-1", "192.0.2.1"), wire.Attempt(2, "CP-1", "192.0.2.2"))
            locked = await two.hear()
            assert isinstance(locked, wire.Tried)
            assert (locked.scope, locked.begun, locked.seconds > 0) == ("station", True, True)
            assert await two.hear() == wire.Tried(2)
            two.say(wire.Proved("CP-1", "192.0.2.1"), wire.Attempt(3, "CP-1", "192.0.2.1"))
            assert await two.hear() == wire.Tried(3)

    asyncio.run(story())


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
            while not (before._errands and _half(before)):  # noqa: ASYNC110 (nothing tells it)
                await asyncio.sleep(0.01)

            async with _after(before, tmp_path / "s") as after:
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


def spans(*texts: bytes) -> wire.Spans:
    """A worker's word of spans; the desk does not look into them."""
    return wire.Spans([msgspec.Raw(text) for text in texts])


async def taken(peer: Peer, sent: int = 0, dropped: int = 0) -> list[bytes]:
    """Take spans."""
    peer.say(wire.TakeSpans(sent, dropped))
    word = await peer.hear()
    assert isinstance(word, wire.SpansTaken)
    return [bytes(each) for each in word.spans]


async def counted(peer: Peer) -> dict[str, float]:
    """What the desk has counted."""
    peer.say(wire.Look())
    seen = await peer.hear()
    assert isinstance(seen, wire.Seen)
    return seen.counters


def test_spans_of_all_workers_wait_for_whoever_takes_them(tmp_path: Path) -> None:
    """Once each, a line at a time; what became of them is counted, also of a worker that is gone."""

    async def story() -> None:
        async with peers(tmp_path / "s", 3) as (one, two, web):
            long = b'"' + b"x" * 10_000 + b'"'
            one.say(spans(b"1", b"2"))
            await counted(one)
            two.say(spans(*[long] * 40))
            await counted(two)
            await one.leave()
            first = await taken(web)
            assert first == [b"1", b"2", *[long] * (len(first) - 2)]
            assert len(first) + len(await taken(web, len(first))) == 42
            assert await taken(web, 42 - len(first) - 1, 1) == []
            assert await counted(web) == {"spans_total sent": 41, "spans_total dropped": 1}

    asyncio.run(story())


def test_spans_that_nobody_takes_are_bounded_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No web process runs, or its collector is away: the supervisor goes on, with this much memory."""
    monkeypatch.setattr(module, "SPANS_BYTES", 10)

    async def story() -> None:
        async with peers(tmp_path / "s", 1) as (one,):
            for _ in range(3):
                one.say(spans(b"1", b"22"))
            assert await counted(one) == {"spans_total dropped": 2}
            assert await taken(one) == [b"1", b"22", b"1", b"22"]

    asyncio.run(story())


def test_what_was_counted_of_spans_goes_on_when_other_code_takes_over(tmp_path: Path) -> None:
    """A counter never falls; the spans that waited end with the code that ran, and are counted."""

    async def story() -> None:
        async with asyncio.timeout(20), contextlib.AsyncExitStack() as stack:
            before = ClaimDesk(NEVER, lambda _: None)
            await stack.enter_async_context(before.open(tmp_path / "s"))
            one = Peer(*await asyncio.open_unix_connection(tmp_path / "s"))
            one.say(spans(b"1", b"2"), wire.TakeSpans(5))
            await one.hear()
            one.say(spans(b"3"))
            assert await counted(one) == {"spans_total sent": 5}
            async with _after(before, tmp_path / "s"):
                assert await taken(one, 2) == []
                assert await counted(one) == {"spans_total sent": 7, "spans_total dropped": 1}
                await one.leave()

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
            async with _after(before, tmp_path / "s", probe_seconds=0.01):
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
            while not before._errands:  # noqa: ASYNC110 (nothing tells it)
                await asyncio.sleep(0.01)
            async with _after(before, tmp_path / "s") as after:
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


@contextlib.asynccontextmanager
async def _after(before: ClaimDesk, path: Path, probe_seconds: float = NEVER) -> AsyncIterator[ClaimDesk]:
    """A desk in another's place. Both live in this process, so it has descriptors of its own for the same sockets."""
    left = before.hand_over()
    lines = [msgspec.structs.replace(line, descriptor=os.dup(line.descriptor)) for line in left.lines]
    kept = msgspec.structs.replace(left, lines=lines, listening=os.dup(left.listening))
    for line in (*before._lines.values(), *before._silent.values()):
        assert line._transport
        line._transport.pause_reading()
    told = msgspec.json.decode(msgspec.json.encode(kept), type=module.Kept)

    async def reload() -> wire.ReloadDone:
        return wire.ReloadDone(("web",))

    after = ClaimDesk(probe_seconds, lambda _: None, reload, kept=told)
    async with after.open(path):
        yield after
