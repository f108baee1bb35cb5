"""A claim desk on its real socket, and peers that say to it what a test has them say."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from secproxy.edge import claim_wire as wire
from secproxy.edge import line_end
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.claim_estate import Kept

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CREDENTIAL = bytes(32)
OTHER = b"\x01" * 32
BOTH = {"connected": "00" * 8, "refused": "01" * 8}
NEVER = 3600.0


@dataclass
class Peer:
    """One worker as the desk sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, *words: wire.Word) -> None:
        self.writer.write(b"".join(map(line_end.line, words)))

    async def hear(self) -> wire.FromDesk:
        word: wire.FromDesk = msgspec.json.decode(await self.reader.readline(), type=wire.FromDesk)
        return word

    async def ended(self) -> bool:
        return await self.reader.read() == b""

    async def leave(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def peers(path: Path, count: int, *, probe_seconds: float = NEVER) -> AsyncIterator[list[Peer]]:
    """A desk and so many workers on the line to it."""
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(20):
        await stack.enter_async_context(ClaimDesk(probe_seconds, lambda _: None).open(path))
        found = [Peer(*await asyncio.open_unix_connection(path, limit=line_end.LINE_BYTES)) for _ in range(count)]
        for number, peer in enumerate(found):
            stack.push_async_callback(peer.leave)
            peer.say(wire.Hello(number))
        yield found


@contextlib.asynccontextmanager
async def heir(before: ClaimDesk, path: Path, probe_seconds: float = NEVER) -> AsyncIterator[ClaimDesk]:
    """A desk in another's place. Both live in this process, so it has descriptors of its own for the same sockets."""
    left = before.hand_over()
    lines = [msgspec.structs.replace(line, descriptor=os.dup(line.descriptor)) for line in left.lines]
    kept = msgspec.structs.replace(left, lines=lines, listening=os.dup(left.listening))
    for line in (*before._lines.values(), *before._silent.values()):
        assert line._transport
        line._transport.pause_reading()
    told = msgspec.json.decode(msgspec.json.encode(kept), type=Kept)

    async def reload() -> wire.ReloadDone:
        return wire.ReloadDone(("web",))

    made = ClaimDesk(probe_seconds, lambda _: None, reload, kept=told)
    async with made.open(path):
        yield made
