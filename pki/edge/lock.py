"""One authority at a time: whoever holds this lock may write the ledger, and nobody else.

The kernel drops the lock when its process ends, however it ends, so no stale lock can keep a home closed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from pki.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock file for the length of the block, or raise ``ConflictError("authority.running")`` at once."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(
                "authority.running",
                "another authority process works in this home",
                "Stop it first, or just use it: every command finds the running one by itself.",
            ) from None
        yield
    finally:
        os.close(handle)
