"""One end of a line between the supervisor and those who speak to it: one word a line, over a Unix socket.

Rules this file keeps:

* What is no word, and what is longer than any, ends the line.
* Nobody waits for the other end: what was said is sent by and by, and how much of it is unread can be asked.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

import msgspec

from pki.edge.wire import short_path

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from secproxy.edge.claim_wire import FromCommand, Word

LINE_BYTES: Final = 512 * 1024  # bytes of one line; a report about the most URLs there can be has a quarter of it


def line(word: Word) -> bytes:
    """Write a word as its line."""
    return msgspec.json.encode(word) + b"\n"


class Wire(asyncio.Protocol):
    """One end of a line: a protocol, not a stream, because every connection of a station passes here twice.

    ``hear`` gets each line without its end and may raise ``ValueError``, which ends the line; ``ended`` is called once,
    when it is over.
    """

    def __init__(self, hear: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._hear = hear
        self._ended = ended
        self.rest = b""
        """What was heard of a line whose end is still to come."""
        self._transport: asyncio.Transport | None = None

    @property
    def open(self) -> bool:
        """Whether there is another end."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def peer(self) -> socket.socket:
        """The socket, while the line is open."""
        assert self._transport is not None  # noqa: S101 (asked for in connection_made at the earliest)
        found: socket.socket = self._transport.get_extra_info("socket")
        return found

    @property
    def unread(self) -> int:
        """Bytes said that the other end has not taken."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        self._transport = cast("asyncio.Transport", transport)  # a socket's; uvloop's own class is none of asyncio's

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        try:
            for each in lines:
                self._hear(each)
        except ValueError:
            self.abort()
        if len(self.rest) > LINE_BYTES:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio names it)
        """Part of asyncio's protocol."""
        self._transport = None
        self._ended()

    def say(self, *words: Word) -> None:
        """Say these words at once; nobody hears them when the line is over."""
        if words and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(map(line, words)))

    def close(self) -> None:
        """Hang up once everything said has been taken."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()


async def ask(path: Path, word: FromCommand) -> bytes:
    """Ask the supervisor that listens at ``path`` one thing; return its one line, empty when it hung up.

    The caller bounds the time. Raises ``OSError`` when nobody listens there.
    """
    with short_path(path) as near:
        reader, writer = await asyncio.open_unix_connection(near, limit=LINE_BYTES)
    try:
        writer.write(line(word))
        return await reader.readline()
    finally:
        writer.close()
