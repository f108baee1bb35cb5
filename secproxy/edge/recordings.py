"""Writes recordings of live connections, each on request, for a while.

Rules this file keeps:

* A recording ends by itself: after its minutes, at its bytes, with its connection, or when the disk takes no more.
* One writer for each station; a file is this user's alone and never one that was there before.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from pki.edge.clock import now
from pki.errors import ConflictError, NotFoundError
from secproxy.events import Note
from secproxy.recording import FORM, Head, Recorder
from secproxy.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secproxy.edge.relay import Link
    from secproxy.events import Value

FILE_BYTES: Final = 64 * 1024 * 1024  # of one recording; a busy station says that in some days
AT_ONCE: Final = 8  # recordings of one worker; each costs time for every message


class Tape:
    """One recording that runs."""

    def __init__(
        self, path: Path, link: Link, recorder: Recorder, seconds: float, record: Callable[[Note], None]
    ) -> None:
        self.path = path
        self._link, self._recorder, self._record = link, recorder, record
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._left, self._messages = FILE_BYTES, 0
        self.ended: Callable[[], None] = _nothing
        self._timer = asyncio.get_running_loop().call_later(seconds, self.end, "its time is over")
        self._write(recorder.first)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._file < 0

    def take(self, speaker: str, message: bytes) -> None:
        """Write down a message."""
        if self._file < 0:
            return
        line = self._recorder.line(speaker, message, now())
        if len(line) > self._left:
            self.end("its file is full")
        else:
            self._messages += 1
            self._write(line)

    def _write(self, line: bytes) -> None:
        self._left -= len(line)
        try:
            written = os.write(self._file, line)
        except OSError:
            written = 0
        if written < len(line):
            self.end("the disk takes no more")

    def end(self, because: str) -> None:
        """End the recording; safe to call again."""
        if self._file < 0:
            return
        os.close(self._file)
        self._file = -1
        self._timer.cancel()
        self._link.tap(None)
        self.ended()
        evidence: dict[str, Value] = {"file": self.path.name, "messages": self._messages, "because": because}
        self._record(Note("recording.ended", self._link.identity, evidence=evidence))


class Recordings:
    """The recordings of one worker, in one folder."""

    def __init__(self, folder: Path, record: Callable[[Note], None]) -> None:
        self._folder, self._record = folder, record
        self._tapes: dict[str, Tape] = {}

    def begin(self, link: Link, seconds: float, *, plain: bool) -> str:
        """Record a connection from now on and return the file's name; ``plain`` keeps the tokens of drivers.

        ``ConflictError`` when it is recorded already, or too many are, or no file can be made.
        """
        if link.identity in self._tapes:
            raise ConflictError("recording.running", f"{link.identity} is recorded already", "Stop that one first.")
        if len(self._tapes) >= AT_ONCE:
            raise ConflictError("recording.many", f"{AT_ONCE} stations are recorded already", "Stop one of them first.")
        at, station = now(), link.admitted.station
        head = Head(FORM, link.identity, station.group, int(station.profile), link.upstream.subprotocol, at)
        path = self._folder / f"{link.identity}-{at:%Y%m%dT%H%M%S%fZ}.jsonl"
        recorder = Recorder(head, Redaction(None if plain else os.urandom(16)))
        try:
            tape = Tape(path, link, recorder, seconds, self._record)
        except OSError as problem:
            says = f"no file can be made in {self._folder}: {problem.strerror}"
            raise ConflictError("recording.file", says, "See that the folder is there and has space.") from None
        if tape.over:
            raise ConflictError("recording.file", "the disk takes no more", "Free space on it.")
        tape.ended = lambda: self._forget(link.identity)
        self._tapes[link.identity] = tape
        link.tap(tape)
        tokens = "plain" if plain else "hashed"
        evidence: dict[str, Value] = {"file": path.name, "seconds": int(seconds), "tokens": tokens}
        self._record(Note("recording.started", link.identity, evidence=evidence))
        return path.name

    def stop(self, identity: str) -> str:
        """End a station's recording and return the file's name. ``NotFoundError`` when there is none."""
        tape = self._tapes.get(identity)
        if tape is None:
            raise NotFoundError("recording.none", f"{identity} is not recorded", "Nothing has to be stopped.")
        tape.end("it was stopped")
        return tape.path.name

    def _forget(self, identity: str) -> None:
        self._tapes.pop(identity, None)


def _nothing() -> None:
    return
