"""Where only one process may act at a time, it holds a lock that the kernel takes back when the process dies.

However a process ends, no stale lock can keep a home closed. The file stays; the lock does not.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
from typing import TYPE_CHECKING

from pki.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[bool]:
    """Try to hold the lock file ``path`` for the block; yields whether this process holds it. Never waits."""
    with locked(path) as handle:
        yield handle >= 0


@contextlib.contextmanager
def locked(path: Path, held: int = -1) -> Iterator[int]:
    """The same, and yields the descriptor that the lock hangs on; -1 where another process holds it.

    ``held`` is one that was inherited with its lock, which is held on to.
    """
    handle = held if held >= 0 else _open(path)
    try:
        yield handle if _locked(handle) else -1
    finally:
        os.close(handle)


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Be the one authority for the block, or raise ``ConflictError("authority.running")`` at once."""
    with exclusive(path) as mine:
        if not mine:
            raise ConflictError(
                "authority.running",
                "another authority process works in this home",
                "Stop it first, or just use it: every command finds the running one by itself.",
            )
        yield


def _open(path: Path) -> int:
    """A home that was copied without its ``run`` is not whole, and says which folder it lacks."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise NotFoundError(
            "home.folder",
            f"the folder {str(path.parent)!r} is missing",
            f"mkdir -m 700 {shlex.quote(str(path.parent))}, as the user who owns the home; then run 'bollard doctor'.",
        ) from None


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
