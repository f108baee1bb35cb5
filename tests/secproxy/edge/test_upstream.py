"""Our side of a CSMS: what is asked, what is taken for an answer, and what is not."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING

import pytest
from websockets.utils import accept_key

from pki.names import Host
from pki.station import SecurityProfile
from secproxy.config import Config, Limits, ListenerConfig, WebConfig, parse_upstream
from secproxy.edge.upstream import UpstreamError, dial
from secproxy.frames import TEXT, Walker
from tests.secproxy import scene

if TYPE_CHECKING:
    from collections.abc import Callable

ADMITTED = scene.admitted(scene.station(), shown=scene.certificate())


def config(port: int, path: str = "", limits: Limits | None = None) -> Config:
    """The proxy's settings, with a CSMS on loopback."""
    web = WebConfig("127.0.0.1", 0, "https://localhost:1")
    listener = ListenerConfig("127.0.0.1", 0, SecurityProfile.MUTUAL_TLS)
    upstream = parse_upstream(f"ws://127.0.0.1:{port}{path}")
    return Config(Host.parse("localhost"), upstream, (listener,), web, 1, limits or Limits(upstream_seconds=2))


def answer(head: str, status: str = "101 Switching Protocols", protocol: str = "ocpp2.0.1", more: bytes = b"") -> bytes:
    """What a CSMS says to this request."""
    key = next(line.split(": ")[1] for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Key"))
    accepted = f"Sec-WebSocket-Accept: {accept_key(key)}\r\nSec-WebSocket-Protocol: {protocol}"
    return f"HTTP/1.1 {status}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{accepted}\r\n\r\n".encode() + more


async def meet(say: Callable[[str], bytes], path: str = "", limits: Limits | None = None) -> tuple[str, list[bytes]]:
    """Dial a CSMS that answers our head with whatever ``say`` makes of it; return the head and what came after it."""
    heads: list[str] = []
    heard: list[bytes] = []
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(say(heads[-1]))
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        over.set()

    async with asyncio.timeout(10), await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        try:
            leg = await dial(config(port, path, limits), ADMITTED, [("X-Forwarded-For", "192.0.2.7")])
            leg.attach(heard.append, lambda: None, lambda _: None)
            leg.close()
        finally:
            await over.wait()
    return heads[0], heard


def test_the_csms_is_asked_for_the_station_s_own_path_with_our_headers_alone() -> None:
    """Same path, the station's subprotocols, and what we say of where it came from."""
    head, heard = asyncio.run(meet(answer))

    assert head.startswith("GET /ocpp/CP-001 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert "Sec-WebSocket-Protocol: ocpp2.0.1\r\n" in head
    assert "X-Forwarded-For: 192.0.2.7\r\n" in head
    assert heard == []


def test_an_upstream_path_is_put_before_the_identity() -> None:
    """A CSMS that listens below a path of its own is asked there."""
    head, _ = asyncio.run(meet(answer, "/steve/websocket/CentralSystemService"))

    assert head.startswith("GET /steve/websocket/CentralSystemService/CP-001 HTTP/1.1\r\n")


def test_a_message_that_comes_with_the_101_is_not_lost() -> None:
    """A quick CSMS may speak before we have read its head."""
    _, heard = asyncio.run(meet(lambda head: answer(head, more=b"\x81\x02hi")))

    assert [f.payload for f in Walker(masked=False, limit=99, fragments=1).feed(b"".join(heard))] == [b"hi"]
    assert TEXT == 1


@pytest.mark.parametrize(
    "say",
    [
        pytest.param(lambda head: answer(head, "403 Forbidden"), id="refused"),
        pytest.param(lambda head: answer(head, protocol="ocpp9"), id="another subprotocol"),
        pytest.param(lambda _: b"HTTP/1.1 101 X\r\nSec-WebSocket-Accept: x\r\n\r\n", id="another key"),
        pytest.param(lambda _: b"x" * 10_000, id="an endless head"),
        pytest.param(lambda _: b"SSH-2.0-x\r\n\r\n", id="not HTTP"),
    ],
)
def test_any_other_answer_is_no_connection(say: Callable[[str], bytes]) -> None:
    """The station is told 503; why is in the error."""
    with pytest.raises(UpstreamError):
        asyncio.run(meet(say))


def test_a_csms_that_says_nothing_is_given_up_in_time() -> None:
    """The time is bounded, and said."""
    with pytest.raises(UpstreamError, match="did not answer within"):
        asyncio.run(meet(lambda _: b"", limits=Limits(upstream_seconds=0.2)))


def test_without_a_csms_in_the_settings_the_error_says_where_to_name_one() -> None:
    """An operator who forgot it reads how to mend it."""
    nowhere = dataclasses.replace(config(1), upstream=None)

    with pytest.raises(UpstreamError, match="--upstream"):
        asyncio.run(dial(nowhere, ADMITTED, []))
