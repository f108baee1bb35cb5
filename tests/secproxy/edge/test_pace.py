"""How fast either side is read: no faster than it may speak, nor than the other reads, and not for ever."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed

from secproxy.config import Limits
from secproxy.edge.pace import Pace
from secproxy.frames import TEXT, encode
from secproxy.plan import Side
from tests.secproxy.edge.doors import (
    PARTY,
    UPGRADE,
    csms,
    deaf,
    door,
    known,
    raw_station,
    registered,
    send_all,
    station,
    talk,
)

if TYPE_CHECKING:
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection
    from websockets.asyncio.server import ServerConnection

ONE_READ = 262_144  # bytes; what the loop reads at most before it can be told to pause
MASK = b"\x11\x22\x33\x44"


def test_attack_41_a_slow_reader_holds_a_bounded_amount_of_memory(tmp_path: Path) -> None:
    """Row 41: while the station does not read, the CSMS is read no further than the high-water mark."""
    message = '[2,"%03d","DataTransfer",{"d":"' + "x" * 100_000 + '"}]'

    async def story() -> None:
        async with deaf(tmp_path, message, 400) as station:
            assert station.link.station.waiting < 4 * len(message)
            station.line.resume_reading()
            await asyncio.gather(station.sending, _read_bytes(station.reader, 400 * len(message)))

    asyncio.run(story())


async def _read_bytes(reader: asyncio.StreamReader, at_least: int) -> None:
    got = 0
    while got < at_least:
        got += len(await reader.read(1 << 16))


FLOOD = Limits(messages_per_second=100, messages_burst=20, flood_seconds=0.05)


def test_attack_29_a_station_that_floods_is_read_ever_more_slowly_and_then_closed(tmp_path: Path) -> None:
    """Row 29: with one event; the CSMS has heard the least part of what was sent."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, limits=FLOOD) as at:
            reader, writer = await raw_station(tmp_path, at, PARTY)
            writer.write(UPGRADE)
            await reader.readuntil(b"\r\n\r\n")
            numbers = itertools.count()

            async def flood() -> None:
                with contextlib.suppress(ConnectionError):
                    while True:
                        calls = (f'[2,"{next(numbers)}","Heartbeat",{{}}]'.encode() for _ in range(40))
                        writer.write(b"".join(encode(TEXT, call, MASK) for call in calls))
                        await writer.drain()

            flooding = asyncio.ensure_future(flood())
            note = await at.around.notes.get()
            assert (note.cause, note.evidence["side"]) == ("message.rate", "station")
            assert at.links.all() == []
            assert await backend.closed.get() == 1001
            flooding.cancel()
            await asyncio.wait([flooding])
            assert 0 < backend.heard.qsize() < next(numbers)
            assert at.around.notes.empty()
            writer.transport.abort()

    asyncio.run(story())


def test_attack_29_a_csms_that_floods_is_read_ever_more_slowly_and_then_closed(tmp_path: Path) -> None:
    """Row 29: with one event; the station hears that it is left, and comes back."""

    async def story() -> None:
        async with talk(tmp_path, FLOOD) as (client, server, backend, at):
            flooding = asyncio.ensure_future(_flood(server))
            received = asyncio.ensure_future(_drain(client))
            note = await at.around.notes.get()
            assert (note.cause, note.evidence["side"]) == ("message.rate", "csms")
            assert at.links.all() == []
            await asyncio.wait([flooding, received])
            assert client.close_code == 1001
            await backend.closed.get()

    asyncio.run(story())


@pytest.mark.parametrize(("side", "codes"), [(Side.STATION, (1008, 1001)), (Side.CSMS, (1001, 1008))])
def test_attack_29_who_floods_hears_that_it_may_not_and_the_other_that_it_is_left(
    tmp_path: Path, side: Side, codes: tuple[int, int]
) -> None:
    """Row 29: as far as the one who floods still reads; so here nobody does."""

    async def story() -> None:
        async with talk(tmp_path) as (client, _, backend, at):
            [link] = at.links.all()
            link._paced()._drown(side)
            await client.wait_closed()
            assert (client.close_code, await backend.closed.get()) == codes

    asyncio.run(story())


