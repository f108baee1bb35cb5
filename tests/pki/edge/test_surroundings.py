"""What the host says of a home is seen as it is: modes, owners, space, and processes that hang."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import pytest

from pki.edge import surroundings
from tests.worlds import make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path


def test_a_fresh_home_is_nobody_else_s(tmp_path: Path) -> None:
    """And its disk has room."""
    home = make_home(tmp_path)
    assert surroundings.see_files(home) == ()
    disk = surroundings.see_disk(home)
    assert (disk.wal, disk.writable, disk.free > 0) == (0, True, True)


@pytest.mark.parametrize(
    ("name", "mode", "secret", "fix"),
    [
        ("keys/root.pem", 0o640, True, "chmod 600"),
        ("keys/root.pem", 0o604, True, "chmod 600"),
        ("keys", 0o750, True, "chmod 700"),
        ("", 0o755, False, "chmod 700"),
        ("ledger.db", 0o644, False, "chmod 600"),
        ("bollard.toml", 0o602, True, "chmod 600"),
        ("ca/root.pem", 0o620, True, "chmod 600"),
        ("run", 0o777, True, "chmod 700"),
    ],
)
def test_what_others_may_read_or_write_is_found_with_its_cure(
    tmp_path: Path, name: str, mode: int, secret: bool, fix: str
) -> None:
    """To read a key, or to write anything at all, is the worse of it."""
    home = make_home(tmp_path)
    (home.path / name).chmod(mode)
    (loose,) = surroundings.see_files(home)
    assert (loose.path, loose.secret, loose.fix) == (str(home.path / name), secret, f"{fix} {home.path / name}")


@pytest.mark.parametrize(
    ("name", "fix"),
    [(name, "mkdir -m 700") for name in ("ca", "journal", "quarantine", "run")]
    + [(name, "Restore it from a backup") for name in ("keys", "vault")],
)
def test_a_folder_that_is_missing_is_found_with_its_cure(tmp_path: Path, name: str, fix: str) -> None:
    """Without it something fails when it is next needed; what fills up by itself is made anew."""
    home = make_home(tmp_path)
    shutil.rmtree(home.path / name)
    (gone,) = surroundings.see_files(home)
    assert (gone.path, gone.says, gone.secret) == (str(home.path / name), "it is missing", True)
    assert gone.fix.startswith(fix)


@pytest.mark.parametrize("name", ["bollard.toml", "ca/root.pem"])
def test_what_is_public_may_be_read(tmp_path: Path, name: str) -> None:
    """Settings and certificates hold no secret."""
    home = make_home(tmp_path)
    (home.path / name).chmod(0o644)
    assert surroundings.see_files(home) == ()


def test_a_private_key_that_lies_elsewhere_is_looked_at_too(tmp_path: Path) -> None:
    """Whoever it belongs to; one that is gone is for others to tell."""
    (tmp_path / "server.key").touch(mode=0o644)
    home = make_home(tmp_path)
    (loose,) = surroundings.see_files(home, [tmp_path / "server.key", tmp_path / "gone.key"])
    assert loose.secret


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_s_is_found(tmp_path: Path) -> None:
    """The service could not read it, or somebody else can."""
    home = make_home(tmp_path)
    os.chown(home.keys / "root.pem", 12345, 12345)
    (loose,) = surroundings.see_files(home)
    assert "uid 12345" in loose.says


def test_the_kernel_is_asked_about_its_clock() -> None:
    """Yes, no, or no answer; it is not changed by the asking."""
    assert surroundings.see_clock() in {True, False, None}


def test_a_process_answers_hangs_or_is_not_there(tmp_path: Path) -> None:
    """One that hangs still takes connections; one that was killed leaves its socket."""
    home = make_home(tmp_path)
    assert dict(surroundings.see_processes(home)) == {"authority": None, "web": None}
    with running_authority(home) as process:
        assert dict(surroundings.see_processes(home))["authority"] is True
        assert surroundings.is_held(home)
        process.send_signal(signal.SIGSTOP)
        try:
            assert dict(surroundings.see_processes(home))["authority"] is False
        finally:
            process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        assert dict(surroundings.see_processes(home))["authority"] is False
        assert not surroundings.is_held(home)


def test_a_log_that_grows_beside_the_ledger_is_measured(tmp_path: Path) -> None:
    """A reader that never lets go is what makes it grow."""
    home = make_home(tmp_path)
    home.ledger.with_name("ledger.db-wal").write_bytes(bytes(5000))
    assert surroundings.see_disk(home).wal == 5000
