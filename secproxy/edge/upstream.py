"""The CSMS side of a station's connection: one WebSocket of ours for one station, with its path and subprotocol."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from typing import TYPE_CHECKING, Final, cast

from secproxy import head
from secproxy.config import upstream_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from secproxy.admission import Admitted
    from secproxy.config import Config, Limits, UpstreamConfig


LINGER_SECONDS: Final = 5.0  # how long what is buffered may take to leave after ``close``


class UpstreamError(Exception):
    """The CSMS cannot be reached or does not accept the upgrade; ``says`` is for the journal."""

    def __init__(self, says: str) -> None:
        super().__init__(says)
        self.says = says


class UpstreamLeg(asyncio.Protocol):
    """Our WebSocket towards the CSMS.

    Until ``attach`` the bytes after its 101 are kept; then every chunk goes to ``on_data``, the end, once, to
    ``on_end``, and ``on_block`` hears True when the CSMS reads too slowly and False when it has caught up.
    """

    __slots__ = ("_got", "_limits", "_opened", "on_block", "on_data", "on_end", "subprotocol", "transport")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._got = b""
        self._opened: asyncio.Future[None] | None = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self.subprotocol = ""
        self.on_data: Callable[[bytes], None] | None = None
        self.on_end: Callable[[], None] | None = None
        self.on_block: Callable[[bool], None] | None = None

    async def open(
        self, upstream: UpstreamConfig, path: str, subprotocols: Sequence[str], extra: Sequence[tuple[str, str]]
    ) -> None:
        """Connect, ask for the upgrade, and read the answer. Raises ``OSError``, ``HeadError`` or ``UpstreamError``."""
        secure = ssl.create_default_context() if upstream.secure else None
        loop, key = asyncio.get_running_loop(), base64.b64encode(os.urandom(16)).decode()
        await loop.create_connection(lambda: self, upstream.host, upstream.port, ssl=secure)
        self.write(head.write_request(_authority(upstream), path, key, subprotocols, extra))
        if self._opened is not None:
            await self._opened
        end = self._got.index(head.END) + len(head.END)
        self.subprotocol = head.read_response(self._got[:end], key, subprotocols)
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

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        """Part of asyncio's protocol."""
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(UpstreamError("the CSMS closed the connection during the upgrade"))
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


async def dial(config: Config, admitted: Admitted, extra: Sequence[tuple[str, str]]) -> UpstreamLeg:
    """Open a WebSocket to the CSMS for an admitted station and let it choose among the station's subprotocols.

    ``extra`` are headers of ours. Raises ``UpstreamError``.
    """
    if config.upstream is None:
        raise UpstreamError("no CSMS is configured; start with --upstream or set csms.upstream in bollard.toml")
    leg = UpstreamLeg(config.limits)
    try:
        async with asyncio.timeout(config.limits.upstream_seconds):
            await leg.open(config.upstream, upstream_path(config.upstream, admitted), admitted.subprotocols, extra)
    except TimeoutError:
        raise UpstreamError(f"the CSMS did not answer within {config.limits.upstream_seconds} s") from None
    except OSError as failure:
        raise UpstreamError(f"the CSMS cannot be reached: {failure.strerror or failure}") from None
    except head.HeadError as refusal:
        raise UpstreamError(refusal.says) from None
    finally:
        if not leg.subprotocol:
            leg.abort()
    return leg


def _authority(upstream: UpstreamConfig) -> str:
    """Host and port for the ``Host`` header; a scheme's own port is left out (RFC 9110 7.2)."""
    host = f"[{upstream.host}]" if ":" in upstream.host else upstream.host
    return host if upstream.port == (443 if upstream.secure else 80) else f"{host}:{upstream.port}"


def mask() -> bytes:
    """Four bytes that nobody can guess, for a frame of ours towards the CSMS (RFC 6455 5.3)."""
    return os.urandom(4)