async def _flood(socket: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        for number in itertools.count():
            await socket.send(f'[2,"{number}","ClearCache",{{"a":"{"x" * 8_000}"}}]')


async def _drain(socket: ClientConnection) -> None:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.recv()


@pytest.mark.parametrize("blocked", [False, True])
def test_attack_29_a_station_that_waits_for_each_answer_stays_however_much_it_has_to_say(
    tmp_path: Path, blocked: bool
) -> None:
    """Row 29: at its limit it is slowed down and nothing else; what else holds it up meanwhile changes nothing."""

    async def story() -> None:
        limits = Limits(messages_per_second=20, messages_burst=3, flood_seconds=0)
        async with talk(tmp_path, limits) as (client, server, backend, at):
            [link] = at.links.all()
            for number in range(20):
                await client.send(f'[2,"{number}","Heartbeat",{{}}]')
                if blocked and link._pace and link._pace._held:
                    link._csms_blocked(True)
                    link._csms_blocked(False)
                assert json.loads(await backend.heard.get())[1] == str(number)
                await asyncio.sleep(0.02)  # a CSMS that thinks
                await server.send(f'[3,"{number}",{{}}]')
                assert json.loads(await client.recv())[1] == str(number)
            assert at.links.all() == [link]
            assert link._pace
            assert link._pace._meters
            assert at.around.notes.empty()

    asyncio.run(story())


@pytest.mark.parametrize("slow", ["station", "csms"])
def test_attack_41_a_reader_that_stays_slow_is_dropped_with_an_event(tmp_path: Path, slow: str) -> None:
    """Row 41: either side; what waits for it is bounded until then, and both legs are ended."""
    message = '[2,"%03d","DataTransfer",{"d":"' + "x" * 60_000 + '"}]'

    async def story() -> None:
        limits = Limits(write_high_water=50_000, slow_reader_seconds=0.3)
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, limits=limits) as at:
            client = await station(tmp_path, at, PARTY)
            server, [link] = await backend.sockets.get(), at.links.all()
            reader, writer = (client, server) if slow == "station" else (server, client)
            reader.transport.pause_reading()
            sending = asyncio.ensure_future(send_all(writer, message, 400))
            note = await at.around.notes.get()
            assert (note.cause, note.evidence["reader"]) == ("session.slow_reader", slow)
            assert link.station.waiting <= limits.write_high_water + ONE_READ
            assert at.links.all() == []
            with pytest.raises(ConnectionClosed):
                await sending
            reader.transport.abort()

    asyncio.run(story())


def test_attack_41_a_reader_that_catches_up_in_time_stays(tmp_path: Path) -> None:
    """Row 41: once what waited was read, no time runs any more."""
    message = '[2,"%03d","DataTransfer",{"d":"' + "x" * 60_000 + '"}]'

    async def story() -> None:
        async with talk(tmp_path, Limits(write_high_water=50_000, slow_reader_seconds=60)) as (
            client,
            server,
            back,
            at,
        ):
            [link] = at.links.all()
            for reader, writer, side in ((client, server, Side.STATION), (server, client, Side.CSMS)):
                reader.transport.pause_reading()
                sending = asyncio.ensure_future(send_all(writer, message, 200))
                while not (link._pace and side in link._pace._full):  # noqa: ASYNC110 - it is told to nobody
                    await asyncio.sleep(0)
                reader.transport.resume_reading()
                heard = client.recv if reader is client else back.heard.get
                for _ in range(200):
                    await heard()
                await sending
                while link._pace and side in link._pace._full:  # noqa: ASYNC110 - nor is its end
                    await asyncio.sleep(0)
            assert at.around.notes.empty()

    asyncio.run(story())


class Connection:
    """What is done to a connection, in order."""

    def __init__(self) -> None:
        self.did: list[tuple[str, str]] = []
        self.ended = asyncio.Event()

    def rest(self, side: Side) -> None:
        self.did.append(("rest", side.value))

    def read_on(self, side: Side) -> None:
        self.did.append(("read on", side.value))

    def give_up(
        self, cause: str, _evidence: object, _code: int, reason: str, csms: tuple[int, str] | None = None
    ) -> None:
        assert csms is None or csms[1] == reason
        self.did.append((cause, reason))
        self.ended.set()


def test_a_side_is_read_again_when_no_reason_is_left() -> None:
    """It has said too much, and the other does not read: whichever ends first, the second holds it still."""

    async def story(first: str) -> list[tuple[str, str]]:
        on = Connection()
        pace = Pace(Limits(messages_per_second=1000, messages_burst=1), on)
        assert pace.measure(Side.STATION, 1) > 1
        pace.measure(Side.STATION, 200)
        pace.fill(Side.CSMS)
        if first == "reads":
            pace.drain(Side.CSMS)
        while pace._held:  # noqa: ASYNC110 - its end is told to nobody
            await asyncio.sleep(0.01)
        if first == "has waited":
            assert ("read on", "station") not in on.did
            pace.drain(Side.CSMS)
        pace.end()
        return on.did

    async def both() -> None:
        for first in ("reads", "has waited"):
            assert await story(first) == [("rest", "station"), ("rest", "station"), ("read on", "station")], first

    asyncio.run(asyncio.wait_for(both(), 20))


def test_a_reader_that_is_forgiven_is_not_dropped_and_the_other_rests_on() -> None:
    """Its CSMS has left: nothing is said to it any more that it could read."""

    async def story() -> None:
        on = Connection()
        pace = Pace(Limits(slow_reader_seconds=0), on)
        pace.fill(Side.CSMS)
        pace.forgive(Side.CSMS)
        pace.fill(Side.STATION)
        await on.ended.wait()
        assert on.did == [
            ("rest", "station"),
            ("rest", "csms"),
            ("session.slow_reader", "what waited was not read in time"),
        ]

    asyncio.run(asyncio.wait_for(story(), 20))


def test_after_the_end_nothing_is_due() -> None:
    """No timer of a connection that has gone is left to wake anybody."""

    async def story() -> None:
        on = Connection()
        pace = Pace(Limits(slow_reader_seconds=60, messages_per_second=1, messages_burst=1), on)
        pace.measure(Side.CSMS, 1)
        pace.measure(Side.CSMS, 100)
        pace.fill(Side.STATION)
        timers = [*pace._held.values(), *pace._full.values()]
        pace.end()
        assert [timer.cancelled() for timer in timers] == [True, True]

    asyncio.run(story())
