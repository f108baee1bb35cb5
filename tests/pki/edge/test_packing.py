"""A backup holds the home, whole and verified, without what opens the keys, and costs nobody anything when it fails."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.crashpoints import BACKUP_POINTS
from pki.edge.unpacking import check_archive
from pki.errors import BollardError, ConflictError, InputError
from tests.pki.edge.homes import back_up, lived_in
from tests.worlds import Paper, make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from pki.manifest import Manifest


def names(path: Path) -> set[str]:
    """What is in a backup."""
    with tarfile.open(path) as archive:
        return {*archive.getnames()}


def left_in(home: Home) -> list[str]:
    """What backups left below ``run/``."""
    return [path.name for path in home.run.glob("backup-*")]


def check(path: Path) -> Manifest:
    """Compare a backup with its manifest."""
    with path.open("rb") as file:
        return check_archive(file)


def test_a_backup_holds_everything_but_the_passphrase(tmp_path: Path) -> None:
    """Keys as they lie: encrypted. For its owner alone, and nothing is left in the home."""
    home = lived_in(tmp_path)
    made = back_up(home, tmp_path / "backup")
    found = names(tmp_path / "backup")
    assert {"bollard.toml", "ledger.db", "events.db", "keys/root.pem", "ca/root.pem", "manifest.json"} <= found
    assert any(name.startswith("vault/sha256/") for name in found)
    assert not any("passphrase" in name or name.startswith(("run", "quarantine")) or "-wal" in name for name in found)
    manifest = check(tmp_path / "backup")
    assert (manifest.passphrase, manifest.images, len(manifest.members)) == (False, True, made.members)
    assert manifest.audit_size == made.audit_size == made.audit_index + 1
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    assert left_in(home) == []


def test_the_passphrase_goes_in_only_when_asked_for_and_images_can_stay_out(tmp_path: Path) -> None:
    """Both are told by the manifest."""
    home = lived_in(tmp_path)
    back_up(home, tmp_path / "backup", images=False, passphrase=True)
    found = names(tmp_path / "backup")
    assert "keys/passphrase" in found
    assert not any(name.startswith("vault/") for name in found)
    assert (check(tmp_path / "backup").passphrase, check(tmp_path / "backup").images) == (True, False)


def test_a_running_authority_makes_the_copy_and_the_log_tells_of_it(tmp_path: Path) -> None:
    """By whom, and what went in."""
    home = make_home(tmp_path)
    with running_authority(home):
        made = back_up(home, tmp_path / "backup")
        entry = ask_once(home, calls.ListAudit(made.audit_index, 1), calls.AuditRows).rows[0].entry
    assert '"act":"home.backed_up"' in entry
    assert '"passphrase":false' in entry


def test_events_are_in_it_wherever_they_lie(tmp_path: Path) -> None:
    """In the journal, and in the database that they move to."""
    home = make_home(tmp_path)
    (home.journal / "worker-1.jsonl").write_text('{"id":"1"}\n')
    with closing(sqlite3.connect(home.events)) as events:
        events.execute("PRAGMA journal_mode=WAL")
        events.execute("CREATE TABLE events (id TEXT)")
        events.execute("INSERT INTO events VALUES ('2')")
        events.commit()
        back_up(home, tmp_path / "backup")
    with tarfile.open(tmp_path / "backup") as archive:
        archive.extractall(tmp_path / "out", filter="data")
    assert (tmp_path / "out" / "journal" / "worker-1.jsonl").read_text() == '{"id":"1"}\n'
    with closing(sqlite3.connect(tmp_path / "out" / "events.db")) as copied:
        assert copied.execute("SELECT id FROM events").fetchall() == [("2",)]


def test_a_file_that_is_there_is_not_overwritten_unasked(tmp_path: Path) -> None:
    """An older backup may be the better one."""
    home = make_home(tmp_path)
    back_up(home, tmp_path / "backup")
    before = (tmp_path / "backup").read_bytes()
    with pytest.raises(ConflictError, match=r"file\.exists"):
        back_up(home, tmp_path / "backup")
    assert (tmp_path / "backup").read_bytes() == before
    back_up(home, tmp_path / "backup", replace=True)
    assert (tmp_path / "backup").read_bytes() != before


def test_a_changed_image_is_not_packed_as_the_verified_one(tmp_path: Path) -> None:
    """It is told, and there is no backup that would hand it out again."""
    home = lived_in(tmp_path)
    (image,) = [path for path in home.vault.rglob("*") if path.is_file()]
    image.chmod(0o600)
    image.write_bytes(b"another")
    with pytest.raises(BollardError, match=r"vault\.damaged"):
        back_up(home, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("kind", ["link", "pipe", "blank"])
def test_what_is_no_plain_file_is_named_and_nothing_is_left(tmp_path: Path, kind: str) -> None:
    """Passed over in silence, it would be missed on the worst day."""
    home = make_home(tmp_path)
    if kind == "link":
        (home.ca / "more.pem").symlink_to(home.ca / "root.pem")
    elif kind == "pipe":
        os.mkfifo(home.ca / "more.pem")
    else:
        (home.ca / "more\npem").write_text("x")
    with pytest.raises(InputError, match=r"backup\.file.*more"):
        back_up(home, tmp_path / "backup")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_backup_does_not_lie_in_the_home_it_is_of(tmp_path: Path) -> None:
    """It would be lost with it, and the next one would hold it."""
    home = make_home(tmp_path)
    with pytest.raises(InputError, match=r"backup\.inside"):
        back_up(home, home.path / "backup")
    assert left_in(home) == []


def test_the_home_s_own_folder_may_lie_on_another_disk(tmp_path: Path) -> None:
    """A link in the vault's place is how people move it."""
    home = lived_in(tmp_path)
    home.vault.rename(tmp_path / "elsewhere")
    home.vault.symlink_to(tmp_path / "elsewhere")
    back_up(home, tmp_path / "backup")
    assert any(name.startswith("vault/sha256/") for name in names(tmp_path / "backup"))


