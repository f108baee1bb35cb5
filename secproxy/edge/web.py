"""The web process: firmware downloads and EST over HTTPS, certificates' status over HTTP; events recorded and sent on.

* Keys come from the authority over its socket and live in memory.
* While the authority is away every download answers 503; when it is back, its certificates are fetched anew.
* The page for those who watch over the home opens at once, the others when there are certificates to present.
* Who asks for a certificate is told to the authority as it came; nothing is judged here.
* Asked to end, it accepts nobody at its door and begins no download; those under way go on for a while, and everything
  else with them, so that only their door is away meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import h11
import uvicorn
import uvloop
from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

from pki.edge import calls, hardening, log
from pki.edge.home import read_settings
from pki.edge.http.downloads import downloads
from pki.edge.http.est import est
from pki.edge.http.status import KEYS_AGE, KEYS_PATH, KEYS_TYPE
from pki.edge.vault import Vault
from pki.errors import BollardError, ConflictError, UnreachableError
from pki.settings import parse_settings
from secproxy.assertion import key_set
from secproxy.config import parse_address, parse_config, write_address
from secproxy.edge.authority_line import AuthorityLine
from secproxy.edge.doorkeeper import Doorkeeper
from secproxy.edge.export.exporters import export, marks_of
from secproxy.edge.export.traces import send_spans
from secproxy.edge.gathering import Gathering
from secproxy.edge.journal import Journal
from secproxy.edge.log_lines import LogLines
from secproxy.edge.metrics_listener import Watching, metrics_server
from secproxy.edge.patience import HEAD_SECONDS, Patience
from secproxy.edge.pulse import beating
from secproxy.edge.recorder import Recorder
from secproxy.edge.sockets import Hatch, make
from secproxy.edge.staples import Staples, staples_by
from secproxy.edge.status_listener import QuietServer, hear, status_application, status_server
from secproxy.edge.web_door import TlsTransport, WebDoor, showing, web_context
from secproxy.event_settings import parse_event_settings
from secproxy.export.event import Origin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from OpenSSL import SSL
    from starlette.applications import Starlette
    from starlette.requests import Request
    from uvicorn._types import ASGI3Application

    from pki.edge.home import Home
    from pki.edge.http.status import Status
    from secproxy.config import Config
    from secproxy.edge.web_door import Application
    from secproxy.events import Note

CONNECTIONS_MOST: Final = 512  # at once; more are answered 503, which stations take as "try again"
IDLE_SECONDS: Final = 5  # a kept-alive connection without a request


def run_web(home: Home, address: str = "", version: str = "") -> None:
    """Serve until SIGTERM or SIGINT. ``address`` (``127.0.0.1:8440``, port 0 for any) overrides the settings.

    ``version`` is Bollard's own, for what is sent to others.
    """
    hatch = Hatch.inherited()
    hardening.begin(home.path)
    logging.getLogger().addHandler(LogLines("web"))
    config = _config(home)
    if address:
        host, port = parse_address(address)
        config = replace(config, web=replace(config.web, host=host, port=port))
    handed = {place.duty: sock for place, sock in (hatch.take() or {}).items()} if hatch else {}
    if hatch is not None:
        hatch.close()  # what it listens to changes with its process
    uvloop.run(_run(home, config, Origin.of(socket.gethostname(), version), handed))


def _config(home: Home) -> Config:
    effective = home.run / "config.toml"  # what the supervisor runs with; alone, the settings hold
    return parse_config((effective if effective.is_file() else home.settings).read_text(encoding="utf-8"))


async def _run(home: Home, config: Config, origin: Origin, handed: Mapping[str, socket.socket]) -> None:
    """``handed`` are sockets by their duty, of ``sockets.WEB``; for those that are not among them one is made."""
    address = config.web.host, config.web.port
    mine = handed.get("web") or _bind(address, "web.address")
    places = ((config.web.status, "status", "web.status_address"), (config.metrics, "metrics", "metrics.address"))
    socks = [handed.get(duty) or _bind(place, key) if place else None for place, duty, key in places]
    line, asks = AuthorityLine(home), parse_settings(read_settings(home)).est
    status, events = status_application(line, _alarm), parse_event_settings(read_settings(home))
    staples = staples_by(line)
    async with AsyncExitStack() as stack:
        write = partial(_write, stack.enter_context(Journal(home.journal, "web")))
        await stack.enter_async_context(beating(home.web_socket))
        ending = asyncio.Event()
        application = _application(home, line, write, status, ending.is_set, asks=asks)
        door = _door(application, address, mine, config.limits.transfer_end_seconds)
        watching = Watching(home, Gathering(home, line.ask, origin.version))
        at_once = asyncio.Event()  # who watches over us wants to know most while something is missing
        at_once.set()
        pages = (status_server(status), door.ready), (metrics_server(watching), at_once)
        opening = [(page, [sock], ready) for (page, ready), sock in zip(pages, socks, strict=True) if sock]
        servers: list[QuietServer] = [door, *(page for page, _, _ in opening)]
        tasks = [
            asyncio.ensure_future(_follow(line, door, status, staples, asks=asks)),
            asyncio.ensure_future(staples.keep()),
            asyncio.ensure_future(Recorder(home, events.retention, marks_of(events)).run()),
            asyncio.ensure_future(export(home, events, origin, write)),
            *([asyncio.ensure_future(send_spans(home, config.traces, origin))] if config.traces else []),
            asyncio.ensure_future(_asked_to_stop(ending)),
        ]
        serving = [asyncio.ensure_future(_serve(*each)) for each in ((door, None, door.ready), *opening)]
        done, _ = await asyncio.wait([*tasks, *serving], return_when=asyncio.FIRST_COMPLETED)
        ending.set()
        await _stop(servers, serving)
        for task in [*tasks, *serving]:
            task.cancel()
        await asyncio.gather(*tasks, *serving, return_exceptions=True)
    for _, [sock], _ in opening:
        sock.close()
    for task in done:
        task.result()


async def _stop(servers: list[QuietServer], serving: Sequence[asyncio.Future[None]]) -> None:
    """Let those that serve finish what is under way, one after the other."""
    for server, task in zip(servers, serving, strict=True):
        if server.started:
            server.should_exit = True
            await asyncio.wait([task])


async def _asked_to_stop(stop: asyncio.Event) -> None:
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()


async def _follow(line: AuthorityLine, door: _Door, status: Status, staples: Staples, *, asks: bool) -> None:
    """Take in the news. Our certificates are fetched at first, after every restart of the authority, when renewed."""
    async for news in line.news():
        hear(status, news)
        if isinstance(news, calls.StatusChanged):
            staples.forget(news.issuer_key_id, news.serial)
        if isinstance(news, calls.Snapshot | calls.CredentialsChanged):
            try:
                credentials = await line.ask(calls.FetchCredentials(), calls.Credentials)
                status.publish(key_set(credentials.assertion_public))
                staples.present(credentials)
                door.present(web_context(credentials, asks=asks, staple=staples.of))
            except UnreachableError:
                pass  # gone again: its return is the next Snapshot
            except BollardError as problem:  # the ones at hand are presented on
                if not door.ready.is_set():
                    raise
                _alarm(problem)


def _write(journal: Journal, note: Note) -> None:
    try:
        journal.write(note)
    except BollardError as problem:
        _alarm(problem)


def _application(
    home: Home,
    line: AuthorityLine,
    write: Callable[[Note], None],
    status: Status,
    ending: Callable[[], bool],
    *,
    asks: bool,
) -> Starlette:
    async def redeem(token: str) -> calls.DownloadAllowed:
        return await line.ask(calls.RedeemDownload(token=token), calls.DownloadAllowed)

    async def record(served: calls.RecordDownload) -> None:
        await line.ask(served, calls.Done)

    application = downloads(redeem, record, Vault(home.vault), _alarm, ending)
    application.add_route(KEYS_PATH, _keys_of(status), methods=["GET"])
    if asks:
        application.mount("/.well-known/est", est(line.ask, Doorkeeper(write), _alarm))
    return application


def _keys_of(status: Status) -> Callable[[Request], Awaitable[Response]]:
    """Serve the keys for assertions here too: over plain HTTP nobody vouches for them."""

    async def answer(_: Request) -> Response:
        headers = {"Cache-Control": f"max-age={KEYS_AGE}, public", "X-Content-Type-Options": "nosniff"}
        return Response(status.key_set, 200 if status.key_set else 404, headers, KEYS_TYPE)

    return answer


def _alarm(problem: BollardError) -> None:
    log.complain(problem, who="web")


class _Protocol(H11Protocol):
    """Uvicorn's own protocol, with patience."""

    _patience: Patience | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn itself
        """Part of asyncio's protocol."""
        super().connection_made(transport)
        if isinstance(transport, TlsTransport) and (shown := transport.shown()):
            self.app = cast("ASGI3Application", showing(cast("Application", self.app), shown))
        self._patience = Patience(self.loop, transport, HEAD_SECONDS)
        self._patience.heard(0, busy=False)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol."""
        super().data_received(data)
        if self._patience is not None:
            self._patience.heard(len(data), busy=self.cycle is not None and not self.cycle.response_complete)

    def send_400_response(self, msg: str) -> None:
        """Part of uvicorn's protocol: what came is no HTTP. Said where nothing was answered yet."""
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        if self._patience is not None:
            self._patience.rest()
        super().connection_lost(exc)


