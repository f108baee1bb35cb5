"""A real worker of a home, and stations that come to it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from pki.edge import calls
from pki.names import Organisation
from secproxy.config import parse_config
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.effective import write_config
from secproxy.edge.event_store import EventStore
from tests.certs import key_pem
from tests.worlds import Paper, free_port, station_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from pki.edge.client import Authority
    from pki.edge.home import Home
    from tests.secproxy.edge.doors import Csms


HEARTBEAT = '[2,"1","Heartbeat",{}]'


@contextlib.asynccontextmanager
async def working(
    home: Home, backend: Csms, *started: str, swaps: Sequence[tuple[str, str]] = ()
) -> AsyncIterator[tuple[int, subprocess.Popen[bytes], asyncio.Event]]:
    """A real worker process of this home, its listeners open; the supervisor is a desk in this process."""
    port, ready = free_port(), asyncio.Event()
    text = home.settings.read_text()
    for old, new in swaps:
        text = text.replace(old, new)
    text = text.replace("0.0.0.0:8443", f"127.0.0.1:{port}")
    text = text.replace("0.0.0.0:8442", f"127.0.0.1:{free_port()}")
    text = text.replace('upstream = ""', f'upstream = "ws://127.0.0.1:{backend.port}"')
    (home.run / "config.toml").write_text(write_config(Organisation.parse("Example Charging"), parse_config(text)))
    async with asyncio.timeout(40), ClaimDesk(3, lambda _: ready.set()).open(home.claims_socket):
        argv = [sys.executable, *(started or ("-m", "bollard", "--home", str(home.path), "worker", "--number", "0"))]
        process = subprocess.Popen(argv)
        try:
            await ready.wait()
            yield port, process, ready
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 10)


async def issue(authority: Authority, folder: Path) -> ssl.SSLContext:
    """Register CP-001, issue its certificate, and make its TLS context."""
    paper = Paper.of(1)
    await authority.ask(paper.add, calls.StationAdded)
    issued = await authority.ask(paper.issue, calls.CertificateIssued)
    (folder / "station.pem").write_text(key_pem(station_key(1)) + issued.chain)
    context = ssl.create_default_context(cadata=(folder / "home" / "ca" / "root.pem").read_text())
    context.load_cert_chain(folder / "station.pem")
    return context


def dial(
    port: int, context: ssl.SSLContext | None, identity: str = "CP-001", headers: dict[str, str] | None = None
) -> connect:
    """A station's connection to the worker, without a context one without TLS."""
    return connect(
        f"{'wss' if context else 'ws'}://csms.example.org:{port}/ocpp/{identity}",
        host="127.0.0.1",
        ssl=context,
        subprotocols=[Subprotocol("ocpp1.6")],
        additional_headers=headers,
        compression=None,
        proxy=None,
    )


@contextlib.asynccontextmanager
async def met(
    port: int, context: ssl.SSLContext | None, identity: str = "CP-001", headers: dict[str, str] | None = None
) -> AsyncIterator[ClientConnection]:
    """The same, as soon as the worker has heard of what lets the station in: the authority does not wait for that."""
    while True:
        try:
            socket = await dial(port, context, identity, headers)
            break
        except (OSError, InvalidHandshake):
            await asyncio.sleep(0.01)
    async with socket:
        yield socket


async def refused(home: Home, cause: str, port: int, context: ssl.SSLContext, identity: str) -> None:
    """Be turned away, as soon as the worker has heard of what it is to be for."""
    while cause not in {event["cause"] for event in EventStore(home).list()}:
        with pytest.raises((OSError, InvalidHandshake)):  # TLS 1.3 tells a client after it spoke
            await dial(port, context, identity)


async def settled(authority: Authority, name: str, value: object) -> None:
    """Wait until a station's field says this."""
    while True:
        (row,) = (await authority.ask(calls.ListStations("CP-001"), calls.Stations)).stations
        if getattr(row, name) == value:
            return
        await asyncio.sleep(0.01)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so; what was told to one process reaches the others a moment later."""
    async with asyncio.timeout(10):
        while not await holds():
            pass


async def answers(port: int, context: ssl.SSLContext, status: int, headers: dict[str, str] | None = None) -> bool:
    """Whether the worker answers a station's upgrade so."""
    try:
        async with dial(port, context, "CP-001", headers):
            return status == 101
    except InvalidStatus as refused:
        return refused.response.status_code == status
