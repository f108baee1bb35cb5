"""The ledger's file: how it is opened so that what it confirmed is still there after the power went.

SQLite in WAL mode with ``synchronous=FULL``: a committed transaction has reached the disk. Foreign keys are enforced.
Exactly one connection writes (``pki.edge.commit`` owns it); readers cannot write. What SQLite complains about is turned
into our errors here, and only here.

A new ledger is made by ``create`` alone, for a home that is just being made. Everybody else opens the one that is
there: a lost ledger must never come back as an empty one, which knows of no revocation.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from sqlite_utils import Database

from pki.edge.migrations import LEDGER
from pki.errors import BollardError, ConflictError, ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

BUSY_TIMEOUT: Final = 5.0  # seconds to wait for another connection's lock; ours alone writes, so any wait is an anomaly
ROOM_LEAST: Final = 64 * 1024  # bytes; SQLite lets the index of its log grow by half as much, and a page comes with it
WAL_PAGES: Final = 4000  # pages of 4 KiB between checkpoints of the write-ahead log: bounds it near 16 MB

Value = str | int | bytes | None
T = TypeVar("T")

_FULL = {sqlite3.SQLITE_FULL}
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_CLOSED = {sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH}


def create(path: Path) -> None:
    """Make a new ledger with its tables and nothing in them; ``ConflictError("ledger.exists")`` over one that is there.

    For ``bollard init`` alone.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise ConflictError("ledger.exists", "there is a ledger already", "A ledger is never written over.") from None
    _open(path, _prepare_writer).close()


def open_writer(path: Path) -> Database:
    """Open the ledger for its one writer, its schema up to date; ``BollardError("ledger.missing")`` without one."""
    _look_at(path)
    return _open(path, _prepare_old)


def open_reader(path: Path) -> Database:
    """Open the ledger for looking only: any attempt to write on this connection fails."""
    _look_at(path)
    return _open(path, lambda database: database.execute("PRAGMA query_only=ON"))


def rows(database: Database, kind: type[T], sql: str, values: Mapping[str, Value] | None = None) -> list[T]:
    """Run a query and read each row into ``kind``; the column names are its field names."""
    cursor = database.conn.execute(sql, values or {})
    names = [column[0] for column in cursor.description]
    return [msgspec.convert(dict(zip(names, row, strict=True)), kind, strict=False) for row in cursor]


def change(database: Database, sql: str, values: Mapping[str, Value]) -> int:
    """Run one writing statement; return how many rows it touched."""
    return database.conn.execute(sql, values).rowcount


def translate(problem: sqlite3.Error, path: Path | None = None) -> BollardError:
    """Say in our words what SQLite could not do, with the ledger at ``path``.

    A full disk is not always told as one: where a companion file cannot grow it is an I/O error like any other, and
    only the file system knows why.
    """
    code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    if code in _FULL or (code == sqlite3.SQLITE_IOERR and path is not None and _is_full(path)):
        return BollardError(
            "ledger.full",
            "the ledger cannot grow, so this was not recorded, and what is not recorded is not handed out",
            "Free space on the disk that holds the home folder, then try again.",
        )
    if code in _LOCKED:
        return ConflictError(
            "ledger.locked",
            "another program holds the ledger's lock",
            "Close what has ledger.db open (a database browser, a backup); only the authority may write to it.",
        )
    if code in _DAMAGED:
        return damaged("it is not a sound SQLite file")
    if code in _CLOSED or (code == sqlite3.SQLITE_CANTOPEN and path is not None and not _is_open_to_us(path)):
        return _forbidden()
    return BollardError("ledger.failed", f"the ledger failed: {problem}", "Look at the disk, then try again.")


def damaged(why: str) -> BollardError:
    """Say that the ledger holds what it cannot hold."""
    return BollardError(
        "ledger.damaged", f"ledger.db is damaged: {why}", "Stop Bollard and restore the ledger from a backup."
    )


def identify(path: Path) -> tuple[int, int]:
    """Return which file the ledger is, whatever its name: device and number. ``BollardError("ledger.missing")``."""
    found = _look_at(path)
    return found.st_dev, found.st_ino


def missing(why: str) -> BollardError:
    """Say that the home's ledger is gone, whatever lies in its place."""
    return BollardError(
        "ledger.missing",
        f"the home's ledger is gone: {why}",
        "Restore the home from a backup: bollard restore FILE. Without it nobody knows what was issued and revoked.",
    )


def _forbidden() -> ForbiddenError:
    return ForbiddenError(
        "ledger.forbidden",
        "ledger.db, or a file beside it, may not be read and written by this user",
        "Run it as the user who owns the home, or give the files back to that user.",
    )


def _look_at(path: Path) -> os.stat_result:
    """Refuse what is no ledger before SQLite makes one of it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise missing("there is no ledger.db") from None
    except PermissionError:
        raise _forbidden() from None
    if not stat.S_ISREG(found.st_mode):
        raise damaged("it is no file")
    if not found.st_size:
        raise missing("ledger.db is empty")
    return found


def _is_full(path: Path) -> bool:
    try:
        room = os.statvfs(path.parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < ROOM_LEAST


def _is_open_to_us(path: Path) -> bool:
    """Tell whether SQLite may use the file, and may put others beside it."""
    return os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.R_OK | os.W_OK | os.X_OK)


def _open(path: Path, prepare: Callable[[Database], object]) -> Database:
    connection = None
    try:
        # Used by one thread at a time, yet closed by another than the one that works with it. It makes no new file.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA foreign_keys=ON")
        database = Database(connection, execute_plugins=False)
        prepare(database)
    except (sqlite3.Error, BollardError) as problem:
        if connection is not None:
            connection.close()
        raise translate(problem, path) if isinstance(problem, sqlite3.Error) else problem from None
    return database


def _prepare_old(database: Database) -> None:
    if not database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'frontier'").fetchone():
        raise missing("ledger.db holds no table of a ledger")
    try:
        _prepare_writer(database)
    except (RuntimeError, sqlite3.OperationalError) as problem:
        if getattr(problem, "sqlite_errorcode", sqlite3.SQLITE_ERROR) != sqlite3.SQLITE_ERROR:
            raise
        raise damaged(f"its tables are not those that it says it has: {str(problem)[:120]}") from None


def _prepare_writer(database: Database) -> None:
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
    LEDGER.apply(database)
