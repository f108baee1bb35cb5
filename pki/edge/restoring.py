"""Puts a home back from a backup (``bollard restore``): beside the old one first, judged, and then in its place.

* The archive is unpacked into ``HOME.restoring-…``, every byte compared; its keys must open, its ledger must be sound,
  its audit log whole. What speaks against it is told at once and nothing is changed.
* A restore must not undo what is recorded: a backup that ends before the log of the home it replaces, or before a
  checkpoint kept elsewhere, or that tells another story, is refused. To overrule that is recorded in the restored log.
* The old home is renamed to ``HOME.before-restore-…`` and never deleted; then the new one is renamed into its place. A
  kill between the two leaves both, whole, beside each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import sqlite3
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pki import audit
from pki.checkpoint import open_checkpoint
from pki.edge import clock, keys, lock, store
from pki.edge.commit import GroupCommit
from pki.edge.crashpoints import reach
from pki.edge.home import ASIDE, FOLDERS, SETTINGS, Home, read_settings, set_aside
from pki.edge.ledger import audit as log
from pki.edge.ledger.restores import NOTHING
from pki.edge.office.backups import record_restore, verify_copy
from pki.edge.office.desk import Desk
from pki.edge.passphrase import PASSPHRASE_FILE
from pki.edge.unpacking import unpack
from pki.edge.vault import Vault
from pki.errors import BollardError, ConflictError
from pki.findings import Finding, error, refuse_errors
from pki.settings import parse_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlite_utils import Database

    from pki.edge.commit import Tx
    from pki.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Judged:
    """What is wanted of a restore: ``held`` are checkpoints kept elsewhere; ``unsafe_roll_back`` overrules."""

    held: Sequence[str] = ()
    unsafe_roll_back: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """A home was restored. ``aside`` is where the old one went; ``overruled`` are codes of what spoke against it."""

    audit_size: int
    replaced_size: int
    audit_index: int
    aside: Path | None
    overruled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Old:
    """The log of the home to be replaced: its edge, or nothing when it cannot be read."""

    edge: audit.Frontier | None

    @property
    def size(self) -> int:
        return NOTHING if self.edge is None else self.edge.size


def restore(archive: Path, target: Path, wanted: Judged, *, rehearsed: bool = False) -> Restored:
    """Restore a backup as the home ``target``, which may be absent, empty, or a home that nothing runs in.

    ``rehearsed``: judge everything, beside the home as ever, and leave it as it is.
    """
    target = target.resolve()
    try:
        with contextlib.ExitStack() as held:
            replaced = _claim(target, held)
            staging = held.enter_context(_staging(target))
            with archive.open("rb") as file:
                manifest = unpack(file, staging.path)
            reach("restore.extracted")
            past = replaced or _interrupted(target)
            _complete(staging, past)
            recorded = asyncio.run(_judge_and_record(staging, manifest, past, wanted))
            reach("restore.recorded")
            if rehearsed:
                return recorded
            return _swap(staging.path, target, recorded)
    except OSError as problem:
        raise BollardError(
            "restore.failed",
            f"the home could not be restored: {problem.strerror or problem}: {str(problem.filename or '')[:200]!r}",
            "Check the space and the permissions there, then try again; the old home is as it was.",
        ) from problem


def _claim(target: Path, held: contextlib.ExitStack) -> Home | None:
    """Say whether a home will be replaced, and keep everybody out of it until the end."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return None
    if not (target / SETTINGS).is_file():
        raise ConflictError(
            "home.not_empty", f"{str(target)!r} holds other things than a home", "Name an empty or a new folder."
        )
    home = Home(target)
    home.run.mkdir(mode=0o700, exist_ok=True)
    held.enter_context(lock.hold(home.lock))
    if not held.enter_context(lock.exclusive(home.run / "up.lock")):
        raise ConflictError("restore.running", "Bollard runs in this home", "Stop 'bollard up' first.")
    return home


def _interrupted(target: Path) -> Home | None:
    """Where a restore was killed between its renames, the home it moved aside is still the one to be judged by."""
    aside = set_aside(target)
    return Home(aside) if aside else None


@contextlib.contextmanager
def _staging(target: Path) -> Iterator[Home]:
    """A new folder beside the target, locked; gone afterwards unless it was renamed. Clears what a kill left there."""
    for left in target.parent.glob(f"{target.name}.restoring-*"):
        with contextlib.suppress(OSError), lock.exclusive(left / "run" / "lock") as free:
            if free:
                shutil.rmtree(left, ignore_errors=True)
    staging = Home(target.with_name(f"{target.name}.restoring-{secrets.token_hex(4)}"))
    staging.run.mkdir(mode=0o700, parents=True)
    staging.path.chmod(0o700)
    try:
        with lock.exclusive(staging.lock):
            yield staging
    finally:
        shutil.rmtree(staging.path, ignore_errors=True)


