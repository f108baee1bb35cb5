"""A real haproxy in front of something, with the settings of a story, and a station that comes from afar."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from typing import TYPE_CHECKING

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.secproxy.edge.doors import trusting
from tests.worlds import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.certs import Party


@contextlib.asynccontextmanager
async def haproxy(folder: Path, settings: str, back: int) -> AsyncIterator[int]:
    """Run it in front of a port; gives the one that it listens on.

    ``settings`` name the two as ``{front}`` and ``{back}``, and where files of theirs lie as ``{folder}``.
    """
    front = free_port()
    (folder / "haproxy.cfg").write_text(settings.format(front=front, back=back, folder=folder))
    process = subprocess.Popen(["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], stderr=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    (await asyncio.open_connection("127.0.0.1", front))[1].close()
                    break
                await asyncio.sleep(0)
        yield front
    finally:
        process.terminate()
        process.wait()


def from_afar(folder: Path, port: int, party: Party) -> connect:
    """A station that dials this port from an address of its own."""
    return connect(
        f"wss://localhost:{port}/ocpp/CP-001",
        ssl=trusting(folder, party),
        subprotocols=[Subprotocol("ocpp1.6")],
        compression=None,
        proxy=None,
        host="127.0.0.1",
        local_addr=("127.0.0.7", 0),
    )
