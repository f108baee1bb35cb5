"""``bollard init`` makes a home that is closed to others, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.cli.conftest import Bollard


def test_a_new_home_is_readable_by_its_owner_alone(made_home: Path) -> None:
    """Folders 0700, files 0600."""
    modes = {path.stat().st_mode & 0o077 for path in [made_home, *made_home.rglob("*")]}

    assert modes == {0}


def test_a_generated_passphrase_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It lies beside the keys it protects, and that is said aloud."""
    assert run(["--home", str(tmp_path / "h"), "init", "--org", "Test", "--csms-host", "localhost"]) == 0
    assert "WARNING" in capsys.readouterr().err


def test_a_home_is_never_made_twice(bollard: Bollard) -> None:
    """A second ``init`` would lose every key."""
    told = bollard("init", "--org", "Test", "--csms-host", "localhost")

    assert told.code == 7
    assert "error[home.exists]" in told.err


def test_a_dry_run_makes_no_folder(tmp_path: Path) -> None:
    """Names are checked, nothing is written."""
    assert run(["--home", str(tmp_path / "h"), "--dry-run", "init", "--org", "Test", "--csms-host", "localhost"]) == 0
    assert not (tmp_path / "h").exists()


def test_an_address_is_no_host_name(bollard: Bollard, tmp_path: Path) -> None:
    """A00.FR.510 wants the name that stations dial."""
    assert bollard("--home", str(tmp_path / "h"), "init", "--org", "Test", "--csms-host", "127.0.0.1").code == 2
