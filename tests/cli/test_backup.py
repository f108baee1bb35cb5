"""Backup and restore by command: loud about secrets, careful with what is there, and checked before it is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard


def test_a_backup_tells_where_it_stands_in_the_log_and_that_it_opens_for_nobody(
    bollard: Bollard, tmp_path: Path
) -> None:
    """The passphrase is kept elsewhere."""
    told = bollard("-o", "json", "backup", str(tmp_path / "backup"))
    made = told.json()
    assert told.code == 0
    assert made["audit_size"] == int(str(made["audit_index"])) + 1
    assert "passphrase of the keys is not in it" in told.err


def test_a_backup_with_the_passphrase_is_loud_about_it(bollard: Bollard, tmp_path: Path) -> None:
    """It opens every key."""
    assert "WARNING" in bollard("backup", str(tmp_path / "backup"), "--with-passphrase").err


def test_a_backup_overwrites_nothing_unasked(bollard: Bollard, tmp_path: Path) -> None:
    """Exit code 7; with --yes it is replaced."""
    (tmp_path / "backup").write_text("x")
    assert bollard("backup", str(tmp_path / "backup")).code == 7
    assert (tmp_path / "backup").read_text() == "x"
    assert bollard("--yes", "backup", str(tmp_path / "backup")).code == 0


def test_a_home_is_replaced_with_leave_alone_and_kept_beside(bollard: Bollard, tmp_path: Path) -> None:
    """Without a terminal to ask at, leave is --yes."""
    bollard("backup", str(tmp_path / "backup"))
    assert bollard("restore", str(tmp_path / "backup")).code == 7
    told = bollard("--yes", "-o", "json", "restore", str(tmp_path / "backup"))
    assert told.code == 0
    assert str(told.json()["replaced"]) in told.err
    assert bollard("audit", "verify").code == 0


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_where_nothing_was_replaced_none_is_told(bollard: Bollard, tmp_path: Path, dry: tuple[str, ...]) -> None:
    """No number, for there was no log; where there was one, its length."""
    bollard("backup", str(tmp_path / "backup"), "--with-passphrase")
    told = bollard("-o", "json", *dry, "--home", str(tmp_path / "new"), "restore", str(tmp_path / "backup")).json()
    people = bollard(*dry, "--home", str(tmp_path / "other"), "restore", str(tmp_path / "backup")).out

    assert (told["replaced_size"], told.get("replaced")) == (None, None)
    assert [line.split() for line in people.splitlines() if "replaced size" in line] == [["replaced", "size"]]
    over = bollard("--yes", "-o", "json", *dry, "restore", str(tmp_path / "backup")).json()
    assert over["replaced_size"] == over["audit_size"]


def test_a_dry_run_is_refused_where_the_restore_would_be(bollard: Bollard, home: Path, tmp_path: Path) -> None:
    """Over a newer home, and of one that nothing can open; the home is as it was, and nothing lies beside it."""
    bollard("backup", str(tmp_path / "backup"))
    assert bollard("--dry-run", "restore", str(tmp_path / "backup")).code == 0
    bollard("station", "add", "CP-9", "--serial", "S9", "--profile", "3")
    beside = sorted(path.name for path in home.parent.iterdir())
    told = bollard("--dry-run", "restore", str(tmp_path / "backup"))

    assert (told.code, "restore.behind" in told.err) == (5, True)
    assert bollard("--dry-run", "restore", str(tmp_path / "backup"), "--unsafe-roll-back").code == 0
    (home / "keys" / "passphrase").unlink()
    assert bollard("--dry-run", "restore", str(tmp_path / "backup"), "--unsafe-roll-back").code != 0
    assert sorted(path.name for path in home.parent.iterdir()) == beside


def test_going_back_is_refused_with_five_and_loud_when_overruled(bollard: Bollard, tmp_path: Path) -> None:
    """A checkpoint kept elsewhere counts as well."""
    bollard("backup", str(tmp_path / "backup"), "--with-passphrase")
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "3")
    (tmp_path / "held").write_text(bollard("audit", "checkpoint").out)
    refused = bollard("--yes", "restore", str(tmp_path / "backup"))
    assert (refused.code, "restore.behind" in refused.err) == (5, True)
    elsewhere = ("--home", str(tmp_path / "new"), "restore", str(tmp_path / "backup"))
    assert bollard(*elsewhere, "--checkpoint", str(tmp_path / "held")).code == 5
    assert "WARNING: overruled: restore.behind" in bollard(
        "--yes", "restore", str(tmp_path / "backup"), "--unsafe-roll-back"
    ).err  # fmt: skip


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_a_dry_run_changes_nothing(bollard: Bollard, home: Path, tmp_path: Path, verb: str) -> None:
    """That of a restore reads the whole archive, and says when it is spoilt."""
    if verb == "restore":
        bollard("backup", str(tmp_path / "backup"))
    before = sorted(path.name for path in tmp_path.iterdir())
    told = bollard("--dry-run", "-o", "json", verb, str(tmp_path / "backup"))
    assert (told.code, told.json()["dry_run"]) == (0, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    if verb == "restore":
        (tmp_path / "backup").write_bytes((tmp_path / "backup").read_bytes()[:-20_000])
        assert bollard("--dry-run", verb, str(tmp_path / "backup")).code == 5


def test_what_is_no_backup_is_refused_in_words(bollard: Bollard, tmp_path: Path) -> None:
    """Exit code 5; the home is as it was."""
    (tmp_path / "backup").write_text("not a backup")
    told = bollard("--yes", "restore", str(tmp_path / "backup"))
    assert (told.code, "backup.unreadable" in told.err) == (5, True)
    assert bollard("audit", "verify").code == 0
