"""A ceremony's folder on the disk: made once, written in order, read back whole.

* Folders 0700, files 0600; each file is written whole or not at all.
* The transcript is written line by line, each on the disk before anything else happens.
* Reading is bounded: a folder comes on a stick, from somewhere.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Final

from pki.ceremony import result as names
from pki.ceremony.result import Result
from pki.ceremony.terms import FILE_BYTES, ROOT
from pki.ceremony.transcript import Entry, Line, write_entries
from pki.edge import clock
from pki.edge.keys import flush_folder, write_private
from pki.errors import ConflictError, ForbiddenError, InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILES_MOST: Final = 64  # files of a folder; a ceremony of sixteen certificates leaves forty
KEYS: Final = "keys"  # the folder with the root's key, which never goes to the online home

_LIMIT: Final = 4 * FILE_BYTES  # bytes of one file; a transcript tells every serial its root ever used


class ResultFolder:
    """A folder while the ceremony goes on: new, and written by this process alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[Entry] = []

    @classmethod
    def make(cls, path: Path, *more: str) -> ResultFolder:
        """Make it, with the folders ``more``. ``ConflictError("ceremony.exists")`` for one that is there already."""
        try:
            path.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            raise ConflictError(
                "ceremony.exists",
                f"{str(path)[:200]!r} exists, perhaps from a ceremony that ended early",
                "Keep that folder as evidence, and name a new one.",
            ) from None
        for name in ("ca", "requests", *more):
            (path / name).mkdir(mode=0o700)
        flush_folder(path.parent)
        return cls(path)

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole."""
        write_private(self.path / name, content)

    def tell(self, line: Line) -> None:
        """Write an entry of the transcript; it is on the disk when this returns."""
        entry = Entry.write(len(self.entries), clock.now(), line)
        new = not self.entries
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if new else 0)
        handle = os.open(self.path / names.TRANSCRIPT, flags, 0o600)
        with open(handle, "wb", buffering=0) as log:  # noqa: PTH123 - from a descriptor, which Path cannot do
            log.write(write_entries([entry]))
            os.fsync(log.fileno())
        if new:
            flush_folder(self.path)
        self.entries.append(entry)


def read_result(folder: Path) -> Result:
    """Read a folder, the root's key apart."""
    if not (folder / names.TRANSCRIPT).is_file():
        raise NotFoundError(
            "ceremony.none", f"there is no ceremony's result at {str(folder)[:200]!r}", "Name the folder itself."
        )
    found = [each for each in islice(folder.rglob("*"), 4 * FILES_MOST) if each.is_file() and not each.is_symlink()]
    mine = [each for each in found if each.relative_to(folder).parts[0] != KEYS]
    if len(mine) > FILES_MOST:
        raise _unreadable(folder, f"it holds more than {FILES_MOST} files")
    return Result({str(each.relative_to(folder)): read_file(each) for each in mine})


def read_without_key(folder: Path) -> Result:
    """Read a folder that came to an online home; ``ForbiddenError("ceremony.key_here")`` if the key came along."""
    if (folder / KEYS / f"{ROOT}.pem").exists():
        raise ForbiddenError(
            "ceremony.key_here",
            f"the root's key lies in {str(folder / KEYS)[:200]!r}; it has no business on this machine",
            "Bring the folder without keys/, and think about who could have copied it from here.",
        )
    return read_result(folder)


def read_requests(folder: Path | None) -> Mapping[str, bytes]:
    """Read the requests of a folder by name: ``csms.csr`` is ``csms``."""
    found = sorted(islice(folder.glob("*.csr"), FILES_MOST)) if folder else []
    return {each.stem: read_file(each) for each in found}


def read_file(path: Path) -> bytes:
    """Read a file of bounded size."""
    with path.open("rb") as file:
        content = file.read(_LIMIT + 1)
    if len(content) > _LIMIT:
        raise _unreadable(path, f"it is larger than {_LIMIT} bytes")
    return content


def _unreadable(path: Path, cause: str) -> InputError:
    return InputError("ceremony.unreadable", f"{str(path)[:200]!r}: {cause}", "Check that it is the right one.")
