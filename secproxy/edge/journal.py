"""A security event is written down before anybody is answered, so that no crash of ours can swallow it.

Rules this file keeps:

* One event is one line of JSON and reaches the operating system in exactly one ``write``. A process that is killed
  right after has lost nothing. A power cut may cost the last moments: ``fsync`` happens when a segment is full and at
  the end, not per event, because a stranger must not be able to make the disk wait.
* Each process writes segments of its own, ``<writer>-<opened>-<pid>.jsonl``, and holds a lock on the one it writes.
  Whoever can take that lock knows the segment is final. The recorder moves lines into ``events.db`` and deletes
  final segments.
* A stranger cannot fill the disk. What waits for the recorder is bounded by ``WAITING_BYTES``; above half of it events
  of severity info and low are left out, above all of it every event is. What was left out is counted and told by the
  next event written (``journal.lost``).
* A full disk never ends the proxy: an event lost raises ``BollardError("journal.full")``, at most once a minute; the
  others are counted in silence.

Not safe for use by several threads at once: one journal belongs to one event loop.
"""

from __future__ import annotations

import datetime as dt
import errno
import fcntl
import os
import time
from typing import TYPE_CHECKING, Final, Self

import msgspec

from pki.errors import BollardError
from secproxy.edge.segments import list_segments, segment_name
from secproxy.events import Note, Severity, render

if TYPE_CHECKING:
    from pathlib import Path

SEGMENT_BYTES: Final = 16 * 1024 * 1024  # bytes; a full segment is replaced by a new one
WAITING_BYTES: Final = 256 * 1024 * 1024  # bytes; about 400,000 events not yet in events.db, half an hour of a flood
COMPLAIN_SECONDS: Final = 60.0  # seconds between two complaints about the same full disk
LOOK_AGAIN_SECONDS: Final = 1.0  # seconds; how often a writer under pressure measures the folder anew
OPEN_ATTEMPTS: Final = 8  # tries; each one lost to the recorder needs it to look within the same few microseconds

_MINOR: Final = frozenset({Severity.INFO, Severity.LOW})


class Journal:
    """One process' hand in the journal: ``write`` appends an event and returns its id; ``lost`` counts those it could
    not write."""

    def __init__(self, folder: Path, writer: str) -> None:
        self._folder = folder
        self._writer = writer
        self._fd = -1
        self._size = 0
        self._last_id = 0
        self._lost = 0
        self.lost = 0
        self._waiting = 0
        self._looked = 0.0
        self._complained = -COMPLAIN_SECONDS

    def write(self, note: Note, now: dt.datetime | None = None) -> str:
        """Append one event and return its id, 32 hex digits that sort by time.

        ``now`` is UTC and for tests. An event that cannot be written is counted; the first of them, and one a minute
        after it, raises ``BollardError("journal.full")`` for the caller to show and go on.
        """
        moment = now or dt.datetime.now(dt.UTC)
        event = self._new_id(moment)
        line = event_line(note, event, moment)
        try:
            self._make_room(minor=note.kind.severity in _MINOR)
            self._append(self._told_losses(moment) + line)
        except OSError as problem:
            self._lose(problem)
        else:
            self._lost = 0
        return event

    def close(self) -> None:
        """Make everything written durable and let go of the segment."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new_id(self, moment: dt.datetime) -> str:
        self._last_id = max(event_number(moment, os.urandom(8)), self._last_id + 1)
        return f"{self._last_id:032x}"

    def _told_losses(self, moment: dt.datetime) -> bytes:
        if not self._lost:
            return b""
        return event_line(Note("journal.lost", evidence={"lost": self._lost}), self._new_id(moment), moment)

    def _make_room(self, *, minor: bool) -> None:
        if self._fd < 0 or self._size >= SEGMENT_BYTES:
            self.close()
            self._measure()
            self._refuse_when_over(WAITING_BYTES)
            self._fd, self._size = self._open(), 0
        if minor and self._waiting >= WAITING_BYTES // 2:
            self._measure()
            self._refuse_when_over(WAITING_BYTES // 2)

    def _measure(self) -> None:
        if self._waiting < WAITING_BYTES // 2 or time.monotonic() - self._looked >= LOOK_AGAIN_SECONDS:
            self._waiting = sum(segment.size for segment in list_segments(self._folder))
            self._looked = time.monotonic()

    def _refuse_when_over(self, limit: int) -> None:
        if self._waiting >= limit:
            raise OSError(errno.EDQUOT, f"{self._waiting} bytes of events wait for the recorder")

    def _open(self) -> int:
        for _ in range(OPEN_ATTEMPTS):
            path = self._folder / segment_name(self._writer, time.time_ns(), os.getpid())
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            if _claim(fd):
                return fd
            os.close(fd)
        raise OSError(errno.EBUSY, "the recorder took every new segment for an abandoned one")

    def _append(self, lines: bytes) -> None:
        written = os.write(self._fd, lines)
        if written < len(lines):
            # The disk filled up in the middle of a line: take the half line back, so that the next one starts clean.
            os.ftruncate(self._fd, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written

    def _lose(self, problem: OSError) -> None:
        self._lost += 1
        self.lost += 1
        if time.monotonic() - self._complained >= COMPLAIN_SECONDS:
            self._complained = time.monotonic()
            raise BollardError(
                "journal.full",
                f"a security event could not be written down: {problem.strerror}",
                "Free disk space and see that 'bollard web' runs: it moves events on. Losses are counted and told.",
            ) from None


def event_line(note: Note, event: str, moment: dt.datetime) -> bytes:
    """Write a note as the journal's line for it, newline included."""
    return msgspec.json.encode(render(note, event, moment)) + b"\n"


def event_number(moment: dt.datetime, random: bytes) -> int:
    """Make a UUID of version 7 (RFC 9562 5.7, sub-millisecond fraction by 6.2 method 3) from a time and 8 bytes."""
    since = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    microseconds = since // dt.timedelta(microseconds=1)
    milliseconds, rest = divmod(microseconds, 1000)
    tail = int.from_bytes(random[:8]) >> 2
    return milliseconds << 80 | 7 << 76 | (rest * 4096 // 1000) << 64 | 2 << 62 | tail


def event_id(moment: dt.datetime, random: bytes) -> str:
    """Make an event's id, 32 hex digits that sort by time, from a time in UTC and 8 random bytes."""
    return f"{event_number(moment, random):032x}"


def earliest_id(moment: dt.datetime) -> str:
    """The id below which every event is older than ``moment``."""
    return f"{event_number(moment, bytes(8)) & ~((1 << 62) - 1):032x}"


def _claim(fd: int) -> bool:
    """Lock a new segment; no when the recorder saw it unlocked in between and deleted it as an abandoned one."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(fd).st_nlink > 0
