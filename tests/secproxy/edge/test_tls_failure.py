"""A failed handshake leaves the one cause that a person can do something about."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
from OpenSSL import SSL

from secproxy.edge.tls_failure import HandshakeError
from tests.certs import DAY, NOW, Party
from tests.secproxy.edge.legs import ROOT, STATION, STATIONS, client_context, connect, meet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secproxy.edge.tls import TlsLeg

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
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "tls.missing", id="plain HTTP"),
        pytest.param(b"CONNECT x:443 HTTP/1.1\r\n\r\n", "tls.missing", id="plain HTTP to a proxy"),
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
