"""Row 12: strangers that fill the doorway keep nobody else out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from secproxy.config import Limits
from tests.secproxy.edge.doors import STATIONS, UPGRADE, csms, door, known, registered, trusting

if TYPE_CHECKING:
    from pathlib import Path

PARTY = STATIONS.issue("SN-1")
STRANGERS = 100


def test_attack_12_a_silent_crowd_from_one_address_delays_no_station(tmp_path: Path) -> None:
    """A hundred connections that say nothing, none of which is shown out during the test; the station gets its 101."""

    async def story() -> None:
        limits = Limits(handshake_seconds=60, arrivals_queued=50)
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, limits=limits) as at:
            strangers = [await asyncio.open_connection("127.0.0.1", at.port) for _ in range(STRANGERS)]
            reader, writer = await asyncio.open_connection(
                "127.0.0.1",
                at.port,
                ssl=trusting(tmp_path, PARTY),
                server_hostname="localhost",
                local_addr=("127.0.0.2", 0),
            )
            writer.write(UPGRADE)
            assert b" 101 " in await reader.readline()
            assert await at.around.causes(1) == ["door.crowded"]
            for _, stranger in strangers:
                stranger.close()
            writer.close()

    asyncio.run(story())
