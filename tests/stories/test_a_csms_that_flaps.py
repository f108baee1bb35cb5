"""A CSMS that comes and goes: its stations are told so, come back to it, and nothing piles up meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from websockets.asyncio.server import serve
from websockets.typing import Subprotocol

from secproxy.config import Limits
from secproxy.frames import TEXT, encode
from tests.secproxy.edge.doors import STATIONS, Csms, door, known, registered
from tests.stories.wires import Wire, balanced, sees
from tests.worlds import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.secproxy.edge.doors import Door

PARTY = STATIONS.issue("SN-1")
ROUNDS = 6
MASK = b"\x11\x22\x33\x44"


async def comes_in(folder: Path, at: Door) -> Wire:
    """A station that tries until it is let in, as stations do; each refusal is a 503."""
    while True:
        wire = await Wire.dial(folder, at, PARTY)
        answer = await wire.upgrade()
        if b" 101 " in answer:
            return wire
        assert b" 503 " in answer
        wire.close()


async def is_told_to_come_back(folder: Path, at: Door) -> None:
    """A station that comes while there is no CSMS."""
    wire = await Wire.dial(folder, at, PARTY)
    assert b" 503 " in await wire.upgrade()
    wire.close()


def test_a_csms_may_come_and_go_and_nothing_piles_up(tmp_path: Path) -> None:
    """Six times: up, a station talks; gone, the station is let go with 1001 and refused with 503; up again."""
    port = free_port()

    async def story() -> None:
        limits = Limits(close_spread_seconds=0.1, retry_first_seconds=0.02, retry_most_seconds=0.05, upstream_seconds=1)
        async with door(tmp_path, known(registered()), port, limits=limits, seconds=60) as at:
            await is_told_to_come_back(tmp_path, at)
            for turn in range(ROUNDS):
                async with balanced(at):
                    there = Csms()
                    names = [Subprotocol("ocpp1.6")]
                    async with serve(there.serve, "127.0.0.1", port, subprotocols=names, compression=None):
                        wire = await comes_in(tmp_path, at)
                        await wire.say(encode(TEXT, b'[2,"%d","Heartbeat",{}]' % turn, MASK))
                        assert await there.heard.get() == f'[2,"{turn}","Heartbeat",{{}}]'
                        (await there.sockets.get()).transport.abort()
                        assert (await wire.hear())[2:4] == (1001).to_bytes(2)
                        wire.close()
                    await is_told_to_come_back(tmp_path, at)
                    await sees(lambda: not at.links.all())

    asyncio.run(story())