_LIMITED = (
    "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
    "from cli.main import run; raise SystemExit(run(sys.argv[1:]))"
)


def test_a_disk_that_does_not_take_the_copy_is_told_and_the_authority_goes_on(tmp_path: Path) -> None:
    """The system lets the authority's files grow no further; then it does again."""
    home = make_home(tmp_path)
    seeds = tuple(calls.StationSeed(f"CP-{number}", f"SN-{number}", 3) for number in range(2_000))
    ask_once(home, calls.AddStations(seeds), calls.StationsAdded)
    assert home.ledger.stat().st_size > 500_000
    with running_authority(home) as authority:
        _, most = resource.prlimit(authority.pid, resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
        with pytest.raises(BollardError, match=r"backup\.copy"):
            back_up(home, tmp_path / "backup")
        assert left_in(home) == []
        ask_once(home, Paper.of(1).add, calls.StationAdded)
        resource.prlimit(authority.pid, resource.RLIMIT_FSIZE, (most, most))
        back_up(home, tmp_path / "backup")
    assert check(tmp_path / "backup").audit_size > 14


def test_a_disk_that_does_not_take_the_backup_leaves_nothing_of_it(tmp_path: Path) -> None:
    """The system says so in the middle of the writing, and the command says what it said."""
    home = make_home(tmp_path)
    with running_authority(home):
        command = [sys.executable, "-c", _LIMITED, "--home", str(home.path), "backup", str(tmp_path / "backup")]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, "file.unwritten" in ended.stderr, "too large" in ended.stderr) == (1, True, True)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert left_in(home) == []


@pytest.mark.parametrize("point", BACKUP_POINTS)
def test_a_killed_backup_is_no_backup_and_the_next_one_clears_up(tmp_path: Path, point: str) -> None:
    """Whatever it left, the next one succeeds; before its last step there is no file of the name."""
    home = make_home(tmp_path)
    command = [sys.executable, "-m", "bollard", "--home", str(home.path), "backup", str(tmp_path / "backup")]
    ended = subprocess.run(command, env={**os.environ, "BOLLARD_CRASH_AT": point}, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (tmp_path / "backup").exists() == (point == "backup.written")
    back_up(home, tmp_path / "backup", replace=True)
    assert check(tmp_path / "backup").audit_size > 13
    assert left_in(home) == []
