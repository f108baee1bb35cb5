"""The supervisor's end of the claim lines, spoken to over its real socket."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from secproxy.edge import claim_desk as module
from secproxy.edge import claim_wire as wire
from secproxy.edge import line_end
from secproxy.edge.claim_desk import ClaimDesk
from tests.secproxy.edge.desks import BOTH, CREDENTIAL, NEVER, OTHER, Peer, peers

if TYPE_CHECKING:
    from pathlib import Path


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


def test_what_a_worker_bequeaths_goes_to_the_later_one_of_its_number_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was written; not back, and not to one that has not read for long, which loses no more by it."""
    known = wire.Bequeath(7, msgspec.Raw(b'{"what":["it",  "is"]}'))

    async def story() -> None:
        async with peers(tmp_path / "s", 4) as (zero, other, heir, command):
            other.say(wire.Hello(1, 2), wire.Look())
            heir.say(wire.Hello(0, 2), wire.Look())
            for peer in (other, heir):
                assert isinstance(await peer.hear(), wire.Seen)
            zero.say(known, wire.Look())
            heard = await heir.hear()
            assert isinstance(heard, wire.Bequeath)
            assert (heard.form, bytes(heard.known)) == (7, bytes(known.known))
            heir.say(known)
            monkeypatch.setattr(module, "BEQUEST_BYTES", 0)
            zero.say(known)
            for peer in (zero, other, heir, command):
                peer.say(wire.Look())
                assert isinstance(await peer.hear(), wire.Seen)

    asyncio.run(story())
