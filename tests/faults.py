"""A disk that fails on purpose: real SQLite, whose system calls are told that the disk is full, or broken.

SQLite lets its tests replace the system calls of its file layer (``xSetSystemCall``). Here ``pwrite`` is replaced, for
the files below one folder, by one that fails with an error number while it is told to; all else is as it ever was.
"""

from __future__ import annotations

import _sqlite3
import contextlib
import ctypes
import errno
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL: Final = errno.ENOSPC  # SQLite says SQLITE_FULL
BROKEN: Final = errno.EIO  # and SQLITE_IOERR_WRITE
WRITES: Final = (b"pwrite", b"pwrite64")  # whichever this SQLite was built with

_WRITE = ctypes.CFUNCTYPE(
    ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64, use_errno=True
)
_SET = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_ASK = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)


class _Vfs(ctypes.Structure):
    """``sqlite3_vfs``, version 3; what is between its head and the system calls is of no interest here."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("path_most", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("methods", ctypes.c_void_p * 13),
        ("set_system_call", _SET),
        ("ask_system_call", _ASK),
    )


@dataclass(slots=True)
class Disk:
    """The disk below a folder. ``failed`` counts the writes that it refused."""

    folder: Path
    problem: int = 0
    times: int = 0
    failed: int = 0

    def fail(self, problem: int, times: int = -1) -> None:
        """Refuse so many writes from now on; without a number, all."""
        self.problem, self.times = problem, times

    def heal(self) -> None:
        """Take writes again."""
        self.times = 0

    def refuses(self, handle: int) -> bool:
        """Tell whether this write fails."""
        if not self.times or not Path(f"/proc/self/fd/{handle}").readlink().is_relative_to(self.folder):
            return False
        self.times -= 1
        self.failed += 1
        return True


@contextlib.contextmanager
def failing_disk(folder: Path) -> Iterator[Disk]:
    """A disk below ``folder`` that fails when it is told to; only what SQLite writes there notices."""
    disk, vfs = Disk(folder.resolve()), _layer()
    place = ctypes.addressof(vfs)
    ours = {name: _write(disk, real) for name in WRITES if (real := vfs.ask_system_call(place, name))}
    assert ours, "this SQLite writes by other calls"
    for name, call in ours.items():
        vfs.set_system_call(place, name, ctypes.cast(call, ctypes.c_void_p))
    try:
        yield disk
    finally:
        for name in ours:
            vfs.set_system_call(place, name, None)  # its own again


def _write(disk: Disk, real: int) -> ctypes._FuncPointer:
    honest = _WRITE(real)

    def write(handle: int, data: int, size: int, offset: int) -> int:
        if not disk.refuses(handle):
            return int(honest(handle, data, size, offset))
        ctypes.set_errno(disk.problem)
        return -1

    return _WRITE(write)


def _layer() -> _Vfs:
    """SQLite's file layer in this process."""
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    found = library.sqlite3_vfs_find(None).contents
    assert isinstance(found, _Vfs)
    return found
