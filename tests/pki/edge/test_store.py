"""The ledger's file is durable, private, written by one, and says clearly what is wrong with it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from pki.edge import store
from pki.errors import BollardError, ConflictError, ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database


class Setting(msgspec.Struct, frozen=True):
    """One number."""

    value: int


def test_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    """WAL, a flush at every commit, foreign keys on: the settings that the promises rest on."""
    store.create(tmp_path / "ledger.db")
    writer = store.open_writer(tmp_path / "ledger.db")
    found = {
        name: writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    writer.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_the_file_and_its_companions_are_private(tmp_path: Path) -> None:
    """The log beside the ledger holds the same things as the ledger."""
    store.create(tmp_path / "ledger.db")
    writer = store.open_writer(tmp_path / "ledger.db")
    writer.execute("UPDATE frontier SET size = 0")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    writer.close()
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    """One writer means one, also by mistake."""
    store.create(tmp_path / "ledger.db")
    reader = store.open_reader(tmp_path / "ledger.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.change(reader, "UPDATE frontier SET size = :size", {"size": 1})
    reader.close()


def test_a_file_that_is_no_database_is_named_as_damaged(tmp_path: Path) -> None:
    """The advice is a backup, never a traceback."""
    (tmp_path / "ledger.db").write_bytes(b"this was a ledger once " * 100)
    with pytest.raises(BollardError, match=r"ledger\.damaged"):
        store.open_writer(tmp_path / "ledger.db")


@pytest.mark.parametrize("opened", [store.open_writer, store.open_reader])
@pytest.mark.parametrize("left", [None, b""], ids=["nothing", "no bytes"])
def test_a_lost_ledger_is_never_made_anew(
    tmp_path: Path, opened: Callable[[Path], Database], left: bytes | None
) -> None:
    """An empty ledger would say that nothing was ever issued or revoked. Nothing is left behind by the refusal."""
    if left is not None:
        (tmp_path / "ledger.db").write_bytes(left)
    with pytest.raises(BollardError, match=r"ledger\.missing") as refused:
        opened(tmp_path / "ledger.db")
    assert "backup" in refused.value.advice
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [left] * (left is not None)


def test_a_database_without_tables_is_no_ledger(tmp_path: Path) -> None:
    """As little as no file at all."""
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as blank:
        blank.execute("VACUUM")
    with pytest.raises(BollardError, match=r"ledger\.missing"):
        store.open_writer(tmp_path / "ledger.db")


def test_a_ledger_that_forgot_a_step_of_its_making_is_damaged(tmp_path: Path) -> None:
    """Whoever took the step's row away; no step is taken twice, and nobody is told of a fault in the program."""
    store.create(tmp_path / "ledger.db")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger:
        steps = [str(name) for (name,) in ledger.execute("SELECT name FROM _sqlite_migrations")]
    codes = {}
    for step in steps:
        shutil.copy(tmp_path / "ledger.db", tmp_path / "less.db")
        with closing(sqlite3.connect(tmp_path / "less.db")) as ledger, ledger:
            ledger.execute("DELETE FROM _sqlite_migrations WHERE name = ?", [step])
        try:
            store.open_writer(tmp_path / "less.db").close()
        except BollardError as problem:
            codes[step] = problem.code
    assert len(codes) > 10
    assert set(codes.values()) == {"ledger.damaged"}


def test_a_ledger_is_never_made_over_another(tmp_path: Path) -> None:
    """Whatever lies there, be it empty."""
    (tmp_path / "ledger.db").touch()
    with pytest.raises(ConflictError, match=r"ledger\.exists"):
        store.create(tmp_path / "ledger.db")


def test_a_folder_in_place_of_the_ledger_is_named_as_damage(tmp_path: Path) -> None:
    """Not as a fault of ours."""
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(BollardError, match=r"ledger\.damaged"):
        store.open_writer(tmp_path / "ledger.db")


_OPEN_AS = """
import os, pathlib, sys
from pki.edge import store
from pki.errors import BollardError
os.setuid(int(sys.argv[2]))
try:
    store.open_writer(pathlib.Path(sys.argv[1]))
except BollardError as refused:
    print(type(refused).__name__, refused.code)
"""


@pytest.mark.parametrize("mode", [0o000, 0o200, 0o444], ids=oct)
def test_a_ledger_that_may_not_be_read_and_written_is_forbidden(mode: int) -> None:
    """Whose it is is what the advice speaks of. Tried as a user whom permissions hold back, which root is not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        store.create(path)
        path.parent.chmod(0o755)
        path.chmod(mode)
        user = 65534 if os.geteuid() == 0 else os.geteuid()
        command = [sys.executable, "-c", _OPEN_AS, str(path), str(user)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.stdout.strip(), ended.stderr) == (f"{ForbiddenError.__name__} ledger.forbidden", "")


def test_a_ledger_locked_by_a_stranger_is_named_as_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database browser left open must not look like a fault of ours."""
    store.create(tmp_path / "ledger.db")
    stranger = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    stranger.execute("PRAGMA locking_mode = EXCLUSIVE")
    stranger.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(store, "BUSY_TIMEOUT", 0.0)
    with pytest.raises(ConflictError, match=r"ledger\.locked"):
        store.open_writer(tmp_path / "ledger.db")
    stranger.close()


def test_rows_are_read_into_the_type_asked_for(tmp_path: Path) -> None:
    """Column names are field names."""
    store.create(tmp_path / "ledger.db")
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


@pytest.mark.parametrize(
    "problem",
    [sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR],
)
def test_an_io_error_on_a_full_disk_is_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: int
) -> None:
    """Where a companion file of the ledger cannot grow, SQLite does not say why; the file system does."""
    raised = sqlite3.OperationalError("disk I/O error")
    raised.sqlite_errorcode = problem
    assert store.translate(raised, tmp_path / "ledger.db").code == "ledger.failed"
    monkeypatch.setattr(store, "ROOM_LEAST", 2**62)
    assert store.translate(raised, tmp_path / "ledger.db").code == "ledger.full"
