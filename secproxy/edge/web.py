"""The web process: firmware downloads over HTTPS, and the recorder that puts security events into their database.

* Keys come from the authority over its socket and live in memory; OpenSSL reads them from a file that has no name.
* While the authority is away every download answers 503; when it is back, its certificates are fetched anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
from typing import TYPE_CHECKING, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pki.edge import calls
from pki.edge.http.downloads import downloads
from pki.edge.vault import Vault
from pki.errors import ConflictError, UnreachableError
from secproxy.config import parse_address, parse_config, write_address
from secproxy.edge.authority_line import AuthorityLine
from secproxy.edge.recorder import Recorder
from secproxy.edge.tls import SUITES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

    from pki.edge.home import Home
    from pki.errors import BollardError

CONNECTIONS_MOST: Final = 512  # at once; more are answered 503, which stations take as "try again"
IDLE_SECONDS: Final = 5  # a kept-alive connection without a request
HEAD_SECONDS: Final = 10.0  # from the connection, or the first byte of a further request, to the whole head
FAREWELL_SECONDS: Final = 3  # for transfers under way at the end; less than the supervisor's grace of 5


def run_web(home: Home, address: str = "") -> None:
    """Serve until SIGTERM or SIGINT. ``address`` (``127.0.0.1:8440``, port 0 for any) overrides the settings."""
    asyncio.run(_run(home, _address(home, address)))


def _address(home: Home, address: str) -> tuple[str, int]:
    if address:
        return parse_address(address)
    effective = home.run / "config.toml"  # what the supervisor runs with; alone, the settings hold
    config = parse_config((effective if effective.is_file() else home.settings).read_text(encoding="utf-8"))
    return config.web.host, config.web.port


async def _run(home: Home, address: tuple[str, int]) -> None:
    line, context, sock = AuthorityLine(home), _context(), _bind(address)
    server, ready = _server(_application(home, line), context), asyncio.Event()
    tasks = [
        asyncio.ensure_future(_present_always(line, context, ready)),
        asyncio.ensure_future(Recorder(home).run()),
        asyncio.ensure_future(_serve(server, sock, ready)),
        asyncio.ensure_future(_asked_to_stop()),
    ]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    if server.started:
        server.should_exit = True
        await asyncio.wait([tasks[2]])
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    sock.close()
    for task in done:
        task.result()


async def _asked_to_stop() -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()


async def _present_always(line: AuthorityLine, context: ssl.SSLContext, ready: asyncio.Event) -> None:
    """Fetch the certificates at first, after every restart of the authority, and whenever they are renewed."""
    async for news in line.news():
        if isinstance(news, calls.Snapshot | calls.CredentialsChanged):
            with contextlib.suppress(UnreachableError):  # gone again: its return is the next Snapshot
                _present(context, await line.ask(calls.FetchCredentials(), calls.Credentials))
                ready.set()


def _application(home: Home, line: AuthorityLine) -> Starlette:
    async def redeem(token: str) -> calls.DownloadAllowed:
        return await line.ask(calls.RedeemDownload(token=token), calls.DownloadAllowed)

    async def record(served: calls.RecordDownload) -> None:
        await line.ask(served, calls.Done)

    return downloads(redeem, record, Vault(home.vault), _alarm)


def _alarm(problem: BollardError) -> None:
    print(f"web: {problem} {problem.advice}", file=sys.stderr, flush=True)


class _Protocol(H11Protocol):
    """Uvicorn's own waits for ever for a request's head; here that ends, or a few strangers would fill the house."""

    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn itself
        """Part of asyncio's protocol."""
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        self._rest()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._rest()
        elif self._patience is None:
            self._patience = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handling, because this process has one place for that; it says when it serves."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say where."""
        await super().startup(sockets)
        for sock in sockets or ():
            host, port = sock.getsockname()[:2]
            print(f"web ready on {write_address(host, port)}", file=sys.stderr, flush=True)


def _server(application: Starlette, context: ssl.SSLContext) -> _Server:
    return _Server(
        uvicorn.Config(
            application,
            http=_Protocol,
            ws="none",
            loop="none",
            lifespan="on",
            log_config=None,
            log_level="error",
            access_log=False,  # links are secrets
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_MOST,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=FAREWELL_SECONDS,
            ssl_context_factory=lambda _config, _default: context,
        )
    )


async def _serve(server: _Server, sock: socket.socket, ready: asyncio.Event) -> None:
    await ready.wait()
    await server.serve(sockets=[sock])


def _bind(address: tuple[str, int]) -> socket.socket:
    host, port = address
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as problem:
        sock.close()
        says = f"cannot listen on {host} port {port}: {problem.strerror}"
        raise ConflictError("web.address", says, "Stop what uses it, or change [web].address.") from None
    return sock


def _context() -> ssl.SSLContext:
    """TLS 1.2 and 1.3 with the standard's suites (A00.FR.313, .318); its certificates come later."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES.decode("ascii"))
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def _present(context: ssl.SSLContext, credentials: calls.Credentials) -> None:
    """Load the certificates; connections made from now on see them."""
    pairs = [(credentials.ecdsa_chain, credentials.ecdsa_key), (credentials.rsa_chain, credentials.rsa_key)]
    for chain, key in [(chain, key) for chain, key in pairs if key]:
        with os.fdopen(os.memfd_create("credentials", os.MFD_CLOEXEC), "w") as unnamed:
            unnamed.write(key + "\n" + chain)
            unnamed.flush()
            context.load_cert_chain(f"/proc/self/fd/{unnamed.fileno()}")
