"""haproxy in front of the proxy: the station's own address arrives, and nobody goes past it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from secproxy.proxy_protocol import Caller, write
from tests.secproxy.edge.doors import STATIONS, csms, door, known, registered, station
from tests.stories.haproxy import from_afar, haproxy

if TYPE_CHECKING:
    from pathlib import Path

PARTY = STATIONS.issue("SN-1")
BALANCER = (ip_network("127.0.0.3/32"),)  # haproxy connects from here, so that stations on 127.0.0.1 are strangers
SETTINGS = """
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend stations
    bind 127.0.0.1:{front}
    default_backend bollard
backend bollard
    source 127.0.0.3
    server bollard 127.0.0.1:{back} send-proxy-v2-ssl-cn check inter 200ms fall 1 rise 1
"""

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")


async def _poses_as_haproxy(port: int) -> None:
    """Somebody else who speaks for another address, in proper form."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(write(("192.0.2.9", 1), ("127.0.0.1", port), Caller("TLSv1.3", "CP-001")))
    with contextlib.suppress(ConnectionError):  # closed while our bytes lie unread
        assert await reader.read() == b""
    writer.close()


def test_attack_15_the_address_that_haproxy_names_is_the_station_s_and_nobody_else_may_name_one(tmp_path: Path) -> None:
    """Row 15: the CSMS is told the station's address; a station that comes past haproxy is shut out at once."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, proxies=BALANCER) as at:
            async with haproxy(tmp_path, SETTINGS, at.port) as front, from_afar(tmp_path, front, PARTY) as socket:
                await socket.send('[2,"1","Heartbeat",{}]')
                assert await backend.heard.get() == '[2,"1","Heartbeat",{}]'
                [(_, headers)] = backend.requests
                assert headers["X-Forwarded-For"] == "127.0.0.7"
                [link] = at.links.all()
                assert link.admitted.remote.startswith("127.0.0.7:")
            with pytest.raises((OSError, ssl.SSLError)):
                await station(tmp_path, at, PARTY)
            await _poses_as_haproxy(at.port)
            for _ in range(2):
                note = await at.around.notes.get()
                assert (note.cause, note.remote.partition(":")[0]) == ("proxy.refused", "127.0.0.1")
                assert "none of the load balancers" in str(note.evidence["says"])
            assert len(backend.requests) == 1

    asyncio.run(story())
