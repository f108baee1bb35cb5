"""What libraries log in a process that strangers reach: one line for each kind of fault, then a minute of counting.

A traceback has some seventy lines, and whoever can make a fault happen once can make it happen for ever. The line names
the kind of exception and where it was raised, and nothing of what was in it: that may be a stranger's.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pki.edge import log

if TYPE_CHECKING:
    from collections.abc import Callable

SILENCE: Final = 60.0  # seconds from one line about a kind of fault to the next, which tells how many there were
KINDS_MOST: Final = 100  # kinds of fault told apart; what is more is counted together


class LogLines(logging.Handler):
    """Takes the place of a log: warnings and errors of every library in this process."""

    def __init__(self, process: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._process = process
        self._clock = clock
        self._told: dict[str, float] = {}
        self._counted: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Say it, or count it."""
        kind = _kind(record)
        if not kind:
            return
        if kind not in self._told and len(self._told) >= KINDS_MOST:
            kind = "others"
        now = self._clock()
        if now - self._told.get(kind, now - SILENCE) < SILENCE:
            self._counted[kind] = self._counted.get(kind, 0) + 1
            return
        self._told[kind] = now
        more = self._counted.pop(kind, 0)
        also = f" ({more} more like it before)" if more else ""
        log.say("process.unexpected", f"unexpected: {kind}{also}", who=self._process, level=log.Level.WARNING)


def _kind(record: logging.LogRecord) -> str:
    problem = record.exc_info[1] if record.exc_info else None
    if isinstance(problem, asyncio.CancelledError):
        return ""  # this process ends, and with it what was under way
    if problem is None:  # the words before they are filled in are the library's own
        where = f" in {Path(record.pathname).name}:{record.lineno}"
        return f"{record.name} says {record.msg!r}" if record.args else f"{record.name} warns{where}"
    frames = traceback.extract_tb(problem.__traceback__, limit=-1)
    where = f" in {Path(frames[0].filename).name}:{frames[0].lineno}" if frames else ""
    return f"{record.name} met {type(problem).__name__}{where}"
