"""The web process: firmware downloads over HTTPS, the status of certificates over HTTP, and the recorder of events.

* Keys come from the authority over its socket and live in memory; OpenSSL reads them from a file that has no name.
* While the authority is away every download answers 503; when it is back, its certificates are fetched anew.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import sys
from typing import TYPE_CHECKING, Final

import uvicorn
import uvloop
from uvicorn.protocols.http.h11_impl import H11Protocol

from pki.edge import calls
from pki.edge.http.downloads import downloads
from pki.edge.vault import Vault
from pki.errors import BollardError, ConflictError, UnreachableError
from secproxy.config import parse_address, parse_config
from secproxy.edge.authority_line import AuthorityLine
from secproxy.edge.patience import HEAD_SECONDS, Patience
from secproxy.edge.recorder import Recorder
from secproxy.edge.status_listener import QuietServer, hear, status_application, status_server
from secproxy.edge.tls import SUITES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.applications import Starlette

    from pki.edge.home import Home
    from pki.edge.http.status import Status
    from secproxy.config import WebConfig

CONNECTIONS_MOST: Final = 512  # at once; more are answered 503, which stations take as "try again"
IDLE_SECONDS: Final = 5  # a kept-alive connection without a request
FAREWELL_SECONDS: Final = 3  # for transfers under way at the end; less than the supervisor's grace of 5


def run_web(home: Home, address: str = "") -> None:
    """Serve until SIGTERM or SIGINT. ``address`` (``127.0.0.1:8440``, port 0 for any) overrides the settings."""
    web = _config(home)
    host, port = parse_address(address) if address else (web.host, web.port)
    uvloop.run(_run(home, (host, port), web.status))


def _config(home: Home) -> WebConfig:
    effective = home.run / "config.toml"  # what the supervisor runs with; alone, the settings hold
    return parse_config((effective if effective.is_file() else home.settings).read_text(encoding="utf-8")).web


async def _run(home: Home, address: tuple[str, int], status_address: tuple[str, int] | None) -> None:
    line, context = AuthorityLine(home), _context()
    status = status_application(line, _alarm)
    socks = [_bind(address, "web.address"), *([_bind(status_address, "web.status_address")] if status_address else [])]
    servers = [_server(_application(home, line), context), *(status_server(status) for _ in socks[1:])]
    ready = asyncio.Event()
    tasks = [
        asyncio.ensure_future(_follow(line, context, ready, status)),
        asyncio.ensure_future(Recorder(home).run()),
        asyncio.ensure_future(_asked_to_stop()),
    ]
    serving = [asyncio.ensure_future(_serve(*each, ready)) for each in zip(servers, socks, strict=True)]
    done, _ = await asyncio.wait([*tasks, *serving], return_when=asyncio.FIRST_COMPLETED)
    await _stop(servers, serving)
    for task in [*tasks, *serving]:
        task.cancel()
    await asyncio.gather(*tasks, *serving, return_exceptions=True)
    for sock in socks:
        sock.close()
    for task in done:
        task.result()


async def _stop(servers: list[QuietServer], serving: Sequence[asyncio.Future[None]]) -> None:
    """Let those that serve finish what is under way."""
    for server, task in zip(servers, serving, strict=True):
        if server.started:
            server.should_exit = True
            await asyncio.wait([task])


async def _asked_to_stop() -> None:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()


async def _follow(line: AuthorityLine, context: ssl.SSLContext, ready: asyncio.Event, status: Status) -> None:
    """Take in the news. Our certificates are fetched at first, after every restart of the authority, when renewed."""
    async for news in line.news():
        hear(status, news)
        if isinstance(news, calls.Snapshot | calls.CredentialsChanged):
            try:
                _present(context, await line.ask(calls.FetchCredentials(), calls.Credentials))
                ready.set()
            except UnreachableError:
                pass  # gone again: its return is the next Snapshot
            except BollardError as problem:  # the ones at hand are presented on
                if not ready.is_set():
                    raise
                _alarm(problem)


def _application(home: Home, line: AuthorityLine) -> Starlette:
    async def redeem(token: str) -> calls.DownloadAllowed:
        return await line.ask(calls.RedeemDownload(token=token), calls.DownloadAllowed)

    async def record(served: calls.RecordDownload) -> None:
        await line.ask(served, calls.Done)

    return downloads(redeem, record, Vault(home.vault), _alarm)


def _alarm(problem: BollardError) -> None:
    print(f"web: {problem} {problem.advice}", file=sys.stderr, flush=True)


class _Protocol(H11Protocol):
    """Uvicorn's own protocol, with patience."""

    _patience: Patience | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn itself
        """Part of asyncio's protocol."""
        super().connection_made(transport)
        self._patience = Patience(self.loop, transport, HEAD_SECONDS)
        self._patience.heard(0, busy=False)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol."""
        super().data_received(data)
        if self._patience is not None:
            self._patience.heard(len(data), busy=self.cycle is not None and not self.cycle.response_complete)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        if self._patience is not None:
            self._patience.rest()
        super().connection_lost(exc)


def _server(application: Starlette, context: ssl.SSLContext) -> QuietServer:
    return QuietServer(
        "web",
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
        ),
    )


async def _serve(server: QuietServer, sock: socket.socket, ready: asyncio.Event) -> None:
    await ready.wait()
    await server.serve(sockets=[sock])


def _bind(address: tuple[str, int], key: str) -> socket.socket:
    host, port = address
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as problem:
        sock.close()
        says = f"cannot listen on {host} port {port}: {problem.strerror}"
        raise ConflictError("web.address", says, f"Stop what uses it, or change {key}.") from None
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
