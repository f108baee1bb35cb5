"""Row 3: whatever the timing, a station has one connection, and what is revoked is gone from all of them."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from pki.station import StationStatus
from secproxy.config import Limits
from secproxy.edge.claim_wire import Drop
from tests.secproxy.edge.doors import STATIONS, UPGRADE, Csms, door, known, raw_station, registered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from websockets.http11 import Request

PARTY = STATIONS.issue("SN-1")


class SlowCsms(Csms):
    """A CSMS that answers no upgrade before ``go`` is set; ``asked`` gets an item for each that it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: asyncio.Queue[str] = asyncio.Queue()
        self.go = asyncio.Event()

    async def hesitate(self, _: ServerConnection, request: Request) -> None:
        """Wait before the 101."""
        self.asked.put_nowait(request.path)
        await self.go.wait()


@contextlib.asynccontextmanager
async def slow_csms() -> AsyncIterator[SlowCsms]:
    """A slow CSMS on loopback."""
    seen = SlowCsms()
    names = [Subprotocol("ocpp1.6")]
    async with serve(
        seen.serve, "127.0.0.1", 0, subprotocols=names, compression=None, process_request=seen.hesitate
    ) as server:
        seen.port = server.sockets[0].getsockname()[1]
        yield seen


def test_attack_03_a_second_connection_while_the_first_is_being_made_is_refused(tmp_path: Path) -> None:
    """While the CSMS takes its time with the first, the same certificate comes again: one gets in, and disabling the
    station ends all there is."""

    async def story() -> None:
        view = known(registered())
        async with slow_csms() as backend, door(tmp_path, view, backend.port) as at:
            first, one = await raw_station(tmp_path, at, PARTY)
            one.write(UPGRADE)
            await backend.asked.get()
            second, two = await raw_station(tmp_path, at, PARTY)
            two.write(UPGRADE)
            assert (await second.readline()).split()[1] == b"503"
            backend.go.set()
            assert (await first.readline()).split()[1] == b"101"
            assert len(at.links.all()) == 1
            view.stations["CP-001"] = replace(view.stations["CP-001"], status=StationStatus.DISABLED)
            at.links.judge(["CP-001"])
            assert at.links.all() == []
            assert await at.around.causes(2) == ["session.duplicate", "session.revoked"]
            one.close()
            two.close()

    asyncio.run(story())


def test_attack_03_a_leg_that_was_dropped_while_it_was_being_made_never_goes_live(tmp_path: Path) -> None:
    """A worker that did not answer for its leg in time has lost it; the CSMS' late 101 changes nothing."""

    async def story() -> None:
        limits = Limits(upstream_seconds=9)
        async with slow_csms() as backend, door(tmp_path, known(registered()), backend.port, limits=limits) as at:
            reader, writer = await raw_station(tmp_path, at, PARTY)
            writer.write(UPGRADE)
            await backend.asked.get()
            at.claims._heard(Drop(1))
            backend.go.set()
            assert (await reader.readline()).split()[1] == b"503"
            assert at.links.all() == []
            assert await at.around.causes(1) == ["session.duplicate"]
            writer.close()

    asyncio.run(story())
