"""Syslog over UDP (RFC 5426), TCP (RFC 6587, octets counted) and TLS (RFC 5425).

* Syslog has no answers. Over TCP and TLS a batch counts as taken when the other end's kernel has acknowledged every
  byte; because its program may die with them unread, the last batch is sent again on the connection after a broken one.
* UDP promises nothing: what is refused at once is noticed, what is lost on the way is not.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from typing import TYPE_CHECKING, Final

from secproxy.edge.export.lines import tls_context
from secproxy.export.formats import syslog_message
from secproxy.export.rfc5424 import frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secproxy.event_settings import Sink
    from secproxy.export.event import Event, Origin

DEADLINE: Final = 15.0  # seconds to connect, send a batch and have it acknowledged
LOOK_SECONDS: Final = 0.01  # seconds between two looks whether the kernel still holds unacknowledged bytes
REFUSAL_SECONDS: Final = 0.05  # seconds in which a host says that nobody listens for datagrams; on a local network


class DatagramWay:
    """The way to a collector over UDP."""

    def __init__(self, sink: Sink, origin: Origin) -> None:
        self._sink = sink
        self._origin = origin

    async def send(self, events: Sequence[Event]) -> None:
        """Send each event as a datagram; ``OSError`` when none can be sent or nobody listens."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(DEADLINE):
            found = await loop.getaddrinfo(self._sink.host, self._sink.port, type=socket.SOCK_DGRAM)
            family, kind, _, _, address = found[0]
            with socket.socket(family, kind) as sock:
                sock.setblocking(False)
                sock.connect(address)
                for event in events:
                    sock.send(syslog_message(event, self._origin, self._sink.format))
                    await asyncio.sleep(0)
                await asyncio.sleep(REFUSAL_SECONDS)
                if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise OSError(code, "nobody listens there")

    async def close(self) -> None:
        """Nothing is held open."""


class StreamWay:
    """The way to a collector over TCP or TLS; the connection is kept."""

    def __init__(self, sink: Sink, origin: Origin) -> None:
        self._sink = sink
        self._origin = origin
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._last = b""

    async def send(self, events: Sequence[Event]) -> None:
        """Send events and have them acknowledged; ``OSError`` when they were not."""
        frames = b"".join(frame(syslog_message(event, self._origin, self._sink.format)) for event in events)
        try:
            async with asyncio.timeout(DEADLINE):
                await self._send(frames)
        except BaseException:
            await self.close()
            raise
        self._last = frames

    async def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            (_, writer), self._line = self._line, None
            writer.transport.abort()

    async def _send(self, frames: bytes) -> None:
        if self._line is not None and _is_broken(*self._line):
            await self.close()
        again = b""
        if self._line is None:
            self._line, again = await self._connect(), self._last
        reader, writer = self._line
        writer.write(again + frames)
        await writer.drain()
        while _unacknowledged(writer):  # noqa: ASYNC110 - it waits for the kernel, which tells nobody
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.sleep(0)  # what the other end said meanwhile is heard
        if _is_broken(reader, writer):
            raise ConnectionResetError("the collector hung up")

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._sink.host, self._sink.port
        context = await asyncio.to_thread(tls_context, self._sink) if self._sink.tls else None
        name = host if context else None
        return await asyncio.open_connection(host, port, ssl=context, server_hostname=name)


def _is_broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    return writer.is_closing() or reader.at_eof() or reader.exception() is not None


def _unacknowledged(writer: asyncio.StreamWriter) -> int:
    """How many bytes the other end's kernel has not acknowledged (SIOCOUTQ of tcp(7)); none on a broken line."""
    if writer.is_closing():
        return 0
    if waiting := writer.transport.get_write_buffer_size():
        return waiting
    told = fcntl.ioctl(writer.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("=i", told)[0])
