"""The TLS side of a station's connection, over real sockets, against clients of another TLS library."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
import uvloop
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL, crypto

from pki.edge.calls import Credentials
from secproxy.edge.tls import HandshakeError, TlsLeg, server_context
from tests.certs import DAY, NOW, Party

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509

ROOT = Party.root()
STATIONS = ROOT.issue("Station CA", ca=True)
SERVER_EC = ROOT.issue("localhost", dns="localhost")
SERVER_RSA = ROOT.issue("localhost", dns="localhost", key=rsa.generate_private_key(65537, 2048))
CREDENTIALS = Credentials(SERVER_EC.pem, SERVER_EC.key_pem, SERVER_RSA.pem, SERVER_RSA.key_pem)
STATION = STATIONS.issue("SN-1")


def der(certificate: x509.Certificate) -> bytes:
    """A certificate as it travels."""
    return certificate.public_bytes(serialization.Encoding.DER)


Serve = Callable[[TlsLeg], Awaitable[None]]


def client_context(tmp_path: Path, party: Party | None, *chain: Party) -> ssl.SSLContext:
    """A client that trusts the root and presents a certificate, by the standard library."""
    context = ssl.create_default_context(cadata=ROOT.pem)
    if party is not None:
        (tmp_path / "c.pem").write_text(party.key_pem + party.pem + "".join(link.pem for link in chain))
        context.load_cert_chain(tmp_path / "c.pem")
    return context


async def meet(serve: Serve, client: Callable[[int], None], *, mutual: bool = True) -> None:
    """Let a client in a thread meet one leg of ours on loopback."""
    loop = asyncio.get_running_loop()
    context = server_context(CREDENTIALS, [STATIONS.certificate], mutual=mutual)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    visit = loop.run_in_executor(None, client, listening.getsockname()[1])
    sock, _ = await loop.sock_accept(listening)
    sock.setblocking(False)
    leg = TlsLeg(loop, sock, context, "peer")
    try:
        async with asyncio.timeout(10):
            await serve(leg)
            await visit
    finally:
        leg.abort()
        listening.close()


def connect(context: ssl.SSLContext, say: bytes, heard: list[bytes]) -> Callable[[int], None]:
    """A client that says something and collects what it hears until the end."""

    def visit(port: int) -> None:
        try:
            with (
                socket.create_connection(("127.0.0.1", port), 10) as raw,
                context.wrap_socket(raw, server_hostname="localhost") as tls,
            ):
                heard.append(str(tls.version()).encode())
                tls.sendall(say)
                while data := tls.recv(65_536):
                    heard.append(data)
        except ssl.SSLError as refused:
            heard.append(str(refused.reason).encode())
        except OSError as lost:
            heard.append(type(lost).__name__.encode())

    return visit


def test_a_station_with_a_certificate_of_ours_is_heard_and_answered(tmp_path: Path) -> None:
    """Handshake, head, verified chain, and an answer that arrives before the close."""
    heard: list[bytes] = []

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        assert await leg.read_head(b"\r\n\r\n", 100) == b"GET / HTTP/1.1\r\n\r\n"
        assert leg.verified_chain() == (der(STATION.certificate), der(STATIONS.certificate))
        assert (leg.version, bool(leg.cipher)) == ("TLSv1.3", True)
        await leg.farewell(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    asyncio.run(meet(serve, connect(client_context(tmp_path, STATION), b"GET / HTTP/1.1\r\n\r\n", heard)))

    assert heard == [b"TLSv1.3", b"HTTP/1.1 403 Forbidden\r\n\r\n"]


OTHER = Party.root("Other Root")


@pytest.mark.parametrize(
    ("party", "chain", "cause"),
    [
        pytest.param(OTHER.issue("SN-1"), [], "cert.unknown_ca", id="unknown CA"),
        pytest.param(Party.root("SN-1"), [], "cert.unknown_ca", id="self-signed"),
        pytest.param(STATIONS.issue("SN-1", start=NOW - 9 * DAY, end=NOW - DAY), [], "cert.expired", id="expired"),
        pytest.param(STATIONS.issue("SN-1", start=NOW + DAY), [], "cert.not_yet_valid", id="not yet valid"),
        pytest.param(ROOT.issue("localhost"), [], "cert.unknown_ca", id="a CSMS certificate of the same root"),
        pytest.param(STATION.issue("SN-2"), [STATION], "cert.unknown_ca", id="issued by a station"),
        pytest.param(OTHER.issue_bits("SN-1"), [], "cert.unknown_ca", id="unknown CA, a name that is no text"),
        pytest.param(None, [], "cert.missing", id="no certificate"),
    ],
)
def test_a_certificate_that_does_not_hold_ends_the_handshake_with_its_cause(
    tmp_path: Path, party: Party | None, chain: list[Party], cause: str
) -> None:
    """A00.FR.403, .407: the refusal names the one cause, and the client gets an alert, not a reset."""
    heard: list[bytes] = []

    async def serve(leg: TlsLeg) -> None:
        with pytest.raises(HandshakeError) as refused:
            await leg.handshake()
        assert cause == refused.value.cause
        await leg.farewell(b"")

    asyncio.run(meet(serve, connect(client_context(tmp_path, party, *chain), b"GET / HTTP/1.1\r\n\r\n", heard)))

    assert b"ALERT" in heard[-1]


@pytest.mark.parametrize(
    "suite",
    ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384"],
)
def test_tc_a_04_all_four_mandatory_suites_are_served_on_one_listener(tmp_path: Path, suite: str) -> None:
    """TC_A_04 and TC_086: an ECDSA and an RSA certificate wait for whoever can use only one of them (A00.FR.318)."""
    context = client_context(tmp_path, STATION)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite)
    used: list[str] = []

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        used.append(leg.cipher)
        await leg.farewell(b"x")

    asyncio.run(meet(serve, connect(context, b"", [])))

    assert [suite] == used


def old_client(version: int, heard: list[str]) -> Callable[[int], None]:
    """A client that offers an old TLS version and nothing else, which the standard library no longer does."""

    def visit(port: int) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", port)) as raw:
            connection = SSL.Connection(context, raw)
            connection.set_connect_state()
            try:
                connection.do_handshake()
            except SSL.Error as refused:
                heard.append(str(refused))

    return visit


@pytest.mark.parametrize("version", [SSL.TLS1_VERSION, SSL.TLS1_1_VERSION])
def test_tc_a_06_a_version_below_tls_1_2_is_refused_as_such(version: int) -> None:
    """TC_A_06: the handshake is cut, the cause is the version (A00.FR.314)."""
    heard: list[str] = []

    async def serve(leg: TlsLeg) -> None:
        with pytest.raises(HandshakeError) as refused:
            await leg.handshake()
        assert refused.value.cause == "tls.version"
        await leg.farewell(b"")

    asyncio.run(meet(serve, old_client(version, heard), mutual=False))

    assert "protocol version" in heard[0]


def test_a_client_with_forbidden_suites_alone_is_refused_as_such(tmp_path: Path) -> None:
    """A00.FR.322: the cause is the cipher suite."""
    context = client_context(tmp_path, STATION)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0")

    async def serve(leg: TlsLeg) -> None:
        with pytest.raises(HandshakeError) as refused:
            await leg.handshake()
        assert refused.value.cause == "tls.cipher"
        await leg.farewell(b"")

    asyncio.run(meet(serve, connect(context, b"", [])))


@pytest.mark.parametrize(
    ("noise", "cause"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "tls.failed", id="plain HTTP"),
        pytest.param(b"\0" * 64, "tls.failed", id="noise"),
        pytest.param(b"", "", id="a probe that says nothing"),
    ],
)
def test_what_is_not_tls_is_one_line_in_the_journal_at_most(noise: bytes, cause: str) -> None:
    """A port scan leaves no traceback, and a silent probe leaves nothing."""

    def visit(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), 10) as raw:
            raw.sendall(noise)

    async def serve(leg: TlsLeg) -> None:
        with pytest.raises(HandshakeError) as refused:
            await leg.handshake()
        assert cause == refused.value.cause
        await leg.farewell(b"")

    asyncio.run(meet(serve, visit))


def test_more_than_the_socket_takes_is_kept_and_arrives_whole(tmp_path: Path) -> None:
    """A slow reader gets every byte, in order; ``on_drain`` says when."""
    heard: list[bytes] = []
    payload = bytes(range(256)) * 40_000
    read_on = threading.Event()
    context = client_context(tmp_path, STATION)

    def visit(port: int) -> None:
        with (
            socket.create_connection(("127.0.0.1", port), 10) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as tls,
        ):
            read_on.wait(10)
            while data := tls.recv(65_536):
                heard.append(data)

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        drained = asyncio.Event()
        leg.attach(lambda _: None, lambda: None, drained.set)
        leg.write(payload[: len(payload) // 2])
        leg.write(payload[len(payload) // 2 :])
        assert leg.waiting > 0
        read_on.set()
        await drained.wait()
        assert leg.waiting == 0
        leg.close()

    asyncio.run(meet(serve, visit))

    assert payload == b"".join(heard)


def test_a_paused_leg_reads_nothing_until_resumed(tmp_path: Path) -> None:
    """Back-pressure: what comes while paused waits in the kernel and is not lost."""

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        got, whole = bytearray(), asyncio.Event()

        def take(data: bytes) -> None:
            got.extend(data)
            if len(got) == 100_000:
                whole.set()

        leg.attach(take, lambda: None, lambda: None)
        leg.pause()
        await asyncio.sleep(0)
        assert got == b""
        leg.resume()
        await whole.wait()
        leg.close()

    asyncio.run(meet(serve, connect(client_context(tmp_path, STATION), b"x" * 100_000, [])))


def test_a_peer_that_resets_before_the_leg_is_handed_over_is_an_end(tmp_path: Path) -> None:
    """Uvloop gives up its own watch then, which must not become an error of ours."""
    context, gone = client_context(tmp_path, STATION), threading.Event()

    def visit(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), 10) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as tls:
                tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.set()

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        await asyncio.to_thread(gone.wait, 10)
        await asyncio.sleep(0.05)  # until the loop has seen it; where it has not, the end is found in another way
        ended = asyncio.Event()
        leg.attach(lambda _: None, ended.set, lambda: None)
        await asyncio.wait_for(ended.wait(), 10)

    uvloop.run(meet(serve, visit))


def test_a_session_is_never_resumed(tmp_path: Path) -> None:
    """Resumption would skip the certificate's check, so a second connection shakes hands in full."""
    context = client_context(tmp_path, STATION)
    session: list[ssl.SSLSession | None] = [None]
    reused: list[bool] = []

    def visit(port: int) -> None:
        with (
            socket.create_connection(("127.0.0.1", port), 10) as raw,
            context.wrap_socket(raw, server_hostname="localhost", session=session[0]) as tls,
        ):
            tls.recv(1)
            session[0] = tls.session
            reused.append(bool(tls.session_reused))

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        await leg.farewell(b"x")

    for _ in range(2):
        asyncio.run(meet(serve, visit))

    assert reused == [False, False]


def test_credentials_never_show_their_keys() -> None:
    """A log line with the credentials in it gives nothing away."""
    assert "PRIVATE" not in repr(CREDENTIALS)
    assert crypto.load_privatekey(crypto.FILETYPE_PEM, CREDENTIALS.rsa_key.encode()).bits() == 2048