def _complete(staging: Home, replaced: Home | None) -> None:
    """Add what a backup does not hold: the empty folders, and the passphrase where it lay beside the same keys."""
    for name in FOLDERS:
        (staging.path / name).mkdir(mode=0o700, exist_ok=True)
    if replaced is None or (staging.keys / PASSPHRASE_FILE).exists() or not (replaced.keys / PASSPHRASE_FILE).is_file():
        return
    keys.write_private(staging.keys / PASSPHRASE_FILE, (replaced.keys / PASSPHRASE_FILE).read_bytes())


async def _judge_and_record(staging: Home, manifest: Manifest, replaced: Home | None, wanted: Judged) -> Restored:
    """Examine what was unpacked, and write into its own log that it came back."""
    settings = parse_settings(read_settings(staging))
    keyring = keys.open_keyring(staging.keys, keys.read_passphrase(staging.keys), settings)
    desk = Desk(staging, settings, GroupCommit(staging.ledger), keyring, Vault(staging.vault))
    try:
        size = verify_copy(staging.ledger, desk, manifest.checkpoint).size
        old = None if replaced is None else _look(replaced)
        overruled = await desk.ledger.read_apart(partial(_judge, desk, size, old, wanted))
        reach("restore.checked")
        sizes = (size, NOTHING if old is None else old.size)
        index = await desk.ledger.write(partial(_record, desk, sizes, manifest, overruled))
    finally:
        await desk.ledger.close()
    return Restored(*sizes, index, None, overruled)


def _record(desk: Desk, sizes: tuple[int, int], manifest: Manifest, overruled: tuple[str, ...], tx: Tx) -> int:
    index = record_restore(desk, sizes, manifest.made, overruled, tx)
    desk.checkpoint(tx)
    return index


def _look(replaced: Home) -> _Old:
    """Read how far the log of the home to be replaced goes; a ledger that is broken cannot say."""
    try:
        reader = store.open_reader(replaced.ledger)
    except (BollardError, sqlite3.Error):
        return _Old(None)
    try:
        return _Old(log.edge(reader))
    except (BollardError, sqlite3.Error):
        return _Old(None)
    finally:
        reader.close()


def _judge(desk: Desk, size: int, old: _Old | None, wanted: Judged, database: Database) -> tuple[str, ...]:
    """Hold the restored log against what is known of the log's past; return the codes of what was overruled."""
    known = [("the checkpoint kept elsewhere", *_opened(desk, text)) for text in wanted.held]
    found: list[Finding] = []
    if old is not None and old.edge is not None:
        known.append(("the home that is replaced", old.edge.size, old.edge.root()))
    elif old is not None and not known:
        found.append(error("restore.unknown", "", "the ledger of the home that is replaced cannot be read"))
    for what, past, root in known:
        found += _compare(database, size, (what, past, root))
    if not wanted.unsafe_roll_back:
        refuse_errors(
            found,
            "restore.refused",
            "the backup",
            "Take a newer backup. '--unsafe-roll-back' restores it all the same, and records that.",
        )
    return tuple(sorted({finding.code for finding in found}))


def _opened(desk: Desk, text: str) -> tuple[int, bytes]:
    return open_checkpoint(text, desk.origin, desk.audit_public_key)


def _compare(database: Database, size: int, known: tuple[str, int, bytes]) -> list[Finding]:
    what, past, root = known
    if past > size:
        says = f"it ends at audit entry {size - 1}, {what} goes to {past - 1}: {past - size} entries would be undone"
        return [error("restore.behind", "", says)]
    if audit.frontier_of(log.stored_leaves(database), past).root() != root:
        return [error("restore.diverged", "", f"its first {past} audit entries are not those of {what}")]
    return []


def _swap(staging: Path, target: Path, recorded: Restored) -> Restored:
    """Rename the old home aside, and the new one in; a rename that fails is taken back."""
    _flush(staging)
    aside = None
    if target.exists() and any(target.iterdir()):
        _give(target, staging)
        aside = _free_name(target)
        target.rename(aside)
        keys.flush_folder(target.parent)
        reach("restore.aside")
    try:
        staging.rename(target)
    except OSError:
        if aside is not None:
            aside.rename(target)
        raise
    keys.flush_folder(target.parent)
    reach("restore.done")
    return Restored(recorded.audit_size, recorded.replaced_size, recorded.audit_index, aside, recorded.overruled)


def _free_name(target: Path) -> Path:
    stamp = clock.now().strftime("%Y%m%dT%H%M%SZ")
    names = [f"{target.name}{ASIDE}{stamp}{end}" for end in ("", *(f"-{number}" for number in range(1, 100)))]
    return next(path for path in map(target.with_name, names) if not os.path.lexists(path))


def _flush(staging: Path) -> None:
    """Make durable what was written after the unpacking: the ledger, and the names in every folder."""
    for path in staging.rglob("*"):
        if path.is_dir():
            keys.flush_folder(path)
    for path in (staging / "ledger.db", staging):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _give(target: Path, staging: Path) -> None:
    """When root restores a home of somebody else's, everything in the new one is theirs as well."""
    owner = target.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in [staging, *staging.rglob("*")]:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
