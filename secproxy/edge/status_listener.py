"""The listener where anybody asks about certificates, as the web process runs it: plain HTTP, bounded, quick.

What was signed before is served from memory; the news of the authority say when to forget it.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

import uvicorn

from pki.edge import calls, log
from pki.edge.http.keeping import Keeping
from pki.edge.http.status import Status
from secproxy.config import write_address
from secproxy.edge.patience import StatusProtocol

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterator

    from pki.errors import BollardError
    from secproxy.edge.authority_line import AuthorityLine

CONNECTIONS_MOST: Final = 1_024  # at once; more are answered 503
IDLE_SECONDS: Final = 5  # a kept-alive connection without a request
FAREWELL_SECONDS: Final = 2  # for answers under way at the end


class QuietServer(uvicorn.Server):
    """Uvicorn without its own signal handling, because this process has one place for that; it says when it serves."""

    def __init__(self, name: str, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._name = name

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say where."""
        await super().startup(sockets)
        for sock in sockets or ():
            host, port = sock.getsockname()[:2]
            log.say("process.ready", f"{self._name} ready on {write_address(host, port)}")


def status_application(line: AuthorityLine, alarm: Callable[[BollardError], None]) -> Status:
    """Make the application, which asks the authority over this line."""

    async def fetch(issuer: str, shard: int) -> calls.Crl:
        return await line.ask(calls.FetchCrl(issuer, shard), calls.Crl)

    async def answer(request: bytes) -> calls.OcspAnswer:
        return await line.ask(calls.AnswerOcsp(request), calls.OcspAnswer)

    return Status(Keeping(fetch, answer, time.time), alarm)


def hear(status: Status, news: calls.News) -> None:
    """Let a piece of news count for what is served."""
    match news:
        case calls.Snapshot():  # news may have been missed before it
            status.keeping.forget_all()
            status.know(news.issuers)
        case calls.TrustChanged():
            status.know(news.issuers)
        case calls.StatusChanged():
            status.keeping.forget(news.issuer_key_id, news.serial)
        case calls.CrlChanged():
            status.keeping.forget_list(news.issuer, news.shard)
        case _:
            pass


def status_server(status: Status) -> QuietServer:
    """Make the server; run it with a socket that is bound."""
    return plain_server("status", status, CONNECTIONS_MOST, IDLE_SECONDS, FAREWELL_SECONDS)


def plain_server(
    name: str, application: Callable[..., Awaitable[None]], connections: int, idle_seconds: int, farewell_seconds: int
) -> QuietServer:
    """Make a server of plain HTTP with these bounds; run it with a socket that is bound."""
    return QuietServer(
        name,
        uvicorn.Config(
            application,
            http=StatusProtocol,
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=connections,
            timeout_keep_alive=idle_seconds,
            timeout_graceful_shutdown=farewell_seconds,
        ),
    )
