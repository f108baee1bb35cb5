"""The web process' door: TLS of our own making before uvicorn's HTTP, with a certificate for whoever has one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from secproxy.config import Limits
from secproxy.edge import web_door
from secproxy.edge.web_door import TlsTransport, WebDoor, showing, web_context
from tests.certs import DAY, NOW, Party
from tests.secproxy.edge.legs import CREDENTIALS, STATION, STATIONS, client_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOST = "localhost"
HASTY = Limits(handshake_seconds=0.2)


class Echo(asyncio.Protocol):
    """Answers each chunk with itself, or with what a test gives; keeps what happened to it."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.ended = asyncio.Event()
        self.paused = threading.Event()
        self.answer = b""
        self.closes = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, TlsTransport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer."""
        self.transport.write(self.answer or data)
        if self.closes:
            self.transport.close()

    def pause_writing(self) -> None:
        """The client is slow."""
        self.happened.append("pause")
        self.paused.set()

    def resume_writing(self) -> None:
        """It has caught up."""
        self.happened.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """It is over."""
        self.happened.append("lost")
        self.ended.set()


def meet(client: Callable[[int], None], *, asks: bool = True, prepare: Callable[[Echo], None] = lambda _: None) -> Echo:
    """Open a door, let a client in a thread come in, and wait until its connection is over."""

    async def story() -> Echo:
        echo = Echo()
        prepare(echo)
        door = WebDoor("127.0.0.1", 0, web_context(CREDENTIALS, asks=asks), lambda: echo)
        await asyncio.to_thread(client, door.port)
        async with asyncio.timeout(10):
            await echo.ended.wait()
        door.close()
        await door.wait_closed()
        return echo

    return asyncio.run(story())


def dial(context: ssl.SSLContext, port: int) -> ssl.SSLSocket:
    """Shake hands; an end without TLS' own goodbye is an error."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    return context.wrap_socket(sock, server_hostname=HOST, suppress_ragged_eofs=False)


def der(party: Party) -> bytes:
    """A certificate as it travels."""
    return party.certificate.public_bytes(Encoding.DER)


STRANGER = Party.root("Nobody").issue("SN-1", start=NOW - 9 * DAY, end=NOW - DAY)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    "shown",
    [
        pytest.param([], id="nothing"),
        pytest.param([STATION], id="a station's"),
        pytest.param([STATION, STATIONS], id="a station's and its issuer's"),
        pytest.param([STRANGER], id="one that ended, from nobody"),
    ],
)
def test_every_client_comes_in_and_what_it_showed_is_kept(
    tmp_path: Path, shown: list[Party], version: ssl.TLSVersion
) -> None:
    """Trust is not decided here, so no certificate keeps anybody from a download."""

    def client(port: int) -> None:
        context = client_context(tmp_path, *shown) if shown else client_context(tmp_path, None)
        context.minimum_version = context.maximum_version = version
        with dial(context, port) as tls:
            tls.sendall(b"hello")
            assert tls.recv(100) == b"hello"

    assert meet(client).transport.shown() == tuple(map(der, shown))


def test_nobody_is_asked_for_a_certificate_where_none_is_wanted(tmp_path: Path) -> None:
    """With EST switched off the handshake is as before."""

    def client(port: int) -> None:
        with dial(client_context(tmp_path, STATION), port) as tls:
            tls.sendall(b"hello")
            tls.recv(100)

    assert meet(client, asks=False).transport.shown() == ()


def test_a_key_that_is_not_the_certificates_is_not_let_in(tmp_path: Path) -> None:
    """The handshake proves possession (RFC 8446 4.4.3): a stolen certificate without its key shows nothing."""
    came_in: list[Echo] = []

    def make() -> Echo:
        came_in.append(Echo())
        return came_in[-1]

    async def story() -> None:
        door = WebDoor("127.0.0.1", 0, web_context(CREDENTIALS, asks=True), make)
        await asyncio.to_thread(forge, tmp_path, door.port)
        door.close()
        await door.wait_closed()

    asyncio.run(story())
    assert came_in == []


