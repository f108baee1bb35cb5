"""A home comes back as it was, never behind what is known of its log unless that is overruled, and never half."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.crashpoints import RESTORE_POINTS
from pki.edge.home import Home
from pki.edge.ledger.restores import NOTHING
from pki.edge.restoring import Judged, Restored, restore
from pki.errors import BollardError, ConflictError, ForbiddenError, RefusedError
from tests.pki.edge.homes import back_up, lived_in
from tests.worlds import Paper, make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home."""
    return make_home(tmp_path)


@pytest.fixture
def backup(home: Home, tmp_path: Path) -> Path:
    """A backup of it, with all that opens it."""
    back_up(home, tmp_path / "backup", passphrase=True)
    return tmp_path / "backup"


def put_back(backup: Path, home: Home, *held: str, overrule: bool = False) -> Restored:
    """Restore a backup over a home."""
    return restore(backup, home.path, Judged(held, overrule))


def checkpoint(home: Home) -> str:
    """Sign the log as it stands."""
    return ask_once(home, calls.MakeCheckpoint(), calls.Checkpoint).text


def size_of(home: Home) -> int:
    """Verify a home; how many entries its log has."""
    return ask_once(home, calls.VerifyAudit(), calls.AuditVerified).size


def left_beside(home: Home) -> list[str]:
    """What a restore left of its own."""
    return [path.name for path in home.path.parent.glob(f"{home.path.name}.restoring-*")]


def test_a_home_comes_back_elsewhere_with_all_that_was_in_it(tmp_path: Path) -> None:
    """Certificates, stations, trust, images; and the log that goes on where it was."""
    home = lived_in(tmp_path)
    held = checkpoint(home)
    back_up(home, tmp_path / "backup", passphrase=True)
    other = Home(tmp_path / "new" / "home")
    done = put_back(tmp_path / "backup", other, held)
    assert (done.replaced_size, done.aside, done.overruled) == (NOTHING, None, ())
    for call in (calls.ListCertificates(), calls.ListStations(), calls.ListAnchors(), calls.ListReleases()):
        assert ask_once(other, call, calls.Row) == ask_once(home, call, calls.Row)
    verified = ask_once(other, calls.VerifyAudit(held), calls.AuditVerified)
    assert verified.size == done.audit_index + 1 == done.audit_size + 1
    ask_once(other, Paper.of(1).issue, calls.CertificateIssued)


def test_a_backup_put_back_at_once_undoes_nothing_and_the_old_home_stays_beside(home: Home, backup: Path) -> None:
    """Its own entry is in it."""
    done = put_back(backup, home)
    assert done.overruled == ()
    assert done.aside is not None
    assert done.audit_size == done.replaced_size == size_of(Home(done.aside))
    assert size_of(home) == done.audit_size + 1
    entry = ask_once(home, calls.ListAudit(done.audit_index, 1), calls.AuditRows).rows[0].entry
    assert '"act":"home.restored"' in entry
    assert left_beside(home) == []


@pytest.mark.parametrize("known", ["by the home", "by a checkpoint"])
def test_a_restore_that_would_undo_recorded_acts_is_refused(home: Home, backup: Path, known: str) -> None:
    """Whether the home still knows, or only who kept a checkpoint."""
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    held = [checkpoint(home)] if known == "by a checkpoint" else []
    target = Home(home.path.with_name("elsewhere")) if held else home
    with pytest.raises(RefusedError, match="1 entries would be undone"):
        put_back(backup, target, *held)
    assert size_of(home) > 14
    assert left_beside(target) == []


def test_overruling_it_is_recorded_for_ever(home: Home, backup: Path) -> None:
    """In the log, and in a row that others can ask."""
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    done = put_back(backup, home, overrule=True)
    assert done.overruled == ("restore.behind",)
    entry = ask_once(home, calls.ListAudit(done.audit_index, 1), calls.AuditRows).rows[0].entry
    assert '"overruled":["restore.behind"]' in entry
    assert len(ask_once(home, calls.Examine(30), calls.Examined).restored_behind) == 1
    assert ask_once(home, calls.ListStations(), calls.Stations).stations == ()


def test_a_log_that_went_another_way_is_refused_as_well(home: Home, backup: Path, tmp_path: Path) -> None:
    """As long, but not the same: somebody else's story, or a home of its own."""
    put_back(backup, home)
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    back_up(home, tmp_path / "later", passphrase=True)
    put_back(backup, home, overrule=True)
    with pytest.raises(RefusedError) as refused:
        put_back(tmp_path / "later", home)
    assert {finding.code for finding in refused.value.findings} == {"restore.diverged"}


def test_a_broken_ledger_cannot_say_how_far_it_went(home: Home, backup: Path) -> None:
    """A checkpoint kept elsewhere says it in its place."""
    held = checkpoint(home)
    home.ledger.write_bytes(b"not a database, by any means at all")
    with pytest.raises(RefusedError) as refused:
        put_back(backup, home)
    assert {finding.code for finding in refused.value.findings} == {"restore.unknown"}
    assert put_back(backup, home, held).overruled == ()
    size_of(home)


