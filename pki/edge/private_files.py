"""Files that only we may read: written whole or not at all, and read with a bound."""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_private(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file whole or not at all: a sibling first, flushed, renamed into place, the folder flushed too."""
    sibling = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(sibling, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with open(handle, "wb") as out:  # noqa: PTH123 - from a descriptor, which Path cannot do
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        sibling.rename(path)
    except OSError:
        sibling.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable, as a rename alone is not."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_private(path: Path, most: int) -> bytes:
    """Read a plain file of at most ``most`` bytes, and no more of it. ``OSError`` when it is none, or longer."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # else a pipe in its place would hold us up for ever
    with open(handle, "rb") as file:  # noqa: PTH123 - from a descriptor, which Path cannot do
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "it is no plain file")
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(0, f"it is longer than {most} bytes")
    return data
