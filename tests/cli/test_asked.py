"""What stands before the noun: homes, dry runs, questions back, and where an act is recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.asked import ROOT_HOME, default_home, describe, one
from pki.edge import calls
from pki.errors import NotFoundError

if TYPE_CHECKING:
    from tests.cli.conftest import Bollard

SECRET = "abcdefghijklmnop1234"


@pytest.mark.parametrize(("user", "home"), [(0, ROOT_HOME), (1000, Path("/nowhere/.local/share/bollard"))])
def test_the_home_depends_on_who_asks(user: int, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service's home for root, a person's for anybody else."""
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setenv("HOME", "/nowhere")

    assert default_home() == home


def test_a_folder_that_is_no_home_is_named(bollard: Bollard, tmp_path: Path) -> None:
    """The way out is ``bollard init``."""
    told = bollard("--home", str(tmp_path / "none"), "station", "list")

    assert told.code == 2
    assert "error[home.missing]" in told.err
    assert "bollard init" in told.err


def test_a_dry_run_changes_nothing_and_says_what_would_be_asked(bollard: Bollard) -> None:
    """The same words with and without, and nothing in the ledger after it."""
    before = bollard("-o", "json", "audit", "list").out
    told = bollard("-o", "json", "--dry-run", "station", "add", "CP-1", "--serial", "S1", "--profile", "3")

    assert told.code == 0
    assert told.json()["call"] == "AddStation"
    assert told.json()["dry_run"] is True
    assert bollard("-o", "json", "audit", "list").out == before


def test_a_dry_run_still_refuses_what_is_wrong(bollard: Bollard) -> None:
    """What would be refused is refused now (A00.FR.511)."""
    assert bollard("--dry-run", "station", "add", "CP-1", "--serial", "10.0.0.1", "--profile", "3").code == 2


def test_a_dry_run_is_judged_by_the_ledger_and_says_so(bollard: Bollard) -> None:
    """With the exit code of the real one; what only the deed could tell is not claimed to be judged."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "3")
    words = ("station", "add", "CP-1", "--serial", "S2", "--profile", "3")

    assert bollard("--dry-run", *words).code == bollard(*words).code == 7
    assert bollard("-o", "json", "--dry-run", "station", "add", "CP-2", *words[3:]).json()["judged"] is True
    assert bollard("-o", "json", "--dry-run", "crl", "publish").json()["judged"] is False


def test_a_described_call_shows_no_secret() -> None:
    """A password is neither printed nor measured."""
    shown = json.dumps(describe(calls.AddStation("CP-1", "S1", 2, password=SECRET)))

    assert SECRET not in shown
    assert '"password": "..."' in shown


def test_every_change_tells_its_place_in_the_audit_log(bollard: Bollard) -> None:
    """On stderr for people, in the record for programs."""
    told = bollard("-o", "json", "station", "add", "CP-1", "--serial", "S1", "--profile", "3")
    entries = bollard("-o", "json", "audit", "list").rows("entries")

    assert told.json()["audit_index"] == entries[-1]["index"]
    assert f"recorded in the audit log at {entries[-1]['index']}" in told.err


def test_the_one_that_was_named_is_taken_or_missed_by_name() -> None:
    """An empty answer is an error with exit code 4."""
    assert one(["a"], "ca.unknown", "CA", "x") == "a"
    with pytest.raises(NotFoundError, match=r"^ca\.unknown: there is no CA 'x'$"):
        one([], "ca.unknown", "CA", "x")
