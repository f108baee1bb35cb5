"""The journal's files as its readers see them: which there are, what is new in them, and which will never grow again.

Rules this file keeps:

* A reader takes whole lines only. A half line is one being written, or all that a dead writer left behind.
* The writer of a segment holds an exclusive lock on it for as long as it may write. The kernel drops that lock with the
  process, so a segment whose lock can be had is final, whatever became of its writer.
"""

from __future__ import annotations

import fcntl
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_BYTES: Final = 1024 * 1024  # bytes read at a time; an event is a few hundred bytes, a few thousand at most

_NAME = re.compile(r"(?P<writer>[a-z0-9-]{1,40})-(?P<opened>\d{1,20})-(?P<pid>\d{1,10})\.jsonl")


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of the journal. ``opened`` is nanoseconds since 1970; ``size`` is bytes at the time of listing."""

    path: Path
    opened: int
    size: int

    @property
    def name(self) -> str:
        """The file's name, which never comes again: it holds the writer, the nanosecond and the process id."""
        return self.path.name


def segment_name(writer: str, opened: int, pid: int) -> str:
    """Name a new segment. ``writer`` is lower-case letters, digits and dashes, at most 40."""
    name = f"{writer}-{opened}-{pid}.jsonl"
    if not _NAME.fullmatch(name):
        raise ValueError(f"{writer!r} is no name of a writer")
    return name


def list_segments(folder: Path) -> list[Segment]:
    """List the journal's files, oldest first; one that vanishes meanwhile is left out."""
    found = []
    for path in folder.glob("*.jsonl"):
        name = _NAME.fullmatch(path.name)
        try:
            if name:
                found.append(Segment(path, int(name["opened"]), path.stat().st_size))
        except FileNotFoundError:
            continue
    return sorted(found, key=lambda segment: (segment.opened, segment.name))


@contextmanager
def held_if_final(segment: Segment) -> Iterator[bool]:
    """Tell whether nobody will write to a segment again: its writer turned to a newer one, closed it, or is dead.

    A final segment's lock is held for the block, for a segment just made looks final until its writer has locked it: a
    writer that comes too late finds it taken and makes another.
    """
    with segment.path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def read_lines(segment: Segment, offset: int, *, rest: bool = False) -> bytes:
    """Read what stands at ``offset``: whole lines, at most ``CHUNK_BYTES`` of them; empty when there are none.

    With ``rest`` a half line at the very end is read as well, once no whole line comes before it. A chunk without any
    line end cannot be an event, so it is returned as it is for the reader to report.
    """
    with segment.path.open("rb") as file:
        file.seek(offset)
        chunk = file.read(CHUNK_BYTES)
    whole = chunk[: chunk.rfind(b"\n") + 1]
    if not whole and (rest or len(chunk) == CHUNK_BYTES):
        return chunk
    return whole
