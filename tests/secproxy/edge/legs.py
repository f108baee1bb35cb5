"""Two ends of a TLS connection on loopback: a leg of ours, and a client of another TLS library in a thread."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pki.edge.calls import Credentials
from secproxy.edge.tls import TlsLeg
from secproxy.edge.tls_context import server_context
from tests.certs import Party

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509
    from OpenSSL import SSL

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


async def meet(
    serve: Serve, client: Callable[[int], None], *, mutual: bool = True, context: SSL.Context | None = None
) -> None:
    """Let a client in a thread meet one leg of ours on loopback."""
    loop = asyncio.get_running_loop()
    context = context or server_context(CREDENTIALS, [STATIONS.certificate], mutual=mutual)
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
