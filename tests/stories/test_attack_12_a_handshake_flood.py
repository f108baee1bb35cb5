"""Row 12: a flood of connections that never become one starves no station, and is cleared away whole."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from secproxy.config import Limits
from tests.secproxy.edge.doors import STATIONS, UPGRADE, csms, door, known, registered
from tests.stories.wires import Wire, balanced

if TYPE_CHECKING:
    from pathlib import Path

    from tests.secproxy.edge.doors import Door

SILENT, GARBAGE, HALF = 40, 20, 20
STATIONS_COMING = 10


async def crowd(folder: Path, at: Door) -> list[Wire]:
    """Connections of four addresses: some say nothing, some rubbish, some half a ClientHello, some a bit of it."""
    wires = [await Wire.dial(folder, at, source=f"127.0.1.{1 + number % 4}") for number in range(SILENT)]
    for number in range(GARBAGE + HALF):
        wire = await Wire.dial(folder, at, source=f"127.0.1.{1 + number % 4}")
        with contextlib.suppress(OSError):  # it may have been shown out already
            await wire.raw(b"\xff\x00 not TLS" * 50 if number < GARBAGE else wire.hello()[: 1 + number * 5])
        wires.append(wire)
    return wires


def test_attack_12_a_flood_starves_no_station_and_is_cleared_away(tmp_path: Path) -> None:
    """Ten stations get in while the house is full of handshakes; then the flood has gone, and so has all it took."""
    names = [f"CP-{number:03}" for number in range(1, STATIONS_COMING + 1)]
    parties = [STATIONS.issue(f"SN-{name}") for name in names]
    view = known(*(registered(name, f"SN-{name}") for name in names))

    async def story() -> None:
        limits = Limits(handshake_seconds=2, handshakes_at_once=16, arrivals_of_one=8, arrivals_queued=16)
        async with csms() as there, door(tmp_path, view, there.port, limits=limits) as at, balanced(at):
            flood = await crowd(tmp_path, at)
            stations = [await Wire.dial(tmp_path, at, party, source="127.0.0.2") for party in parties]
            requests = [UPGRADE.replace(b"CP-001", name.encode()) for name in names]
            answers = await asyncio.gather(*(map(Wire.upgrade, stations, requests)))
            assert [answer.split()[1] for answer in answers] == [b"101"] * STATIONS_COMING
            for wire in flood:
                with contextlib.suppress(ConnectionResetError):
                    while await asyncio.get_running_loop().sock_recv(wire.sock, 4_096):
                        pass
            for wire in (*flood, *stations):
                wire.close()
            while not there.sockets.empty():
                await (await there.sockets.get()).wait_closed()

    asyncio.run(story())
