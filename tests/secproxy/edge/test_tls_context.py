"""What a listener agrees to, asked by clients of another TLS library."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
from OpenSSL import crypto

from tests.secproxy.edge.legs import CREDENTIALS, STATION, client_context, connect, meet

if TYPE_CHECKING:
    from pathlib import Path

    from secproxy.edge.tls import TlsLeg


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
