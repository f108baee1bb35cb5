"""The real download application on a real HTTPS port of this machine, and a client for it."""

from __future__ import annotations

import http.client
import secrets
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import uvicorn
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.edge.calls import DownloadAllowed, RecordDownload
from pki.edge.http.downloads import downloads
from pki.edge.vault import Vault, take_in
from pki.errors import BollardError, NotFoundError
from tests.pki.firmware.makers import make_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from starlette.applications import Starlette


@dataclass
class Desk:
    """What the authority would do: it knows tokens, and keeps what was served."""

    granted: dict[str, DownloadAllowed] = field(default_factory=dict)
    served: list[RecordDownload] = field(default_factory=list)
    alarms: list[BollardError] = field(default_factory=list)
    away: BollardError | None = None
    full: BollardError | None = None
    ending: bool = False
    told: threading.Event = field(default_factory=threading.Event)

    async def redeem(self, token: str) -> DownloadAllowed:
        """Turn a token into what it is for."""
        if self.away:
            raise self.away
        if token not in self.granted:
            raise NotFoundError("download.unknown", "unknown")
        return self.granted[token]

    async def record(self, served: RecordDownload) -> None:
        """Keep what was served."""
        if self.full:
            raise self.full
        self.served.append(served)
        self.told.set()

    def alarm(self, problem: BollardError) -> None:
        """Keep what went wrong."""
        self.alarms.append(problem)
        self.told.set()


@dataclass(frozen=True)
class Answer:
    """One response, read to its end or as far as it went."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


@dataclass(frozen=True)
class Site:
    """A running download server with one granted image."""

    desk: Desk
    vault: Vault
    folder: Path
    image: bytes
    digest: str
    token: str
    port: int
    context: ssl.SSLContext

    @property
    def path(self) -> str:
        """The link to the image."""
        return f"/f/{self.token}/{self.digest[:16]}.bin"

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Send one request; header names are given with underscores."""
        connection = self.connect()
        try:
            connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            response = connection.getresponse()
            try:
                body, complete = response.read(), True
            except http.client.IncompleteRead as cut:
                body, complete = cut.partial, False
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body, complete)
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPSConnection:
        """Open a connection."""
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=20)


@contextmanager
def serving(folder: Path, image: bytes) -> Iterator[Site]:
    """Serve ``image`` from a vault below ``folder``."""
    source = folder / "incoming"
    source.write_bytes(image)
    vault, desk, token = Vault(folder / "vault"), Desk(), secrets.token_urlsafe(16)
    digests = take_in(source)
    vault.keep(source, digests.hex)
    desk.granted[token] = DownloadAllowed(station="CP-001", digest=digests.hex, size=digests.size)
    server_context, client_context = contexts(folder)
    app = downloads(desk.redeem, desk.record, vault, desk.alarm, lambda: desk.ending)
    with running(app, server_context) as port:
        yield Site(desk, vault, folder, image, digests.hex, token, port, client_context)


@contextmanager
def running(app: Starlette, context: ssl.SSLContext) -> Iterator[int]:
    """Run an application in a thread of its own and say at which port."""
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=2,
            ssl_context_factory=lambda _config, _default: context,
        )
    )
    thread = threading.Thread(target=server.run, args=([sock],))
    thread.start()
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS for a server and for a client that trusts it."""
    root = make_root("localhost")
    pem = folder / "server.pem"
    key = root.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    pem.write_text(key + root.pem)
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(pem)
    client.check_hostname = False
    client.load_verify_locations(cadata=root.pem)
    return server, client
