"""Row 4: however a connection ends, and however early, nothing of it stays behind."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from websockets.utils import accept_key

from tests.secproxy.edge.doors import STATIONS, UPGRADE, door, known, raw_station, registered

if TYPE_CHECKING:
    from pathlib import Path

PARTY = STATIONS.issue("SN-1")


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, last: bytes) -> None:
    """Give a right 101 with something behind it in the same breath, and hang up."""
    found = re.search(rb"Key: (\S+)", await reader.readuntil(b"\r\n\r\n"))
    assert found is not None
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept_key(found[1].decode()).encode() + b"\r\n"
        b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n" + last
    )
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("last", [pytest.param(b"\xff\xff", id="a broken frame"), pytest.param(b"", id="its end")])
def test_attack_04_a_csms_that_ends_with_its_101_leaves_no_ghost(tmp_path: Path, last: bytes) -> None:
    """The station is told, may come again at once, and the registry of live connections is empty."""

    async def story() -> None:
        backend = await asyncio.start_server(lambda r, w: _answer(r, w, last), "127.0.0.1", 0)
        port = backend.sockets[0].getsockname()[1]
        async with door(tmp_path, known(registered()), port) as at:
            for _ in range(2):
                reader, writer = await raw_station(tmp_path, at, PARTY)
                writer.write(UPGRADE)
                assert b" 101 " in await reader.readline()
                await reader.read()
                writer.close()
                assert at.links.all() == []
        backend.close()
        await backend.wait_closed()

    asyncio.run(story())
