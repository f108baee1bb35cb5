"""Security profile 1: no TLS, a password, and everything else as on any other listener."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from OpenSSL import SSL
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.headers import build_authorization_basic
from websockets.typing import Subprotocol

from pki import password
from secproxy.config import Limits
from secproxy.edge.clear import NO_TLS, Clear
from tests.secproxy.edge.doors import UPGRADE, Door, csms, door, known, registered, trusting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "Kp7tqZ3wYx9RmBc4NsVd"
VERIFIER = password.remember(SECRET, b"s" * 16, generated=True)
PLAIN = registered(profile=1, verifier=VERIFIER)


def dial(at: Door, secret: str = SECRET, identity: str = "CP-001") -> connect:
    """A station that speaks plain WebSocket."""
    return connect(
        f"ws://127.0.0.1:{at.port}/ocpp/{identity}",
        subprotocols=[Subprotocol("ocpp1.6")],
        additional_headers={"Authorization": build_authorization_basic(identity, secret)},
        compression=None,
        ping_interval=None,
        proxy=None,
    )


def test_a_station_of_profile_1_is_let_in_by_its_password(tmp_path: Path) -> None:
    """A00.FR.202, .204; the CSMS is not told that there was TLS. More than one read and write goes through whole."""
    long = f'[2,"1","DataTransfer",{{"vendorId":"v","data":"{"x" * 50_000}"}}]'

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(PLAIN), backend.port, profile=1) as at:
            async with dial(at) as station:
                await station.send(long)
                assert await backend.heard.get() == long
                upstream = await backend.sockets.get()
                await upstream.send('[3,"1",{}]')
                assert await station.recv() == '[3,"1",{}]'
            assert await backend.closed.get() == 1000
            [(_, headers)] = backend.requests
            assert (headers["X-Forwarded-Proto"], headers["Bollard-Profile"]) == ("http", "1")
            with pytest.raises(InvalidStatus) as refused:
                await dial(at, "wrong")
            assert refused.value.response.status_code == 401
            assert await at.around.causes(1) == ["auth.wrong_password"]

    asyncio.run(story())


def test_attack_09_a_station_of_a_higher_profile_is_refused_without_tls(tmp_path: Path) -> None:
    """A05.FR.09: also with the right password, and with the answer that a stranger gets."""

    async def story() -> None:
        async with csms() as backend:
            view = known(registered(profile=2, verifier=VERIFIER), registered("CP-002", "SN-2"))
            async with door(tmp_path, view, backend.port, profile=1) as at:
                for identity in ("CP-001", "CP-002"):
                    with pytest.raises(InvalidStatus) as refused:
                        await dial(at, identity=identity)
                    assert refused.value.response.status_code == 401
                assert await at.around.causes(2) == ["profile.too_low"] * 2
                assert backend.requests == []

    asyncio.run(story())


@pytest.mark.parametrize(
    ("said", "status"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"x" * 9_000, b"431", id="test_attack_13 a giant head"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"408", id="test_attack_13 a head that never ends"),
        pytest.param(b"\x16", b"408", id="what may become TLS, or anything"),
    ],
)
def test_the_limits_of_a_head_hold_without_tls(tmp_path: Path, said: bytes, status: bytes) -> None:
    """Bounded in size and time, with one event."""

    async def story() -> None:
        async with door(tmp_path, known(PLAIN), profile=1, limits=Limits(head_seconds=0.3)) as at:
            reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
            writer.write(said)
            assert (await reader.read()).split(b" ")[1] == status
            assert await at.around.causes(1) == ["http.bad_request"]
            writer.close()

    asyncio.run(story())


PATIENT = Limits(head_seconds=60)  # longer than a test may take: what ends sooner was not waited for


def test_attack_42_a_client_that_wants_tls_is_turned_away_at_once_with_one_event(tmp_path: Path) -> None:
    """A station of profile 2 that was given the wrong port. A00.FR.201."""

    async def story() -> None:
        async with door(tmp_path, known(PLAIN), profile=1, limits=PATIENT) as at:
            with pytest.raises(OSError, match=r"."):
                await asyncio.open_connection("127.0.0.1", at.port, ssl=trusting(tmp_path), server_hostname="localhost")
            assert await at.around.causes(1) == ["tls.unexpected"]

    asyncio.run(story())


async def trickle(at: Door, said: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Say this in one segment for each byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for number in range(len(said)):
        writer.write(said[number : number + 1])
        await asyncio.sleep(0.001)
    return reader, writer


def test_attack_42_a_slow_client_that_wants_tls_is_turned_away_as_soon_as_it_shows(tmp_path: Path) -> None:
    """Two bytes say it; nobody waits for the others."""

    async def story() -> None:
        async with door(tmp_path, known(PLAIN), profile=1, limits=PATIENT) as at:
            reader, writer = await trickle(at, b"\x16\x03")
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
            assert await at.around.causes(1) == ["tls.unexpected"]
            writer.close()

    asyncio.run(story())


def test_a_station_that_speaks_byte_by_byte_is_heard_out(tmp_path: Path) -> None:
    """A slow line is no reason to refuse anybody."""
    basic = build_authorization_basic("CP-001", SECRET).encode()
    said = UPGRADE.replace(b"\r\n\r\n", b"\r\nAuthorization: " + basic + b"\r\n\r\n")

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(PLAIN), backend.port, profile=1, limits=PATIENT) as at:
            reader, writer = await trickle(at, said)
            assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
            writer.close()

    asyncio.run(story())


@pytest.mark.parametrize("whole", [True, False])
def test_attack_42_a_request_without_tls_is_told_apart_at_a_listener_with_it(tmp_path: Path, whole: bool) -> None:
    """The other way round: at once as well, and not as a handshake that broke. A00.FR.312."""

    async def story() -> None:
        limits = Limits(handshake_seconds=60)
        async with door(tmp_path, known(PLAIN), profile=3, limits=limits) as at:
            reader, writer = await trickle(at, b"" if whole else UPGRADE[:5])  # as much as it takes to tell
            writer.write(UPGRADE if whole else b"")
            assert await at.around.causes(1) == ["tls.missing"]
            assert await reader.read() == b""
            writer.close()

    asyncio.run(story())


@pytest.fixture
def pair() -> Iterator[tuple[Clear, socket.socket]]:
    """Our end of a connection, and the peer's."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield Clear(ours), theirs
    ours.close()
    theirs.close()


def fill(clear: Clear) -> None:
    """Send until there is no more room."""
    while True:
        clear.send(b"x" * 65_536)


def test_it_answers_as_openssl_would(pair: tuple[Clear, socket.socket]) -> None:
    """The same words for: nothing yet, no more room, and the end."""
    clear, peer = pair
    with pytest.raises(SSL.WantReadError):
        clear.recv(10)
    peer.send(b"hello")
    assert clear.recv(10) == b"hello"
    with pytest.raises(SSL.WantWriteError):
        fill(clear)
    peer.close()
    with pytest.raises((SSL.ZeroReturnError, ConnectionError)):
        clear.recv(10)
    assert (clear.get_verified_chain(), clear.get_peer_certificate(), clear.get_cipher_name()) == (None, None, None)
    assert clear.get_protocol_version_name() == NO_TLS
