"""Packs a home into one file that can be carried away (``bollard backup``): a plain tar archive with a manifest.

* The ledger is a verified copy that the authority makes; events and journal are copied so that no event is missed:
  first the journal, then the database that the journal's lines move to.
* Keys lie in it as they lie in the home: encrypted. The passphrase stays out unless it was asked for.
* What is gathered first lies below ``run/``, in a folder that is locked for as long as this process lives; what a
  killed process left is cleared by the next backup. The archive is read back before it gets its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import shutil
import sqlite3
import stat
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from pki.edge import calls, clock
from pki.edge.crashpoints import reach
from pki.edge.lock import exclusive
from pki.edge.passphrase import PASSPHRASE_FILE
from pki.edge.unpacking import check_archive
from pki.edge.vault import damaged
from pki.edge.whole import written
from pki.errors import BollardError, InputError
from pki.manifest import NAME, Manifest, Member, is_safe, write_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from pki.edge.asking import Ask
    from pki.edge.home import Home

NOT_KEPT: Final = frozenset({"run", "quarantine", "journal", "recordings", "ledger.db", "events.db"})
"""What the home has and a backup does not take from it: what must not outlive a restart, and what is copied apart."""
BESIDE: Final = ("-wal", "-shm", "-journal")  # ends of the names of files that SQLite keeps beside a database
PASSPHRASE: Final = f"keys/{PASSPHRASE_FILE}"
BLOCK: Final = 1024 * 1024  # bytes copied at once


@dataclass(frozen=True, slots=True)
class Choice:
    """What goes into a backup, and which version of Bollard makes it."""

    images: bool
    passphrase: bool
    version: str


@dataclass(frozen=True, slots=True)
class Packed:
    """A backup was made: so many files and bytes, the ledger with ``audit_size`` entries."""

    members: int
    size: int
    audit_size: int
    audit_index: int


def pack(home: Home, path: Path, ask: Ask, choice: Choice, *, replace: bool) -> Packed:
    """Write a backup of ``home`` to ``path``, whole or not at all; verified before it has its name."""
    if path.resolve().is_relative_to(home.path.resolve()):
        raise InputError("backup.inside", "a backup cannot lie in the home it is of", "Name a file elsewhere.")
    with _scratch(home) as scratch:
        call = calls.CopyLedger(scratch.name, choice.images, choice.passphrase)
        copied = ask(call, calls.LedgerCopied)
        reach("backup.copied")
        _copy_events(home, scratch)
        with written(path, replace=replace) as (out, _):
            members = _write(out, [*_files(home, choice), *_gathered(scratch)], choice, copied)
            reach("backup.packed")
            out.flush()
            check_archive(out)
            size = out.seek(0, os.SEEK_END)
        reach("backup.written")
    return Packed(members, size, copied.checkpoint.size, copied.audit_index)


def _write(out: BinaryIO, files: list[tuple[str, Path]], choice: Choice, copied: calls.LedgerCopied) -> int:
    members: dict[str, Member] = {}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in files:
            members[name] = _add(archive, name, path)
        manifest = Manifest(
            version=choice.version,
            made=clock.now(),
            origin=copied.origin,
            audit_size=copied.checkpoint.size,
            checkpoint=copied.checkpoint.text,
            images=choice.images,
            passphrase=PASSPHRASE in members,
            members=members,
        )
        text = write_manifest(manifest)
        archive.addfile(_info(NAME, len(text)), io.BytesIO(text))
    return len(members)


def _add(archive: tarfile.TarFile, name: str, path: Path) -> Member:
    with _open(name, path) as file:
        size = os.fstat(file.fileno()).st_size
        source = _Digesting(file)
        archive.addfile(_info(name, size), cast("BinaryIO", source))
    digest = source.sum.hexdigest()
    if name.startswith("vault/") and path.name != digest:
        raise damaged(path.name)
    return Member(size, digest)


@dataclass(slots=True)
class _Digesting:
    """A file that is summed while it is read."""

    file: io.BufferedReader
    sum: hashlib._Hash = field(default_factory=hashlib.sha256)

    def read(self, size: int) -> bytes:
        """Read as files do."""
        block = self.file.read(size)
        self.sum.update(block)
        return block


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, int(clock.now().timestamp())
    return info


def _open(name: str, path: Path) -> io.BufferedReader:
    """Open a plain file; a link below the home, or a device, is nothing that a backup could hold."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        raise _unfit(name, problem.strerror or "it cannot be opened") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode) or not is_safe(name):
        os.close(handle)
        raise _unfit(name, "it is no plain file")
    return os.fdopen(handle, "rb")


def _unfit(name: str, why: str) -> InputError:
    return InputError(
        "backup.file", f"{name[:120]!r} cannot be backed up: {why}", "Take it out of the home, or make it a plain file."
    )


def _files(home: Home, choice: Choice) -> Iterator[tuple[str, Path]]:
    """Name every file of the home that goes into the backup; hidden ones are half written."""
    for top in sorted(home.path.iterdir()):
        if top.name in NOT_KEPT or top.name.endswith(BESIDE) or (top.name == "vault" and not choice.images):
            continue
        for name, path in _below(top.name, top):
            if name != PASSPHRASE or choice.passphrase:
                yield name, path


def _gathered(scratch: Path) -> Iterator[tuple[str, Path]]:
    for top in sorted(scratch.iterdir()):
        yield from _below(top.name, top)


def _below(name: str, path: Path) -> Iterator[tuple[str, Path]]:
    """Name the files at or below a path. The home's own folders may be links to other disks; nothing below may."""
    if path.name.startswith("."):
        return
    if path.is_dir() and ("/" not in name or not path.is_symlink()):
        for entry in sorted(path.iterdir()):
            yield from _below(f"{name}/{entry.name}", entry)
    else:
        yield name, path


def _copy_events(home: Home, scratch: Path) -> None:
    """Copy the journal first and the database after: a line that moves in between is in both, never in neither."""
    (scratch / "journal").mkdir(mode=0o700)
    for segment in sorted(home.journal.iterdir()):
        with contextlib.suppress(FileNotFoundError):  # moved to the database, which is copied after
            shutil.copyfile(segment, scratch / "journal" / segment.name, follow_symlinks=False)
    if not home.events.exists():
        return
    try:
        with (
            contextlib.closing(sqlite3.connect(home.events)) as reader,
            contextlib.closing(sqlite3.connect(scratch / "events.db")) as copied,
        ):
            reader.execute("PRAGMA query_only=ON")
            reader.backup(copied)
            copied.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as problem:
        raise BollardError(
            "backup.events", f"events.db cannot be copied: {problem}", "Check the disk; move a damaged events.db away."
        ) from problem


@contextlib.contextmanager
def _scratch(home: Home) -> Iterator[Path]:
    """A folder below ``run/`` for the block, locked, and cleared of what killed backups left beside it."""
    for left in home.run.glob("backup-*"):
        with contextlib.suppress(OSError), exclusive(left / ".lock") as free:
            if free:
                shutil.rmtree(left, ignore_errors=True)
    folder = home.run / f"backup-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    _give(home, folder)
    try:
        with exclusive(folder / ".lock"):
            yield folder
    except OSError as problem:
        raise BollardError(
            "backup.failed",
            f"the backup could not be made: {problem.strerror or problem}",
            "Free space on the disk of the home and of the backup, then try again; nothing was left behind.",
        ) from problem
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _give(home: Home, folder: Path) -> None:
    """Let the authority write there when root asks an authority that runs as somebody else."""
    owner = home.path.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(folder, owner.st_uid, owner.st_gid)
