"""The ledger's file is durable, private, written by one, and says clearly what is wrong with it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import msgspec
import pytest

from pki.edge import store
from pki.errors import BollardError, ConflictError

if TYPE_CHECKING:
    from pathlib import Path


class Setting(msgspec.Struct, frozen=True):
    """One number."""

    value: int


def test_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    """WAL, a flush at every commit, foreign keys on: the settings that the promises rest on."""
    writer = store.open_writer(tmp_path / "ledger.db")
    found = {
        name: writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    writer.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_the_file_and_its_companions_are_private(tmp_path: Path) -> None:
    """The log beside the ledger holds the same things as the ledger."""
    writer = store.open_writer(tmp_path / "ledger.db")
    writer.execute("UPDATE frontier SET size = 0")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    writer.close()
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    """One writer means one, also by mistake."""
    store.open_writer(tmp_path / "ledger.db").close()
    reader = store.open_reader(tmp_path / "ledger.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.change(reader, "UPDATE frontier SET size = :size", {"size": 1})
    reader.close()


def test_a_file_that_is_no_database_is_named_as_damaged(tmp_path: Path) -> None:
    """The advice is a backup, never a traceback."""
    (tmp_path / "ledger.db").write_bytes(b"this was a ledger once " * 100)
    with pytest.raises(BollardError, match=r"ledger\.damaged"):
        store.open_writer(tmp_path / "ledger.db")


def test_a_ledger_locked_by_a_stranger_is_named_as_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database browser left open must not look like a fault of ours."""
    store.open_writer(tmp_path / "ledger.db").close()
    stranger = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    stranger.execute("PRAGMA locking_mode = EXCLUSIVE")
    stranger.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(store, "BUSY_TIMEOUT", 0.0)
    with pytest.raises(ConflictError, match=r"ledger\.locked"):
        store.open_writer(tmp_path / "ledger.db")
    stranger.close()


def test_rows_are_read_into_the_type_asked_for(tmp_path: Path) -> None:
    """Column names are field names."""
    writer = store.open_writer(tmp_path / "ledger.db")
    found = store.rows(writer, Setting, "SELECT size AS value FROM frontier WHERE id = :id", {"id": 1})
    writer.close()
    assert found == [Setting(0)]


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (sqlite3.SQLITE_FULL, "ledger.full"),
        (sqlite3.SQLITE_BUSY, "ledger.locked"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "ledger.locked"),
        (sqlite3.SQLITE_CORRUPT, "ledger.damaged"),
        (sqlite3.SQLITE_IOERR_WRITE, "ledger.failed"),
    ],
)
def test_each_kind_of_trouble_has_its_code(problem: int, code: str) -> None:
    """Extended codes count as the kind they belong to."""
    raised = sqlite3.OperationalError("trouble")
    raised.sqlite_errorcode = problem
    assert store.translate(raised).code == code
