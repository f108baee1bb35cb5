"""Lets others see that a process of ours still works: whoever connects to its socket is told so, then hung up on.

A process that was stopped still has the kernel take connections for it; only an answer shows that its loop turns.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from pki.edge.wire import LEFT_ALONE, bind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ALIVE: Final = b"alive\n"


@contextlib.asynccontextmanager
async def beating(path: Path) -> AsyncIterator[None]:
    """Answer at ``path`` for the length of the block; a socket file left behind by an earlier run is replaced."""
    server = await asyncio.start_unix_server(_answer, sock=bind(path), **LEFT_ALONE)
    try:
        yield
    finally:
        server.close()
        _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


async def _answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.write(ALIVE)
        await writer.drain()
    writer.close()