def test_nothing_is_replaced_while_somebody_works_in_it(home: Home, backup: Path) -> None:
    """Not the authority, nor a supervisor that would start it again."""
    with running_authority(home), pytest.raises(ConflictError, match=r"authority\.running"):
        put_back(backup, home)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(home.run / "up.lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"held\n"
        with pytest.raises(ConflictError, match=r"restore\.running"):
            put_back(backup, home)
    put_back(backup, home)


_HOLD = (
    "import sys, pathlib; from pki.edge.lock import exclusive\n"
    "with exclusive(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


def test_a_folder_of_other_things_is_not_replaced(backup: Path, tmp_path: Path) -> None:
    """A slip of the finger must not move somebody's files away."""
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "letter").write_text("x")
    with pytest.raises(ConflictError, match=r"home\.not_empty"):
        restore(backup, tmp_path / "papers", Judged())
    (tmp_path / "papers" / "letter").unlink()
    restore(backup, tmp_path / "papers", Judged())
    size_of(Home(tmp_path / "papers"))


def test_keys_that_do_not_open_make_no_home(home: Home, tmp_path: Path) -> None:
    """Better told now than when it is needed; over the home it came from, the passphrase stays where it lay."""
    back_up(home, tmp_path / "sealed")
    with pytest.raises(ForbiddenError, match=r"passphrase\.missing"):
        restore(tmp_path / "sealed", tmp_path / "new", Judged())
    assert not (tmp_path / "new").exists()
    put_back(tmp_path / "sealed", home)
    assert (home.keys / "passphrase").is_file()
    size_of(home)


def test_an_altered_ledger_in_a_well_packed_backup_is_refused(home: Home, tmp_path: Path) -> None:
    """The archive agrees with its manifest; the rows do not follow from the log."""
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    back_up(home, tmp_path / "backup", passphrase=True)
    forged = tmp_path / "forged"
    command = [sys.executable, "-c", _FORGE, str(tmp_path / "backup"), str(forged)]
    subprocess.run(command, check=True)
    with pytest.raises(RefusedError, match=r"audit\.rows"):
        put_back(forged, home)
    assert size_of(home) > 13


_FORGE = """
import io, hashlib, sqlite3, sys, tarfile, tempfile, msgspec, pathlib
from pki.manifest import Member, read_manifest, write_manifest
with tarfile.open(sys.argv[1]) as old, tarfile.open(sys.argv[2], "w") as new:
    contents = {info.name: old.extractfile(info).read() for info in old}
    manifest = read_manifest(contents.pop("manifest.json"))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "ledger.db"
        path.write_bytes(contents["ledger.db"])
        ledger = sqlite3.connect(path)
        ledger.execute("UPDATE station SET profile = 1")
        ledger.commit()
        ledger.close()
        contents["ledger.db"] = path.read_bytes()
    listed = {name: Member(len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()}
    contents["manifest.json"] = write_manifest(msgspec.structs.replace(manifest, members=listed))
    for name, content in contents.items():
        info = tarfile.TarInfo(name)
        info.size = len(content)
        new.addfile(info, io.BytesIO(content))
"""


@pytest.mark.parametrize("point", RESTORE_POINTS)
def test_a_killed_restore_leaves_the_old_home_or_the_new_one_whole(home: Home, backup: Path, point: str) -> None:
    """Between the two renames both are there, beside each other, and the command that finds none names the old one."""
    command = [sys.executable, "-m", "bollard", "--yes", "--home", str(home.path), "restore", str(backup)]
    before = size_of(home)
    ended = subprocess.run(command, env={**os.environ, "BOLLARD_CRASH_AT": point}, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    aside = list(home.path.parent.glob("home.before-restore-*"))
    if point == "restore.aside":
        with pytest.raises(BollardError) as missing:
            Home.at(home.path)
        assert str(aside[0]) in missing.value.advice
        assert size_of(Home(aside[0])) == before
    else:
        assert size_of(home) == before + (point == "restore.done")
        assert len(aside) == (point == "restore.done")
    if point == "restore.aside":  # what was moved aside is judged by all the same
        ask_once(Home(aside[0]), Paper.of(1).add, calls.StationAdded)
        assert subprocess.run(command, capture_output=True, check=False).returncode == 5
    subprocess.run([*command, "--unsafe-roll-back"], capture_output=True, check=True)
    size_of(home)
    assert left_beside(home) == []


def test_a_full_disk_leaves_the_old_home_as_it_was(home: Home, backup: Path) -> None:
    """The system lets no file grow large enough; nothing is left of the attempt."""
    before = size_of(home)
    command = [sys.executable, "-c", _LIMITED, "--yes", "--home", str(home.path), "restore", str(backup)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, "restore.failed" in ended.stderr) == (1, True)
    assert size_of(home) == before
    assert left_beside(home) == []


_LIMITED = (
    "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000));"
    "from cli.main import run; raise SystemExit(run(sys.argv[1:]))"
)


def test_what_is_restored_is_its_owner_s_alone(home: Home, backup: Path) -> None:
    """Folders 0700, files 0600, images read-only."""
    put_back(backup, home)
    modes = {path.stat().st_mode & 0o777 for path in home.path.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in [home.path, *home.path.iterdir()] if path.is_dir()} == {0o700}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_restores_somebody_else_s_home_as_theirs(home: Home, backup: Path) -> None:
    """Else the service could not open it afterwards."""
    os.chown(home.path, 12345, 12345)
    put_back(backup, home)
    assert {path.stat().st_uid for path in [home.path, *home.path.rglob("*")]} == {12345}


def test_an_older_home_s_ledger_gets_what_it_lacks(home: Home, backup: Path, tmp_path: Path) -> None:
    """A backup that an older version made is brought up to date on the way in."""
    restore(backup, tmp_path / "new", Judged())
    ledger = sqlite3.connect(tmp_path / "new" / "ledger.db")
    assert ledger.execute("SELECT count(*) FROM restore").fetchone() == (1,)
    ledger.close()
