"""The ledger's file: how it is opened so that what it confirmed is still there after the power went.

SQLite in WAL mode with ``synchronous=FULL``: a committed transaction has reached the disk. Foreign keys are enforced.
Exactly one connection writes (``pki.edge.commit`` owns it); readers cannot write. What SQLite complains about is turned
into our errors here, and only here.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from sqlite_utils import Database

from pki.edge.migrations import LEDGER
from pki.errors import BollardError, ConflictError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

BUSY_TIMEOUT: Final = 5.0  # seconds to wait for another connection's lock; ours alone writes, so any wait is an anomaly
WAL_PAGES: Final = 4000  # pages of 4 KiB between checkpoints of the write-ahead log: bounds it near 16 MB

Value = str | int | bytes | None
T = TypeVar("T")

_FULL = {sqlite3.SQLITE_FULL}
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def open_writer(path: Path) -> Database:
    """Open the ledger for its one writer, and bring its schema up to date."""
    path.touch(mode=0o600)
    return _open(path, _prepare_writer)


def open_reader(path: Path) -> Database:
    """Open the ledger for looking only: any attempt to write on this connection fails."""
    return _open(path, lambda database: database.execute("PRAGMA query_only=ON"))


def rows(database: Database, kind: type[T], sql: str, values: Mapping[str, Value] | None = None) -> list[T]:
    """Run a query and read each row into ``kind``; the column names are its field names."""
    cursor = database.conn.execute(sql, values or {})
    names = [column[0] for column in cursor.description]
    return [msgspec.convert(dict(zip(names, row, strict=True)), kind, strict=False) for row in cursor]


def change(database: Database, sql: str, values: Mapping[str, Value]) -> int:
    """Run one writing statement; return how many rows it touched."""
    return database.conn.execute(sql, values).rowcount


def translate(problem: sqlite3.Error) -> BollardError:
    """Say in our words what SQLite could not do."""
    code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    if code in _FULL:
        return BollardError(
            "ledger.full",
            "the ledger cannot grow, so nothing was recorded and nothing was done",
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
    return BollardError("ledger.failed", f"the ledger failed: {problem}", "Look at the disk, then try again.")


def damaged(why: str) -> BollardError:
    """Say that the ledger holds what it cannot hold."""
    return BollardError(
        "ledger.damaged", f"ledger.db is damaged: {why}", "Stop Bollard and restore the ledger from a backup."
    )


def _open(path: Path, prepare: Callable[[Database], object]) -> Database:
    # The connection is used by one thread at a time, but it is closed by another than the one that works with it.
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA foreign_keys=ON")
        database = Database(connection, execute_plugins=False)
        prepare(database)
    except sqlite3.Error as problem:
        connection.close()
        raise translate(problem) from problem
    return database


def _prepare_writer(database: Database) -> None:
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
    LEDGER.apply(database)
