"""How the bytes are cut on their way is nobody's business: a byte at a time, or pieces that fit nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from secproxy.config import Limits
from secproxy.frames import CONTINUATION, PING, TEXT, encode
from tests.secproxy.edge.doors import STATIONS, UPGRADE, csms, door, known, registered
from tests.stories.wires import Wire, balanced

if TYPE_CHECKING:
    from pathlib import Path

PARTY = STATIONS.issue("SN-1")
MASK = b"\x11\x22\x33\x44"
CALL = '[2,"1","DataTransfer",{"data":"é€😀"}]'
PRIME = 1_009  # bytes of a piece: no multiple of a frame, a record or a page


def long_call(size: int) -> str:
    """A call of exactly so many bytes."""
    beginning, end = '[2,"2","DataTransfer",{"data":"', '"}]'
    return beginning + "x" * (size - len(beginning) - len(end)) + end


async def dribble(wire: Wire, data: bytes) -> None:
    """Each byte in a TLS record and a TCP segment of its own."""
    for at in range(len(data)):
        await wire.say(data[at : at + 1])


def test_a_head_and_frames_may_come_byte_by_byte(tmp_path: Path) -> None:
    """The 101, a message, a fragmented one with a ping in it: the CSMS hears the same as of any other station."""

    async def story() -> None:
        async with csms() as there, door(tmp_path, known(registered()), there.port) as at, balanced(at):
            wire = await Wire.dial(tmp_path, at, PARTY)
            await wire.shake()
            await dribble(wire, UPGRADE)
            assert b" 101 " in await wire.hear()
            first, rest = CALL.encode()[:33], CALL.encode()[33:]  # within a character
            await dribble(wire, encode(TEXT, CALL.encode(), MASK))
            await dribble(wire, b"\x01" + encode(TEXT, first, MASK)[1:] + encode(PING, b"?", MASK))
            assert await wire.hear() == b"\x8a\x01?"
            await dribble(wire, encode(CONTINUATION, rest, MASK))
            assert await there.heard.get() == CALL
            error = (await wire.hear())[2:]
            assert error.startswith(b'[4,"1",')  # the id still waits: the second is a repetition
            assert at.around.notes.get_nowait().cause == "message.id_reused"
            wire.close()
            while not there.sockets.empty():
                await (await there.sockets.get()).wait_closed()

    asyncio.run(story())


def test_a_tls_handshake_may_come_byte_by_byte(tmp_path: Path) -> None:
    """As over a modem that sends what it has."""

    async def story() -> None:
        async with csms() as there, door(tmp_path, known(registered()), there.port) as at:
            wire = await Wire.dial(tmp_path, at, PARTY)
            hello = wire.hello()
            for byte in range(len(hello)):
                await wire.raw(hello[byte : byte + 1])
            await wire.shake()
            await wire.say(UPGRADE)
            assert b" 101 " in await wire.hear()
            wire.close()

    asyncio.run(story())


def test_the_longest_messages_may_come_in_pieces_that_fit_nothing(tmp_path: Path) -> None:
    """As long as is allowed, in pieces of a prime number of bytes, both ways."""

    async def story() -> None:
        limits = Limits()
        up, down = long_call(limits.frame_up), long_call(limits.frame_down)
        async with csms() as there, door(tmp_path, known(registered()), there.port, limits=limits) as at:
            wire = await Wire.dial(tmp_path, at, PARTY)
            assert b" 101 " in await wire.upgrade()
            frame = encode(TEXT, up.encode(), MASK)
            for start in range(0, len(frame), PRIME):
                await wire.say(frame[start : start + PRIME])
            assert await there.heard.get() == up
            server = await there.sockets.get()
            await server.send([down[start : start + PRIME * 9] for start in range(0, len(down), PRIME * 9)])
            got, wanted = b"", encode(TEXT, down.encode())
            while len(got) < len(wanted):
                got += await wire.hear()
            assert got == wanted
            wire.close()

    asyncio.run(story())
