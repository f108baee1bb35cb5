"""Every URL of a CSMS is tried as the proxy would, and what is wrong with it is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from secproxy.edge import switchboard
from secproxy.edge.knocking import try_csms
from secproxy.upstreams import Upstream, UpstreamConfig, plain
from tests.worlds import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from pki.health import Csms


@pytest.mark.parametrize(("secure", "says"), [(False, ""), (True, "cannot be reached")])
def test_a_csms_is_spoken_to_as_the_proxy_would(secure: bool, says: str) -> None:
    """A plain port is no TLS, and a TLS that nobody vouches for is none either."""

    async def story() -> str:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            [csms] = await try_csms([plain(UpstreamConfig("127.0.0.1", port, "", secure))])
            return csms.missed

    assert says in asyncio.run(story())
    if not secure:
        assert asyncio.run(story()) == ""


def test_files_that_a_csms_cannot_be_reached_with_are_told_and_one_url_of_two_is_a_warning(tmp_path: Path) -> None:
    """Of a CSMS with a spare, the URL that is missed is not critical; a file that is not there misses all."""

    async def story() -> tuple[Csms, ...]:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            urls = (UpstreamConfig("127.0.0.1", free_port(), "", False), UpstreamConfig("127.0.0.1", port, "", False))
            files = Upstream("b", (UpstreamConfig("127.0.0.1", port, "", True),), ca_file=str(tmp_path / "none.pem"))
            return await try_csms([Upstream("a", urls), files])

    missed, met, unready = asyncio.run(story())
    assert (missed.spared, bool(missed.missed), met.missed) == (True, True, "")
    assert "TLS files" in unready.missed
    assert not unready.spared


def test_a_csms_that_is_silent_is_not_waited_for_longer_than_three_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection, and never begins with TLS."""
    monkeypatch.setattr(switchboard, "KNOCK_SECONDS", 0.1)

    async def story() -> str:
        over = asyncio.Event()

        async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await over.wait()
            writer.close()

        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            [csms] = await try_csms([plain(UpstreamConfig("127.0.0.1", port, "", secure=True))])
            over.set()
            return csms.missed

    assert "does not answer" in asyncio.run(story())
