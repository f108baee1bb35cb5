"""The doors of a worker: which of them are open, on which sockets, and what whoever comes meets there."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.errors import ConflictError, UnreachableError
from pki.names import Host
from pki.station import SecurityProfile
from secproxy.config import Config, Limits, ListenerConfig, WebConfig
from secproxy.edge.doors import Doors
from secproxy.edge.sockets import Hatch, Place, hand, make, pair
from secproxy.edge.staples import Staples
from tests.certs import NOW, Party
from tests.secproxy.edge.doors import CREDENTIALS, ROOT, known
from tests.worlds import free_port

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from secproxy.edge.listener import Listener
    from secproxy.events import Note

MUTUAL, BASIC = SecurityProfile.MUTUAL_TLS, SecurityProfile.TLS_BASIC
TOLD = calls.Snapshot("Example Charging", "localhost", (), (), (), ())


def settings(*ports: int, profile: SecurityProfile = BASIC) -> Config:
    """Settings with a listener at each of these ports."""
    listeners = tuple(ListenerConfig("127.0.0.1", port, profile) for port in ports)
    return Config(Host.parse("localhost"), (), listeners, WebConfig("127.0.0.1", 0, "https://localhost:1"), 1)


class House:
    """Doors, and who has come in through them."""

    def __init__(self, config: Config) -> None:
        self.come: asyncio.Queue[str] = asyncio.Queue()
        self.go = asyncio.Event()
        self.given_up: list[str] = []
        self.notes: list[Note] = []
        self.doors = Doors(config, known(), (CREDENTIALS, TOLD), Staples(self._answer), self._arrive, self.notes.append)

    async def _answer(self, _: bytes) -> calls.OcspAnswer:
        raise UnreachableError("authority.unreachable", "nobody is asked here")

    async def _arrive(self, listener: Listener, sock: socket.socket, _: str) -> None:
        self.come.put_nowait(f"{listener.config.port}")
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.given_up.append(f"{listener.config.port}")
            raise
        finally:
            sock.close()
            self.doors.slots.give()

    async def end(self) -> None:
        """Close them once everybody is in who knocked."""
        self.go.set()
        self.doors.shut()
        await self.doors.emptied(20)
        self.doors.close()


def is_open(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
    except ConnectionRefusedError:
        return False
    return True


def run(story: Coroutine[object, object, None]) -> None:
    """Run a story to its end."""
    asyncio.run(asyncio.wait_for(story, 20))


def test_doors_whose_settings_stay_stay_open_while_others_come_and_go() -> None:
    """Nobody who waits in one that stays is turned away; the new ones are open before the old ones are closed."""
    stays, goes, comes = free_port(), free_port(), free_port()

    async def story() -> None:
        house = House(settings(stays, goes))
        house.doors.open()
        waiting, kept = socket.create_connection(("127.0.0.1", stays), 10), house.doors._listeners[0]
        with house.doors.changing(settings(stays, comes)):
            assert [is_open(port) for port in (stays, goes, comes)] == [True, True, True]
        assert [is_open(port) for port in (stays, goes, comes)] == [True, False, True]
        assert await house.come.get() == str(stays)
        assert kept in house.doors._listeners
        waiting.close()
        await house.end()
        assert [is_open(port) for port in (stays, comes)] == [False, False]

    run(story())


def test_whatever_else_fails_leaves_the_doors_as_they_were() -> None:
    """A CSMS that cannot be reached with its files, say: the new doors are closed, the old ones never were."""
    stays, comes = free_port(), free_port()

    async def story() -> None:
        house = House(settings(stays))
        house.doors.open()
        with pytest.raises(ConflictError, match="no such file"), house.doors.changing(settings(comes)):
            raise ConflictError("upstream.file", "no such file")
        assert [is_open(port) for port in (stays, comes)] == [True, False]
        await house.end()

    run(story())


def test_a_new_door_that_cannot_be_opened_changes_none() -> None:
    """Neither those there are nor another new one, which is closed again."""
    stays, comes, taken = free_port(), free_port(), free_port()

    async def story() -> None:
        house = House(settings(stays))
        house.doors.open()
        with (
            socket.create_server(("127.0.0.1", taken)),
            pytest.raises(ConflictError) as refused,
            house.doors.changing(settings(stays, comes, taken)),
        ):
            raise AssertionError
        assert refused.value.code == "up.address"
        assert [is_open(port) for port in (stays, comes)] == [True, False]
        await house.end()

    run(story())


def test_settings_that_come_before_the_doors_are_open_open_none() -> None:
    """A worker that waits for its turn takes them as well; it opens the doors of the last when it is its turn."""
    first, second = free_port(), free_port()

    async def story() -> None:
        house = House(settings(first))
        with house.doors.changing(settings(second)):
            assert not is_open(second)
        assert not is_open(second)
        house.doors.open()
        assert [is_open(port) for port in (first, second)] == [False, True]
        await house.end()

    run(story())


def test_a_worker_accepts_from_the_sockets_that_were_handed_over_last() -> None:
    """And opens no door without one; once nobody is left to hand over any, it goes on with those it has."""
    port, other = free_port(), free_port()

    async def story() -> None:
        ours, theirs = pair()
        held = {number: make("127.0.0.1", port, shared=True) for number in (0, 1)}
        place = partial(Place, "stations", "127.0.0.1", port)
        hatch = Hatch(theirs)
        house = House(settings(other))
        assert hand(ours, {place(0): held[0]})
        with pytest.raises(OSError, match="no socket was handed over"):
            house.doors.open(hatch)
        await house.end()

        house = House(settings(port))
        assert hand(ours, {place(0): held[0]})
        house.doors.open(hatch)
        [door] = house.doors._listeners
        assert set(door._sockets) == {0}
        assert hand(ours, {place(0): held[0], place(1): held[1]})
        house.doors.take_sockets()
        assert set(door._sockets) == {0, 1}
        assert hand(ours, {place(1): held[1]})
        house.doors.take_sockets()
        house.doors.take_sockets()
        assert set(door._sockets) == {1}
        ours.close()
        asyncio.get_running_loop().add_reader(hatch.fileno(), house.doors.take_sockets)
        house.doors.take_sockets()
        assert not asyncio.get_running_loop().remove_reader(hatch.fileno())
        assert set(door._sockets) == {1}
        await house.end()
        hatch.close()
        for sock in held.values():
            sock.close()

    run(story())


def test_whoever_was_accepted_comes_in_through_a_door_that_is_shut() -> None:
    """For as long as the worker waits for it; who is on the way after that is given up."""
    port = free_port()

    async def story(*, goes: bool) -> bool:
        house = House(settings(port))
        house.doors.open()
        caller = socket.create_connection(("127.0.0.1", port), 10)
        await house.come.get()
        house.doors.shut()
        assert not is_open(port)
        waiting = asyncio.ensure_future(house.doors.emptied(3600 if goes else 0.01))
        if goes:
            await asyncio.sleep(0)
            assert not waiting.done()
            house.go.set()
        await waiting
        caller.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(caller, 1) == b""
        caller.close()
        await house.end()
        return not house.given_up

    async def both() -> None:
        assert await story(goes=True)
        assert not await story(goes=False)

    run(both())


def test_a_crowd_is_told_of() -> None:
    """One network has so many arrivals under way and so many that wait; of the next there is an event."""
    port = free_port()

    async def story() -> None:
        house = House(replace(settings(port), limits=Limits(arrivals_of_one=1, arrivals_queued=0)))
        house.doors.open()
        callers = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(2)]
        callers[1].setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(callers[1], 1) == b""
        assert [(note.cause, note.remote) for note in house.notes] == [("door.crowded", "127.0.0.1")]
        for caller in callers:
            caller.close()
        await house.end()

    run(story())


def issuer(purpose: str, party: Party) -> calls.IssuerRow:
    return calls.IssuerRow(purpose, purpose, "CN=x", NOW, purpose.encode(), party.pem)


def anchor(purpose: str, party: Party) -> calls.AnchorRow:
    return calls.AnchorRow(purpose, "", "CN=x", NOW, b"a" + purpose.encode(), party.pem)


def test_what_stations_are_trusted_by_is_given_for_stations_and_no_root() -> None:
    """A CSMS certificate is never a station's, and neither is one that only the root stands above."""
    ours, others = (ROOT.issue(f"{name} CA", ca=True) for name in ("Station", "Maker"))
    told = calls.TrustChanged(
        (issuer("root", ROOT), issuer("csms", ROOT), issuer("station", ours)),
        (anchor("csms", ROOT), anchor("firmware", ROOT), anchor("station", others)),
    )

    async def story() -> None:
        house = House(settings())
        house.doors.trust(told)
        assert house.doors._anchors == [ours.certificate, others.certificate]

    run(story())


def test_new_certificates_are_presented_to_whoever_comes_once_the_doors_are_renewed() -> None:
    """All at once: not before what is trusted with them is known as well. A door without TLS presents nothing."""
    port, plain = free_port(), free_port()
    party = Party.root("Other Root").issue("localhost", dns="localhost")
    fresh = calls.Credentials(party.pem, party.key_pem, CREDENTIALS.rsa_chain, CREDENTIALS.rsa_key)

    async def story() -> None:
        config = settings(port)
        basic = ListenerConfig("127.0.0.1", plain, SecurityProfile.BASIC)
        house = House(replace(config, listeners=(*config.listeners, basic)))
        house.doors.open()
        tls, clear = house.doors._listeners
        before = tls.context
        house.doors.present(fresh)
        assert (tls.context, house.doors.credentials) == (before, fresh)
        house.doors.renew()
        assert tls.context is not before
        assert clear.context is None
        await house.end()

    run(story())
