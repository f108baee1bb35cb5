"""A CSMS that answers every call at once and does nothing else, so that what is measured is the proxy before it."""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop
from websockets.utils import accept_key

from secproxy.frames import CLOSE, TEXT, Walker, encode

ANSWERS = {b"Heartbeat": b'{"currentTime":"2026-01-01T00:00:00Z"}'}  # to everything else: {}


class Answering(asyncio.Protocol):
    """One station's connection."""

    def __init__(self) -> None:
        self._head = b""
        self._walker: Walker | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol."""
        if self._walker is None:
            self._open(data)
            return
        message = self._walker.whole(data)
        for text in [message] if message is not None else self._walk(data):
            _, message_id, _, action, *_ = text.split(b'"')
            self._transport.write(encode(TEXT, b'[3,"%s",%s]' % (message_id, ANSWERS.get(action, b"{}"))))

    def _open(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" in self._head:
            key = self._head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0].decode()
            answer = (
                "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: ocpp1.6\r\n"
            )
            self._transport.write(f"{answer}Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode())
            self._head, self._walker = b"", Walker(masked=True, limit=1 << 20, fragments=64)

    def _walk(self, data: bytes) -> list[bytes]:
        assert self._walker is not None
        frames = self._walker.feed(data)
        if any(frame.opcode == CLOSE for frame in frames):
            self._transport.close()
        return [frame.payload for frame in frames if frame.opcode == TEXT]


async def main() -> None:
    """Serve until the input ends."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
