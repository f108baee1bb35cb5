"""Our side of a CSMS: what is asked, what is taken for an answer, and what is not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
import uvloop
from websockets.utils import accept_key

from secproxy.config import Limits
from secproxy.edge.upstream import UnreachedError, UpstreamError, Way, Wish, ask, reach
from secproxy.frames import TEXT, Walker
from secproxy.upstreams import UpstreamConfig
from tests.secproxy.edge.doors import NO_UPSTREAM, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

WISH = Wish("/ocpp/CP-001", ("ocpp2.0.1",), [("X-Forwarded-For", "192.0.2.7")])
PREAMBLE = b"first of all\n"


def answer(head: str, status: str = "101 Switching Protocols", protocol: str = "ocpp2.0.1", more: bytes = b"") -> bytes:
    """What a CSMS says to this request."""
    key = next(line.split(": ")[1] for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Key"))
    accepted = f"Sec-WebSocket-Accept: {accept_key(key)}\r\nSec-WebSocket-Protocol: {protocol}"
    return f"HTTP/1.1 {status}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{accepted}\r\n\r\n".encode() + more


async def meet(say: Callable[[str], bytes], limits: Limits | None = None) -> tuple[str, list[bytes]]:
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
        url = UpstreamConfig("127.0.0.1", server.sockets[0].getsockname()[1], "", secure=False)
        try:
            leg = await reach(Way(url, None), limits or Limits())
            await ask(leg, url, WISH)
            leg.attach(heard.append, lambda: None, lambda _: None)
            leg.close()
        finally:
            await over.wait()
    return heads[0], heard


def test_the_csms_is_asked_for_a_path_with_our_headers_alone() -> None:
    """The station's subprotocols, and what we say of where it came from."""
    head, heard = asyncio.run(meet(answer))

    assert head.startswith("GET /ocpp/CP-001 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert "Sec-WebSocket-Protocol: ocpp2.0.1\r\n" in head
    assert "X-Forwarded-For: 192.0.2.7\r\n" in head
    assert heard == []


def test_a_message_that_comes_with_the_101_is_not_lost() -> None:
    """A quick CSMS may speak before we have read its head."""
    _, heard = asyncio.run(meet(lambda head: answer(head, more=b"\x81\x02hi")))

    assert [f.payload for f in Walker(masked=False, limit=99, fragments=1).feed(b"".join(heard))] == [b"hi"]
    assert TEXT == 1


@pytest.mark.parametrize(
    ("say", "final"),
    [
        pytest.param(lambda head: answer(head, "403 Forbidden"), True, id="refused"),
        pytest.param(lambda head: answer(head, "503 Later"), False, id="not now"),
        pytest.param(lambda head: answer(head, protocol="ocpp9"), False, id="another subprotocol"),
        pytest.param(lambda _: b"HTTP/1.1 101 X\r\nSec-WebSocket-Accept: x\r\n\r\n", False, id="another key"),
        pytest.param(lambda _: b"x" * 10_000, False, id="an endless head"),
        pytest.param(lambda _: b"SSH-2.0-x\r\n\r\n", False, id="not HTTP"),
    ],
)
def test_any_other_answer_is_no_connection(say: Callable[[str], bytes], final: bool) -> None:
    """Only what the CSMS says of this very station would be the same at its other URLs."""
    with pytest.raises(UpstreamError) as refused:
        asyncio.run(meet(say))
    assert refused.value.final is final
    assert not isinstance(refused.value, UnreachedError)


def test_where_nobody_listens_nobody_is_reached() -> None:
    """Told apart from a CSMS that answers in the wrong way."""

    async def story() -> None:
        with pytest.raises(UnreachedError):
            await reach(Way(UpstreamConfig("127.0.0.1", NO_UPSTREAM, "", secure=False), None), Limits())

    asyncio.run(story())


@pytest.mark.parametrize("run", [uvloop.run, asyncio.run])
@pytest.mark.parametrize("trusted", [True, False])
def test_what_goes_first_goes_before_tls_and_tls_must_be_vouched_for(
    tmp_path: Path, trusted: bool, run: Callable[[Coroutine[object, object, bytes]], bytes]
) -> None:
    """A header of the PROXY protocol stands in clear, before the handshake; a stranger's certificate is no CSMS."""
    party = ROOT.issue("localhost", dns="localhost")
    (tmp_path / "server.pem").write_text(party.key_pem + party.pem)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "server.pem")

    def serve(listening: socket.socket) -> bytes:
        sock, _ = listening.accept()
        first = sock.recv(len(PREAMBLE), socket.MSG_WAITALL)
        with contextlib.suppress(OSError), serving.wrap_socket(sock, server_side=True) as secured:
            secured.sendall(answer(secured.recv(10_000).decode()))
            secured.recv(1)
        return first

    async def story() -> bytes:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            first = asyncio.ensure_future(asyncio.to_thread(serve, listening))
            url = UpstreamConfig("localhost", listening.getsockname()[1], "", secure=True)
            believed = ssl.create_default_context(cadata=ROOT.pem if trusted else None)
            try:
                leg = await reach(Way(url, believed, PREAMBLE), Limits())
                await ask(leg, url, WISH)
                leg.close()
            finally:
                said = await first
        return said

    if trusted:
        assert run(story()) == PREAMBLE
    else:
        with pytest.raises(UnreachedError, match="CERTIFICATE_VERIFY_FAILED"):
            run(story())


@pytest.mark.parametrize("run", [uvloop.run, asyncio.run])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_csms_that_wants_another_certificate_of_ours_is_understood(
    tmp_path: Path, version: ssl.TLSVersion, run: Callable[[Coroutine[object, object, str]], str]
) -> None:
    """In TLS 1.3 it says so after the handshake (RFC 8446 4.4.2.4), and then our upgrade only sees the end of it."""
    party = ROOT.issue("localhost", dns="localhost")
    (tmp_path / "server.pem").write_text(party.key_pem + party.pem)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=ROOT.pem)
    serving.load_cert_chain(tmp_path / "server.pem")
    serving.verify_mode, serving.maximum_version = ssl.CERT_REQUIRED, version

    def serve(listening: socket.socket) -> None:
        sock, _ = listening.accept()
        with serving.wrap_socket(sock, server_side=True, do_handshake_on_connect=False) as secured:
            with pytest.raises(ssl.SSLError):
                secured.do_handshake()
            secured.shutdown(socket.SHUT_WR)
            while secured.recv(10_000):  # in clear from here on; what is left unread would take the alert away
                pass

    async def story() -> str:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            served = asyncio.ensure_future(asyncio.to_thread(serve, listening))
            url = UpstreamConfig("localhost", listening.getsockname()[1], "", secure=True)
            with pytest.raises(UpstreamError) as refused:
                await ask(await reach(Way(url, ssl.create_default_context(cadata=ROOT.pem)), Limits()), url, WISH)
            await served
        return refused.value.says

    assert "ALERT" in run(story())
