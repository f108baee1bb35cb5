"""Copies the ledger for a backup while everybody goes on working, and records that a home came back from one.

The copy is SQLite's own online backup: the ledger as it was at one audit index. It is not handed over before it was
verified like the ledger itself, and the log says that a copy was made before there is one.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final

from pki.edge import calls, clock, store
from pki.edge.crashpoints import reach
from pki.edge.ledger import restores
from pki.edge.ledger.restores import Restore
from pki.edge.office.records import proved
from pki.errors import BollardError, InputError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from pki.audit import Json
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk

SCRATCH: Final = re.compile(r"backup-[0-9a-f]{16}")  # the folder below run/ that a backup is gathered in


async def copy(desk: Desk, call: calls.CopyLedger, who: str) -> calls.LedgerCopied:
    """Copy the ledger into a folder that the asker made below ``run/``, and verify the copy."""
    target = _folder(desk, call.folder) / "ledger.db"
    index = await desk.ledger.write(partial(_record, desk, call, who))
    signed = await desk.ledger.write(desk.checkpoint)
    reach("backup.recorded")
    try:
        await asyncio.to_thread(_copy, desk.home.ledger, target)
        await asyncio.to_thread(verify_copy, target, desk, signed.text)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return calls.LedgerCopied(desk.origin, signed, index)


def verify_copy(path: Path, desk: Desk, held: str) -> calls.AuditVerified:
    """Examine a ledger that nobody works with: the file, the log with the checkpoint ``held``, the rows."""
    reader = store.open_reader(path)
    try:
        check_file(reader.conn)
        return proved(desk.origin, desk.audit_public_key, held, reader)
    except sqlite3.Error as problem:
        raise store.translate(problem, path) from problem
    finally:
        reader.close()


def check_file(connection: sqlite3.Connection, pragma: str = "integrity_check") -> None:
    """Let SQLite examine the file; ``BollardError("ledger.damaged")`` with the first of what it found."""
    found = connection.execute(f"PRAGMA {pragma}(1)").fetchone()[0]
    if found != "ok":
        raise store.damaged(repr(str(found)[:200]))


def record_restore(desk: Desk, restored: tuple[int, int], made: dt.datetime, why: Sequence[str], tx: Tx) -> int:
    """Record that this home came back: ``restored`` are the sizes of its log and of the one it replaces.

    ``why`` are the codes of what spoke against it and was overruled.
    """
    moment, (size, replaced) = clock.now(), restored
    what: dict[str, Json] = {"moment": clock.stamp(moment), "from_size": size, "replaced_size": replaced}
    index = desk.record(tx, "home.restored", "restore", {**what, "made": clock.stamp(made), "overruled": list(why)})
    restores.add(tx.database, Restore(index, moment, size, replaced))
    return index


def _record(desk: Desk, call: calls.CopyLedger, who: str, tx: Tx) -> int:
    return desk.record(tx, "home.backed_up", who, {"images": call.images, "passphrase": call.passphrase})


def _folder(desk: Desk, name: str) -> Path:
    """Only a folder that a backup made for itself is meant, never a link to another place."""
    path = desk.home.run / name
    if not SCRATCH.fullmatch(name) or path.is_symlink() or not path.is_dir():
        raise InputError("backup.folder", f"{name[:40]!r} is no folder of a backup", "Use 'bollard backup FILE'.")
    return path


def _copy(source: Path, target: Path) -> None:
    """Copy page by page; whoever writes meanwhile is not held up, and the copy is of one moment."""
    try:
        with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(target)) as copied:
            target.chmod(0o600)
            reader.execute("PRAGMA query_only=ON")
            reader.backup(copied)
            copied.execute("PRAGMA journal_mode=DELETE")  # one file, with no other beside it
    except sqlite3.Error as problem:
        raise BollardError(
            "backup.copy",
            f"the ledger could not be copied: {problem}",
            "Free space on the disk that holds the home, then try again; the authority goes on meanwhile.",
        ) from problem
