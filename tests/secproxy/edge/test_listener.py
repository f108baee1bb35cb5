"""The door: how many may stand in it, and what happens when it is closed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pki.station import SecurityProfile
from secproxy.config import ListenerConfig, write_address
from secproxy.edge.listener import Doorway, Listener, Slots
from secproxy.edge.sockets import make
from secproxy.edge.tls_context import server_context
from tests.secproxy.edge.doors import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def open_doorway(each: int = 9, queue: int = 9, crowded: Callable[[str], None] = print) -> Doorway:
    """A doorway with room."""
    return Doorway(each, queue, crowded)


def _begin(begun: list[str], name: str) -> bool:
    begun.append(name)
    return True


def listener(
    slots: Slots,
    arrive: Callable[[Listener, socket.socket, str], Awaitable[None]],
    doorway: Doorway | None = None,
    sockets: dict[int, socket.socket] | None = None,
) -> Listener:
    """A listener on a port of the system's choice, or on sockets that are handed to it."""
    config = ListenerConfig("127.0.0.1", 0, SecurityProfile.TLS_BASIC)
    context = server_context(CREDENTIALS, [], mutual=False)
    return Listener(config, context, slots, doorway or open_doorway(), arrive, sockets=sockets)


def test_slots_run_out_and_come_back() -> None:
    """What is waiting for a slot is told once there is one."""
    slots, told = Slots(2), []

    assert [slots.take(), slots.take(), slots.take()] == [True, True, False]
    slots.when_free(lambda: told.append("free"))
    slots.give()
    assert told == ["free"]
    assert slots.take() is True


def test_attack_12_no_more_than_the_allowed_stand_in_the_doorway() -> None:
    """Row 12: the third of three callers waits, unread, until one of the first two has left."""

    async def story() -> None:
        slots, come, leave = Slots(2), asyncio.Queue[str](), asyncio.Event()

        async def arrive(_: Listener, sock: socket.socket, remote: str) -> None:
            await come.put(remote)
            await leave.wait()
            sock.close()
            slots.give()

        opened = listener(slots, arrive)
        callers = [socket.create_connection(("127.0.0.1", opened.port)) for _ in range(3)]
        seen = [await come.get(), await come.get()]
        assert come.empty()
        leave.set()
        seen.append(await come.get())
        assert sorted(seen) == sorted(f"127.0.0.1:{caller.getsockname()[1]}" for caller in callers)
        opened.close()
        for caller in callers:
            caller.close()

    asyncio.run(asyncio.wait_for(story(), 10))


def test_a_closed_door_refuses_and_gives_up_who_stands_in_it() -> None:
    """An arrival under way is cancelled; nobody new gets in."""

    async def story() -> None:
        come, gone = asyncio.Event(), asyncio.Event()

        async def arrive(_: Listener, sock: socket.socket, __: str) -> None:
            come.set()
            with contextlib.closing(sock):
                try:
                    await asyncio.Event().wait()
                finally:
                    gone.set()

        opened = listener(Slots(2), arrive)
        with socket.create_connection(("127.0.0.1", opened.port)):
            await come.wait()
            port = opened.port
            opened.close()
            await gone.wait()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))

    asyncio.run(asyncio.wait_for(story(), 10))


def test_attack_12_one_network_has_its_share_and_no_more() -> None:
    """Row 12: beyond the share they queue, beyond the queue they are shown the door, told once; others come in."""
    begun, crowded = list[str](), list[str]()
    doorway = Doorway(2, 1, crowded.append)

    def come(address: str, name: str) -> bool:
        return doorway.enter(address, partial(_begin, begun, name))

    assert [come("192.0.2.1", name) for name in "abcde"] == [True, True, True, False, False]
    assert come("192.0.2.2", "other") is True
    assert (begun, crowded) == (["a", "b", "other"], ["192.0.2.1"])
    doorway.leave("192.0.2.1")
    assert begun[-1] == "c"


def test_attack_12_all_addresses_of_one_ipv6_host_are_one_network() -> None:
    """Row 12: a host has 2^64 addresses to come from; its /64 has one share."""
    doorway = Doorway(1, 0, lambda _: None)
    assert [doorway.enter(f"2001:db8::{n}", lambda: True) for n in (1, 2)] == [True, False]
    assert doorway.enter("2001:db8:0:1::1", lambda: True) is True


def test_those_who_have_gone_while_they_waited_are_passed_over() -> None:
    """However many waited behind a closed door, the share is free again."""
    doorway = Doorway(1, 999, lambda _: None)
    doorway.enter("192.0.2.1", lambda: True)
    for _ in range(999):
        doorway.enter("192.0.2.1", lambda: False)
    doorway.leave("192.0.2.1")
    begun = list[str]()
    assert doorway.enter("192.0.2.1", partial(_begin, begun, "next")) is True
    assert begun == ["next"]


def test_who_was_accepted_still_comes_in_after_a_door_was_shut() -> None:
    """Also whoever only waits for one before; those who knock later meet the next holder of the socket."""

    async def story() -> None:
        slots, come, leave = Slots(2), asyncio.Queue[str](), asyncio.Event()

        async def arrive(_: Listener, sock: socket.socket, remote: str) -> None:
            await come.put(remote)
            await leave.wait()
            sock.close()
            slots.give()

        with make("127.0.0.1", 0, shared=True) as mine:
            opened = listener(slots, arrive, open_doorway(each=1), {0: mine.dup()})
            with contextlib.ExitStack() as stack:
                address = mine.getsockname()
                callers = [stack.enter_context(socket.create_connection(address)) for _ in range(2)]
                first = await come.get()
                while not opened._doorway._crowds["127.0.0.1"].queue:  # noqa: ASYNC110 (nothing tells it)
                    await asyncio.sleep(0.01)
                opened.shut()
                late = stack.enter_context(socket.create_connection(address))
                emptied = asyncio.ensure_future(opened.emptied())
                leave.set()
                assert {first, await come.get()} == {write_address(*each.getsockname()) for each in callers}
                await emptied
                assert come.empty()
                following = listener(Slots(2), arrive, sockets={0: mine.dup()})
                assert await come.get() == write_address(*late.getsockname())
                following.close()
                opened.close()

    asyncio.run(asyncio.wait_for(story(), 20))


def test_a_door_accepts_from_the_sockets_that_it_was_handed_last() -> None:
    """One that it has already stays open, one that it is not handed again is left to others."""

    async def story() -> None:
        come = asyncio.Queue[str]()

        async def arrive(_: Listener, sock: socket.socket, remote: str) -> None:
            sock.close()
            await come.put(remote)

        with make("127.0.0.1", 0, shared=True) as one, make("127.0.0.1", 0, shared=True) as two:
            opened = listener(Slots(9), arrive, sockets={0: one.dup()})
            opened.accept_from({0: one.dup(), 1: two.dup()})
            for sock in (one, two):
                with socket.create_connection(sock.getsockname()) as caller:
                    assert await come.get() == write_address(*caller.getsockname())
            opened.accept_from({1: two.dup()})
            with socket.create_connection(one.getsockname()), socket.create_connection(two.getsockname()) as caller:
                assert await come.get() == write_address(*caller.getsockname())
                assert come.empty()
            opened.close()

    asyncio.run(asyncio.wait_for(story(), 20))
