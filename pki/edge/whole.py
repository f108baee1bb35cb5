"""Files for people, written whole or not at all: beside their place first, on the disk, then renamed.

They are for their owner alone (0600). A file that is there already is not touched unless that was asked for, not even
one that came to be in the meantime, and no link is followed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO, cast

from pki.edge.keys import flush_folder
from pki.errors import BollardError, ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def written(path: Path, *, replace: bool) -> Iterator[tuple[BinaryIO, Path]]:
    """Give a file to write to, with the name it has until then; at the block's end it stands at ``path``.

    When the block raises, nothing is left. ``BollardError("file.unwritten")`` when the disk does not take it.
    """
    sibling = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(sibling, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w+b") as out:
            yield cast("BinaryIO", out), sibling
            out.flush()
            os.fsync(out.fileno())
        _place(sibling, path, replace=replace)
        flush_folder(path.parent)
    except OSError as problem:
        raise BollardError(
            "file.unwritten",
            f"{str(path)[:200]!r} could not be written: {problem.strerror or problem}",
            "Free space on that disk or name a file on another one, then try again; nothing was left behind.",
        ) from problem
    finally:
        with contextlib.suppress(OSError):
            sibling.unlink(missing_ok=True)


def _place(sibling: Path, path: Path, *, replace: bool) -> None:
    if replace:
        sibling.rename(path)
        return
    try:
        path.hardlink_to(sibling)  # unlike a rename, this never takes the place of another file
    except FileExistsError:
        raise ConflictError(
            "file.exists", f"{str(path)[:200]!r} exists", "Choose another path, or add --yes to replace it."
        ) from None