def forge(folder: Path, port: int) -> None:
    """Let openssl try to show a certificate with another key."""
    (folder / "c.pem").write_text(STATION.pem)
    (folder / "k.pem").write_text(STATIONS.key_pem)
    words = f"openssl s_client -connect 127.0.0.1:{port} -cert c.pem -key k.pem"
    tried = subprocess.run(words.split(), cwd=folder, input=b"", capture_output=True, check=False)
    assert tried.returncode != 0


def test_a_slow_client_pauses_the_answer_and_gets_all_of_it(tmp_path: Path) -> None:
    """No more than a block waits in our memory."""
    answer, paused = bytes(range(256)) * 80_000, threading.Event()

    def prepare(echo: Echo) -> None:
        echo.answer, echo.paused = answer, paused

    def client(port: int) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)  # else the kernel takes it all at once
        sock.settimeout(10)
        sock.connect(("127.0.0.1", port))
        with client_context(tmp_path, None).wrap_socket(sock, server_hostname=HOST) as tls:
            tls.sendall(b"go")
            assert paused.wait(10)  # a client that read at once might keep pace
            got = b""
            while len(got) < len(answer):
                got += tls.recv(65_536)
            assert got == answer

    assert meet(client, prepare=prepare).happened == ["pause", "resume", "lost"]


def test_the_last_answer_arrives_though_the_client_still_sends(tmp_path: Path) -> None:
    """Whoever is refused in the middle of an upload hears why, and then a proper end of TLS."""

    def prepare(echo: Echo) -> None:
        echo.answer, echo.closes = b"413", True

    def client(port: int) -> None:
        with dial(client_context(tmp_path, None), port) as tls:
            tls.sendall(b"A" * 16_000)
            with contextlib.suppress(OSError):
                tls.sendall(b"A" * 400_000)
            assert tls.recv(100) == b"413"
            assert tls.recv(100) == b""

    assert meet(client, prepare=prepare).happened == ["lost"]


def test_who_never_shakes_hands_is_shown_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Row 12 of the attacks, at this door; the others come in meanwhile."""
    monkeypatch.setattr(web_door, "Limits", lambda: HASTY)

    def client(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as silent:
            with dial(client_context(tmp_path, None), port) as tls:
                tls.sendall(b"hello")
                assert tls.recv(100) == b"hello"
            assert silent.recv(100) == b""

    meet(client)


def test_an_application_is_told_with_each_request(tmp_path: Path) -> None:
    """In ASGI's words, beside what else is told."""
    told: list[object] = []

    async def application(scope: dict[str, object], receive: object, send: object) -> None:
        told.append(scope["extensions"])

    wrapped = showing(application, (der(STATION),))  # type: ignore[arg-type]  # a dict is a mutable mapping
    asyncio.run(wrapped({"extensions": {"x": 1}}, None, None))  # type: ignore[arg-type]  # nothing is sent

    assert told == [{"x": 1, "tls": {"client_cert_chain": (STATION.pem,)}}]


def test_certificates_are_replaced_while_the_door_is_open(tmp_path: Path) -> None:
    """Connections from then on see the new ones; the door does not close for it."""
    root = Party.root("New Root")
    fresh = root.issue(HOST, dns=HOST)

    async def story() -> bytes:
        echo = Echo()
        door = WebDoor("127.0.0.1", 0, web_context(CREDENTIALS, asks=False), lambda: echo)
        renewed = type(CREDENTIALS)(fresh.pem, fresh.key_pem)
        door.present(web_context(renewed, asks=False))
        seen = await asyncio.to_thread(look, root, door.port)
        await echo.ended.wait()
        door.close()
        return seen

    assert asyncio.run(story()) == der(fresh)


def look(root: Party, port: int) -> bytes:
    """The certificate that a client sees."""
    context = ssl.create_default_context(cadata=root.pem)
    with dial(context, port) as tls:
        return tls.getpeercert(binary_form=True) or b""
