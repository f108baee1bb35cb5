"""Keeps verified firmware images, each under the digest of its bytes, and hands out nothing but those bytes.

* An image is opaque: it is never unpacked, renamed or changed. What lies under a digest is read-only and whole.
* Reading checks again: an image that changed on disk is never handed out to its end, nor is any changed block of it.
* Sizes are bytes. Every failure of the disk becomes a ``BollardError`` with a next step.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import stat
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from pki.errors import BollardError, InputError, NotFoundError
from pki.firmware.signature import FileDigests

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

IMAGE_BYTES_MOST: Final = 4 * 1024**3
"""4 GiB; ours: the largest file that FAT32 holds, far above any image a station takes."""
BLOCK_BYTES: Final = 256 * 1024
"""256 KiB; ours: what is read, checked and sent at once."""
SURVEYS_KEPT: Final = 64
"""Images whose block digests stay in memory: 32 bytes for each block, at most 512 KiB an image."""
HALF_COPIED: Final = "."  # how the names of files begin that are no images yet

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Image:
    """One image, open for reading; its blocks were summed when the whole agreed with ``digest``."""

    path: Path
    digest: str
    size: int
    blocks: tuple[bytes, ...]

    def read(self, first: int, last: int) -> Iterator[bytes]:
        """Yield the bytes ``first`` to ``last`` (inclusive), each block checked before any of it is given out."""
        with _disk("read", self.path), self.path.open("rb") as file:
            for index in range(first // BLOCK_BYTES, last // BLOCK_BYTES + 1):
                start = index * BLOCK_BYTES
                file.seek(start)
                block = file.read(BLOCK_BYTES)
                if hashlib.sha256(block).digest() != self.blocks[index]:
                    raise damaged(self.digest)
                yield block[max(first - start, 0) : last - start + 1]


class Vault:
    """The store of images below ``folder`` (``sha256/ab/<digest>``)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._surveyed: OrderedDict[str, Image] = OrderedDict()
        self._surveying = threading.Lock()

    def keep(self, source: Path, digest: str) -> Path:
        """Copy a file that was verified as ``digest`` into the store; a file that has changed since is refused."""
        target = self._path(digest)
        with _disk("write", target):
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _temporary(target.parent) as (temporary, out):
                if _copy(source, out) != digest:
                    raise BollardError(
                        "vault.changed",
                        f"the image changed between its verification and its storing ({digest[:16]})",
                        "Find out what writes into the quarantine folder, then import the image again.",
                    )
                _settle(temporary, out, target)
        return target

    def open_image(self, digest: str) -> Image:
        """Open a stored image. The first time in a process it is read whole and compared with its digest."""
        path = self._path(digest)
        with self._surveying:
            if digest not in self._surveyed:
                self._surveyed[digest] = _survey(path, digest)
            self._surveyed.move_to_end(digest)
            while len(self._surveyed) > SURVEYS_KEPT:
                self._surveyed.popitem(last=False)
            return self._surveyed[digest]

    def clear(self) -> None:
        """Delete images half copied when their process was killed. For whoever holds the authority's lock."""
        for left in self._folder.glob(f"sha256/*/{HALF_COPIED}*"):
            with _disk("clear", left):
                left.unlink()

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise InputError("vault.digest", f"{digest[:72]!r} is no SHA-256 in hex", "Give 64 hex digits.")
        return self._folder / "sha256" / digest[:2] / digest


def take_in(quarantined: Path) -> FileDigests:
    """Hash a quarantined file in one pass; no link, no device, at most 4 GiB."""
    sums = (hashlib.sha256(), hashlib.sha384(), hashlib.sha512(), hashlib.sha1(usedforsecurity=False))
    size = 0
    for block in _blocks(quarantined):
        size += len(block)
        for each in sums:
            each.update(block)
    sha256, sha384, sha512, sha1 = (each.digest() for each in sums)
    return FileDigests(size, sha256, sha384, sha512, sha1)


def clear_quarantine(folder: Path) -> None:
    """Delete what killed commands left there; a command that still works on its image holds a lock on it."""
    for left in folder.iterdir():
        with contextlib.suppress(OSError, InputError), _open(left) as file:  # locked, or no file at all
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


def damaged(digest: str) -> BollardError:
    """The error for an image that is no longer what was verified."""
    return BollardError(
        "vault.damaged",
        f"the stored image {digest[:16]} is no longer what was verified; it is not handed out",
        "Check the disk and who may write to the vault, then import the image again.",
    )


def _survey(path: Path, digest: str) -> Image:
    whole, blocks, size = hashlib.sha256(), [], 0
    for block in _blocks(path):
        whole.update(block)
        blocks.append(hashlib.sha256(block).digest())
        size += len(block)
    if whole.hexdigest() != digest:
        raise damaged(digest)
    return Image(path, digest, size, tuple(blocks))


def _blocks(path: Path) -> Iterator[bytes]:
    with _disk("read", path), _open(path) as file:
        size = 0
        while block := file.read(BLOCK_BYTES):
            size += len(block)
            if size > IMAGE_BYTES_MOST:
                raise InputError("image.size", f"the image has more than {IMAGE_BYTES_MOST} bytes", "Is it an image?")
            yield block


def _open(path: Path) -> io.BufferedReader:
    # Non-blocking: opening a pipe that somebody left there must not wait for a writer.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InputError("image.kind", f"{path.name[:64]!r} is no regular file", "Give the image file itself.")
    return os.fdopen(handle, "rb")


def _copy(source: Path, out: BinaryIO) -> str:
    whole = hashlib.sha256()
    for block in _blocks(source):
        whole.update(block)
        out.write(block)
    return whole.hexdigest()


@contextlib.contextmanager
def _temporary(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file in ``folder`` that is gone afterwards unless it was renamed."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=HALF_COPIED, delete=False) as out:
        temporary = Path(out.name)
        try:
            yield temporary, cast("BinaryIO", out)
        finally:
            temporary.unlink(missing_ok=True)


def _settle(temporary: Path, out: BinaryIO, target: Path) -> None:
    """Make the file durable, then give it its name, then make the name durable."""
    out.flush()
    os.fchmod(out.fileno(), 0o444)
    os.fsync(out.fileno())
    temporary.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _disk(act: str, path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFoundError(
            "vault.missing", f"there is no file {path.name[:72]!r}", "Import the image again."
        ) from None
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise InputError("image.kind", f"{path.name[:64]!r} is a link", "Give the image file itself.") from None
        full = problem.errno in {errno.ENOSPC, errno.EDQUOT}
        advice = "Free space on the disk." if full else "Check the disk and the folder's permissions."
        raise BollardError(f"vault.{act}", f"cannot {act} {path.name[:72]!r}: {problem.strerror}", advice) from None
