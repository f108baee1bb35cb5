"""Reads a backup back, trusting nothing in it: first the list of what it holds, then every byte against that list.

Only plain files come out, with names inside the folder, for their owner alone. Python's own ``data`` filter is asked
about every member as well (PEP 706); what it would change or refuse is refused.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from pki.edge.keys import flush_folder
from pki.errors import RefusedError
from pki.manifest import MANIFEST_BYTES, MEMBERS_MOST, NAME, Listed, Manifest, examine, read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK: Final = 1024 * 1024  # bytes copied at once
READ_ONLY: Final = "vault/"  # images are read-only once they are stored

_ADVICE: Final = "Take another backup; this file is not as it was written."


@dataclass(frozen=True, slots=True)
class Opened:
    """An archive whose list was compared with its manifest."""

    manifest: Manifest
    archive: tarfile.TarFile
    infos: tuple[tarfile.TarInfo, ...]


def check_archive(file: BinaryIO) -> Manifest:
    """Read a whole archive and compare every byte with its manifest; raises ``RefusedError``."""
    with _opened(file) as opened:
        for info in opened.infos:
            for _ in _blocks(opened, info):
                pass
        return opened.manifest


def unpack(file: BinaryIO, folder: Path) -> Manifest:
    """Unpack an archive into an empty folder, every file on the disk when this returns; raises ``RefusedError``."""
    with _opened(file) as opened:
        for info in opened.infos:
            _fits(info, folder)
            _write(opened, info, folder / info.name)
    for path in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
        flush_folder(path)
    return opened.manifest


@contextlib.contextmanager
def _opened(file: BinaryIO) -> Iterator[Opened]:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            infos = _infos(archive)
            manifest = read_manifest(_manifest_text(archive, infos))
            examine(manifest, (Listed(info.name, info.size, _plain(info)) for info in infos[:-1]), size)
            yield Opened(manifest, archive, tuple(infos[:-1]))
    except (tarfile.TarError, EOFError, ValueError, RecursionError) as problem:
        says = f"this is no backup, or not a whole one: {str(problem)[:120]!r}"
        raise RefusedError("backup.unreadable", says, _ADVICE) from None


def _infos(archive: tarfile.TarFile) -> list[tarfile.TarInfo]:
    infos: list[tarfile.TarInfo] = []
    for info in archive:
        infos.append(info)
        if len(infos) > MEMBERS_MOST:
            raise RefusedError("backup.unreadable", f"it holds more than {MEMBERS_MOST} files", _ADVICE)
    return infos


def _manifest_text(archive: tarfile.TarFile, infos: list[tarfile.TarInfo]) -> bytes:
    last = infos[-1] if infos else None
    if last is None or last.name != NAME or not _plain(last) or last.size > MANIFEST_BYTES:
        raise RefusedError("backup.manifest", "its last file is no manifest; it may have been cut short", _ADVICE)
    file = archive.extractfile(last)
    return file.read() if file else b""


def _plain(info: tarfile.TarInfo) -> bool:
    return info.type in {tarfile.REGTYPE, tarfile.AREGTYPE} and not info.issparse()


def _fits(info: tarfile.TarInfo, folder: Path) -> None:
    if tarfile.data_filter(info, str(folder)).name != info.name:
        raise RefusedError("backup.refused", f"{info.name[:120]!r} is no name inside a home", _ADVICE)


def _write(opened: Opened, info: tarfile.TarInfo, path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as out:
        out.writelines(_blocks(opened, info))
        out.flush()
        os.fchmod(out.fileno(), 0o444 if info.name.startswith(READ_ONLY) else 0o600)
        os.fsync(out.fileno())


def _blocks(opened: Opened, info: tarfile.TarInfo) -> Iterator[bytes]:
    """Yield a member's bytes; at their end they agree with the manifest, or ``RefusedError`` is raised."""
    file, summed = opened.archive.extractfile(info), hashlib.sha256()
    while file is not None and (block := file.read(BLOCK)):
        summed.update(block)
        yield block
    if summed.hexdigest() != opened.manifest.members[info.name].sha256:
        raise RefusedError("backup.digest", f"{info.name[:120]!r} is not what its manifest says", _ADVICE)
