"""haproxy before the CSMS: it lets in who shows our certificate, and takes our word for who calls."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import InvalidStatus

from secproxy.upstreams import UpstreamConfig, plain
from tests.secproxy.edge.doors import ROOT, STATIONS, csms, door, known, registered
from tests.stories.haproxy import from_afar, haproxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from secproxy.upstreams import Upstream

PARTY = STATIONS.issue("SN-1")
SETTINGS = """
global
    maxconn 100
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend stations
    bind 127.0.0.1:{front} ssl crt {folder}/server.pem ca-file {folder}/ca.pem verify required accept-proxy
    http-request set-header X-Seen-Address %[src]
    http-request set-header X-Seen-Certificate %[ssl_c_s_dn(cn)]
    default_backend csms
backend csms
    server csms 127.0.0.1:{back}
"""

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")


@contextlib.asynccontextmanager
async def demanding(folder: Path, back: int) -> AsyncIterator[Upstream]:
    """One in front of a CSMS that demands our certificate; the way to it as the settings would name it."""
    server, us = ROOT.issue("localhost", dns="localhost"), ROOT.issue("Bollard")
    texts = {"server.pem": server.key_pem + server.pem, "ca.pem": ROOT.pem, "us.pem": us.pem, "us.key": us.key_pem}
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    ca, certificate, key = (str(folder / name) for name in ("ca.pem", "us.pem", "us.key"))
    async with haproxy(folder, SETTINGS, back) as front:
        url = UpstreamConfig("localhost", front, "", secure=True)
        yield replace(plain(url), ca_file=ca, client_certificate=certificate, client_key=key, proxy_protocol=True)


def test_what_haproxy_wants_of_a_proxy_it_gets_and_without_it_nobody_comes_in(tmp_path: Path) -> None:
    """Certificate, PROXY protocol before TLS, and an upgrade that it understands; without the certificate the
    CSMS hears of nobody, and an event says so."""

    async def story() -> None:
        async with csms() as backend, demanding(tmp_path, backend.port) as way:
            async with (
                door(tmp_path / "with", known(registered()), upstreams=(way,)) as at,
                from_afar(tmp_path, at.port, PARTY) as client,
            ):
                await client.send('[2,"1","Heartbeat",{}]')
                assert await backend.heard.get() == '[2,"1","Heartbeat",{}]'
                [(path, headers)] = backend.requests
                told = {name.lower(): value for name, value in headers.items()}
                assert path == "/ocpp/CP-001"
                assert (told["x-seen-address"], told["x-seen-certificate"]) == ("127.0.0.7", "Bollard")
                assert told["bollard-station"] == "CP-001"
            bare = replace(way, client_certificate="", client_key="")
            async with door(tmp_path / "without", known(registered()), upstreams=(bare,)) as at:
                with pytest.raises(InvalidStatus):
                    await from_afar(tmp_path, at.port, PARTY)
                assert (await at.around.notes.get()).cause == "upstream.unreachable"
                assert len(backend.requests) == 1

    asyncio.run(story())
