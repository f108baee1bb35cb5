"""The CSMS side of a station's connection: one WebSocket of ours for one station, with its path and subprotocol."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from secproxy import head

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from secproxy.config import Limits
    from secproxy.upstreams import UpstreamConfig


LINGER_SECONDS: Final = 5.0  # how long what is buffered may take to leave after ``close``
SERVER_FAULT: Final = 500  # HTTP statuses from here on are about the server, not about who asks (RFC 9110 15.6)


class UpstreamError(Exception):
    """This CSMS takes no connection from us for this station; ``says`` is for the journal.

    ``final`` when it was the CSMS that said no: another URL of the same CSMS would say the same.
    """

    def __init__(self, says: str, *, final: bool = False) -> None:
        super().__init__(says)
        self.says = says
        self.final = final


class UnreachedError(UpstreamError):
    """Not even TCP, or TLS, could be had."""


@dataclass(frozen=True, slots=True)
class Way:
    """How one URL is reached: ``secure`` is None for ws://, ``preamble`` are bytes that go before TLS."""

    url: UpstreamConfig
    secure: ssl.SSLContext | None
    preamble: bytes = b""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for there: a path, one of these subprotocols, and our headers."""

    path: str
    subprotocols: Sequence[str]
    headers: Sequence[tuple[str, str]]


class UpstreamLeg(asyncio.Protocol):
    """Our WebSocket towards the CSMS.

    Until ``attach`` the bytes after its 101 are kept; then every chunk goes to ``on_data``, the end, once, to
    ``on_end``, and ``on_block`` hears True when the CSMS reads too slowly and False when it has caught up. ``csms`` is
    the name in the settings of the CSMS that was reached.
    """

    __slots__ = (
        "_got", "_limits", "_opened", "_why", "csms", "on_block", "on_data", "on_end", "subprotocol", "transport",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._got = b""
        self._opened: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport | None = None
        self.csms = self.subprotocol = self._why = ""
        self.on_data: Callable[[bytes], None] | None = None
        self.on_end: Callable[[], None] | None = None
        self.on_block: Callable[[bool], None] | None = None

    async def connect(self, way: Way) -> None:
        """Connect, send what goes first, and have TLS if it is due. Raises ``OSError``."""
        loop, url = asyncio.get_running_loop(), way.url
        plain, _ = await loop.create_connection(lambda: self, url.host, url.port)
        if way.preamble:
            plain.write(way.preamble)
        if way.secure is not None:
            secured = await loop.start_tls(plain, self, way.secure, server_hostname=url.host)
            if secured is None:
                raise ConnectionError("the CSMS closed the connection during the TLS handshake")
            self.connection_made(secured)

    async def upgrade(self, url: UpstreamConfig, wish: Wish) -> None:
        """Ask for the upgrade and read the answer. Raises ``HeadError`` or ``UpstreamError``."""
        key = base64.b64encode(os.urandom(16)).decode()
        if self.transport is None:
            raise UpstreamError(f"the CSMS closed the connection before it was asked for anything{self._why}")
        self._opened = asyncio.get_running_loop().create_future()
        self.write(head.write_request(_authority(url), wish.path, key, wish.subprotocols, wish.headers))
        await self._opened
        end = self._got.index(head.END) + len(head.END)
        self.subprotocol = head.read_response(self._got[:end], key, wish.subprotocols)
        self._opened, self._got = None, self._got[end:]

    # -- asyncio.Protocol ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        self.transport = cast("asyncio.Transport", transport)  # a socket's; uvloop's own class is none of asyncio's
        self.transport.set_write_buffer_limits(high=self._limits.write_high_water)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol."""
        if self.on_data is not None:
            self.on_data(data)
            return
        self._got += data
        if self._opened is None or self._opened.done():
            return
        if head.END in self._got:
            self._opened.set_result(None)
        elif len(self._got) > self._limits.head_bytes:
            self._opened.set_exception(UpstreamError("the CSMS answered with an endless head"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        self._why = f": {_alert(exc)}" if isinstance(exc, ssl.SSLError) else ""
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(UpstreamError(f"the CSMS closed the connection during the upgrade{self._why}"))
        self.transport = None
        on_end, self.on_end, self.on_data, self.on_block = self.on_end, None, None, None
        if on_end is not None:
            on_end()

    def pause_writing(self) -> None:
        """Part of asyncio's protocol."""
        if self.on_block is not None:
            self.on_block(True)

    def resume_writing(self) -> None:
        """Part of asyncio's protocol."""
        if self.on_block is not None:
            self.on_block(False)

    # -- the WebSocket ---------------------------------------------------------------------------------------------

    def attach(
        self, on_data: Callable[[bytes], None], on_end: Callable[[], None], on_block: Callable[[bool], None]
    ) -> None:
        """Hand the leg over to callbacks."""
        self.on_data, self.on_end, self.on_block = on_data, on_end, on_block
        early, self._got = self._got, b""
        if early:
            on_data(early)
        if self.transport is None:
            self.connection_lost(None)

    def write(self, data: bytes) -> None:
        """Send; buffered by the transport."""
        if self.transport is not None:
            self.transport.write(data)

    def close(self) -> None:
        """Send what is buffered, then close; a CSMS that does not read it in time loses the rest."""
        if self.transport is not None:
            self.transport.close()
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self.transport.abort)

    def abort(self) -> None:
        """Close now; ``on_end`` is not called."""
        self.on_data = self.on_end = self.on_block = None
        if self.transport is not None:
            self.transport.abort()


async def reach(way: Way, limits: Limits) -> UpstreamLeg:
    """Connect to a URL, without asking for anything yet; the caller bounds the time. Raises ``UnreachedError``."""
    leg = UpstreamLeg(limits)
    try:
        await leg.connect(way)
    except OSError as failure:
        leg.abort()
        raise UnreachedError(f"the CSMS cannot be reached: {failure.strerror or failure}") from None
    except BaseException:
        leg.abort()
        raise
    return leg


async def ask(leg: UpstreamLeg, url: UpstreamConfig, wish: Wish) -> None:
    """Have the CSMS open the WebSocket and choose among the station's subprotocols; the caller bounds the time.

    Raises ``UpstreamError``; the leg is of no use then.
    """
    try:
        await leg.upgrade(url, wish)
    except head.HeadError as refusal:
        raise UpstreamError(refusal.says, final=0 < refusal.theirs < SERVER_FAULT) from None
    finally:
        if not leg.subprotocol:
            leg.abort()


def _alert(failure: ssl.SSLError) -> str:
    """Name the alert: in TLS 1.3 a server refuses the client's certificate, or that there is none, after the handshake
    (RFC 8446 4.4.2)."""
    return str(failure.reason or failure)[:80]


def _authority(upstream: UpstreamConfig) -> str:
    """Host and port for the ``Host`` header; a scheme's own port is left out (RFC 9110 7.2)."""
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    return host if upstream.port == (443 if upstream.secure else 80) else f"{host}:{upstream.port}"


def mask() -> bytes:
    """Four bytes that nobody can guess, for a frame of ours towards the CSMS (RFC 6455 5.3)."""
    return os.urandom(4)
