"""What is held against those who offered wrong passwords, kept where a crash of the supervisor or a restart leaves it.

Rules this file keeps:

* Nobody waits for the disk: what changed is put into the kernel's memory once a second at most, in place, as an event
  is. No name changes and nothing is flushed; a crash of the supervisor costs the last second, one of the host more.
* There are two slots, written by turns, so that what was written before is whole while something is written.
* Within one boot the time that passed is that of a clock which nobody sets. After another it is what the host's clock
  says, and none at all where that was set back: whoever had to wait waits as long as was left when it was written.
* A file that cannot be read is told and passed over; who may edit it owns the home.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from pki.edge import log
from pki.edge.private_files import read_private
from secproxy import lockout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pki.edge.home import Home
    from secproxy.lockout import Lockouts

FILE: Final = "lockouts"  # in ``run/``
SLOT_BYTES: Final = 4 * 1024 * 1024  # bytes of a slot; full of the longest names one has about two million
NUMBERS_END: Final = 2**63  # one a second takes longer than anything
PAUSE_SECONDS: Final = 1.0  # seconds between two looks whether something is to be written
BOOT: Final = Path("/proc/sys/kernel/random/boot_id")  # proc(5): another one after each boot


class Moment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One moment by every clock: which boot, seconds since it, seconds since 1970, and those of ``Lockouts``."""

    boot: str
    since_boot: float
    wall: float
    clock: float


class Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file holds: what was held against whom, and when."""

    at: Moment
    kept: lockout.Kept


_HEAD: Final = struct.Struct(">QII")  # number, length and CRC-32 of what follows
_decoder: Final = msgspec.json.Decoder(Written)


def present() -> Moment:
    """The present moment."""
    try:
        boot = BOOT.read_text(encoding="ascii").strip()
    except OSError:  # as if each start were another boot
        boot = ""
    return Moment(boot, time.clock_gettime(time.CLOCK_BOOTTIME), time.time(), time.monotonic())


def passed(before: Moment, after: Moment) -> float:
    """How many seconds lie between two moments; never fewer than none."""
    if before.boot and before.boot == after.boot:
        return max(0.0, after.since_boot - before.since_boot)
    return max(0.0, after.wall - before.wall)


def read_lockouts(home: Home, now: Moment) -> lockout.Kept:
    """Read what was held against whom, by the clock of ``now``; nothing where nothing can be read."""
    try:
        _, text = _newest(home)
        found = _decoder.decode(text) if text else None
    except (OSError, msgspec.MsgspecError) as problem:
        _say("lockouts.unreadable", f"run/{FILE} cannot be read, nobody has to wait: {problem}")
        return lockout.Kept()
    if found is None:
        return lockout.Kept()
    return lockout.moved(found.kept, now.clock - found.at.clock - passed(found.at, now), now.clock)


def _newest(home: Home) -> tuple[int, bytes]:
    """Return the newest of what was written, with its number; 0 where nothing was. Raises ``OSError``."""
    try:
        data = read_private(home.run / FILE, 2 * SLOT_BYTES)
    except FileNotFoundError:
        return 0, b""
    slots = [_slot(data[:SLOT_BYTES]), _slot(data[SLOT_BYTES:])]
    if not any(number for number, _ in slots):
        raise OSError(0, "nothing in it is whole")
    return max(slots)


def _slot(data: bytes) -> tuple[int, bytes]:
    if len(data) < _HEAD.size:
        return 0, b""
    number, length, sum_ = _HEAD.unpack_from(data)
    text = data[_HEAD.size : _HEAD.size + length]
    whole = (len(text), zlib.crc32(text)) == (length, sum_)
    return (number, text) if text and whole and number < NUMBERS_END else (0, b"")


def write_lockouts(home: Home, number: int, text: bytes) -> None:
    """Put what ``encoded`` made into the slot of this number, from 1; what has no room is not. Raises ``OSError``."""
    data = _HEAD.pack(number, len(text), zlib.crc32(text)) + text
    if len(data) > SLOT_BYTES:
        raise OSError(0, "it is too long")
    handle = os.open(home.run / FILE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if os.pwrite(handle, data, number % 2 * SLOT_BYTES) < len(data):
            raise OSError(0, "the disk has no room for all of it")
    finally:
        os.close(handle)


def encoded(lockouts: Lockouts, now: Moment) -> bytes:
    """Write down what is held against whom now."""
    return msgspec.json.encode(Written(now, lockouts.recent()))


@contextlib.asynccontextmanager
async def keeping(home: Home, lockouts: Lockouts) -> AsyncIterator[None]:
    """Keep the file for the length of the block, and leave it as things stand at its end."""
    over = asyncio.Event()
    task = asyncio.ensure_future(_Keeper(home, lockouts).run(over))
    try:
        yield
    finally:
        over.set()
        await task


class _Keeper:
    def __init__(self, home: Home, lockouts: Lockouts) -> None:
        self._home, self._lockouts = home, lockouts
        self._written = lockouts.changes
        self._failing = False
        try:
            self._number, _ = _newest(home)
        except OSError:  # told when it was read
            self._number = 0

    async def run(self, over: asyncio.Event) -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_SECONDS):
                    await over.wait()
            self._write()
        self._write()  # also where it was over before it began

    def _write(self) -> None:
        changes = self._lockouts.changes
        if changes == self._written:
            return
        try:
            write_lockouts(self._home, self._number + 1, encoded(self._lockouts, present()))
        except OSError as problem:
            if not self._failing:
                says = f"run/{FILE} cannot be written, a restart forgets who has to wait: {problem.strerror}"
                _say("lockouts.unwritten", says)
            self._failing = True
        else:
            self._number, self._written, self._failing = self._number + 1, changes, False


def _say(kind: str, says: str) -> None:
    log.say(kind, says, who="bollard", level=log.Level.WARNING)
