"""Appends events to a file, one a line, durably before the mark moves.

The file is opened for each batch, so that whoever moves it away needs to tell nobody. A half line that a crash left
behind is ended first, so that it spoils no other. Above ``rotate_mib`` the file is set aside as ``PATH.1``, in place of
an older one: a stranger who makes events cannot fill the disk.
"""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from secproxy.event_settings import MIB
from secproxy.export.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secproxy.event_settings import Sink
    from secproxy.export.event import Event, Origin


class FileWay:
    """The way into a file."""

    def __init__(self, sink: Sink, origin: Origin) -> None:
        self._path = Path(sink.path)
        self._rotate = sink.rotate_mib * MIB
        self._write = FORMATS[sink.format]
        self._origin = origin

    async def send(self, events: Sequence[Event]) -> None:
        """Append events; ``OSError`` when they are not on the disk."""
        lines = b"".join(self._write(event, self._origin) + b"\n" for event in events)
        await asyncio.to_thread(self._append, lines)

    async def close(self) -> None:
        """Nothing is held open."""

    def _append(self, lines: bytes) -> None:
        # not blocking, else a pipe in the file's place would hold us up for ever
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        handle = os.open(self._path, flags, 0o600)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise OSError(0, "it is no plain file")
            half = found.st_size and os.pread(handle, 1, found.st_size - 1) != b"\n"
            self._write_whole(handle, b"\n" * bool(half) + lines, found.st_size)
            os.fsync(handle)
            full = self._rotate and found.st_size + len(lines) >= self._rotate
        finally:
            os.close(handle)
        if full:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))

    def _write_whole(self, handle: int, lines: bytes, before: int) -> None:
        if os.write(handle, lines) < len(lines):
            os.ftruncate(handle, before)  # the disk is full: all of it comes again
            raise OSError(0, "the disk is full")