class _Door(QuietServer):
    """Uvicorn behind a door of our own, which opens when there are certificates to present."""

    def __init__(self, config: uvicorn.Config, address: tuple[str, int], sock: socket.socket, transfers: float) -> None:
        super().__init__("web", config)
        self._address, self._socket, self._transfers = address, sock, transfers
        self._context: SSL.Context | None = None
        self._door: WebDoor | None = None
        self.ready = asyncio.Event()

    def present(self, context: SSL.Context) -> None:
        """Use these certificates for connections from now on."""
        self._context = context
        if self._door is not None:
            self._door.present(context)
        self.ready.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Open the door, then say where it is."""
        assert self._context is not None  # noqa: S101 - for the type; it is served when ready
        await self.lifespan.startup()
        self._door = WebDoor(*self._address, self._context, self._protocol, self._socket)
        self.servers = [cast("asyncio.Server", self._door)]  # uvicorn closes it and waits, no more
        self.started = True
        log.say("process.ready", f"web ready on {write_address(self._address[0], self._door.port)}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut the door, let what is under way finish, and cut off what takes too long."""
        try:
            async with asyncio.timeout(self._transfers):
                await super().shutdown(sockets)
        except TimeoutError:
            cut = [*self.server_state.tasks]
            for task in cut:
                task.cancel()
            says = f"{len(cut)} requests were cut off that took more than {self._transfers:.0f} seconds to finish"
            log.say("process.cut", says, who="web", level=log.Level.WARNING)
            await self.lifespan.shutdown()  # which keeps what was served of them

    def _protocol(self) -> asyncio.Protocol:
        return _Protocol(self.config, self.server_state, self.lifespan.state)


def _door(application: Starlette, address: tuple[str, int], sock: socket.socket, transfers: float) -> _Door:
    config = uvicorn.Config(
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
    )
    return _Door(config, address, sock, transfers)


async def _serve(server: QuietServer, socks: list[socket.socket] | None, ready: asyncio.Event) -> None:
    await ready.wait()
    await server.serve(socks)


def _bind(address: tuple[str, int], key: str) -> socket.socket:
    try:
        return make(*address, shared=False)
    except OSError as problem:
        says = f"cannot listen on {address[0]} port {address[1]}: {problem.strerror}"
        raise ConflictError("web.address", says, f"Stop what uses it, or change {key}.") from None
