"""A home whose ledger is gone refuses everything, for an empty ledger would know of no revocation.

Whatever lies in its place: nothing, no bytes, or the tables of a ledger that was just made.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from cli.main import run
from pki.edge import calls, store
from pki.edge.asking import ask_once
from pki.edge.creation import create
from pki.edge.home import Home
from pki.names import Host, Organisation
from tests.pki.edge.homes import back_up, lived_in
from tests.worlds import make_home, start_authority

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _made_by_hand(ledger: Path) -> None:
    ledger.unlink()
    store.create(ledger)


LOSSES: Final[dict[str, Callable[[Path], object]]] = {
    "removed": os.unlink,
    "emptied": lambda ledger: ledger.write_bytes(b""),
    "made by hand": _made_by_hand,
}
ASKED: Final = (
    ("cert", "list"),
    ("audit", "verify"),
    ("audit", "list"),
    ("station", "list"),
    ("station", "add", "CP-9", "--serial", "SN-9", "--profile", "3"),
    ("ca", "list"),
    ("crl", "publish"),
    ("rotate", "--plan"),
)


@pytest.fixture(params=LOSSES)
def robbed(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """A home that has lost its ledger."""
    home = make_home(tmp_path)
    LOSSES[request.param](home.ledger)
    return home


def test_every_command_says_that_the_ledger_is_gone(robbed: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """With the way back in its advice, and nothing is written in the ledger's place."""
    left = robbed.ledger.stat().st_size if robbed.ledger.exists() else None
    for words in ASKED:
        assert run(["--home", str(robbed.path), *words]) == 1, words
        told = capsys.readouterr()
        assert "error[ledger.missing]" in told.err, words
        assert "bollard restore" in told.err, words
        assert not told.out, words
    assert (robbed.ledger.stat().st_size if robbed.ledger.exists() else None) == left


def test_the_doctor_finds_it_critical(robbed: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 1, and the line names the cure."""
    assert run(["--home", str(robbed.path), "doctor"]) == 1
    line = next(line for line in capsys.readouterr().out.splitlines() if "ledger.missing" in line)
    assert line.startswith("critical")


def test_the_authority_does_not_start(robbed: Home) -> None:
    """Nor does it create what it lacks."""
    process = start_authority(robbed)
    _, said = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "ledger.missing" in said


def test_a_home_that_waits_for_its_root_has_a_ledger_like_any_other(tmp_path: Path) -> None:
    """It was founded and has asked, so its log is not empty."""
    organisation, host = Organisation.parse("Example"), Host.parse("csms.example.org")
    home = create(tmp_path / "home", organisation, host, offline_root=True).home
    assert ask_once(home, calls.VerifyAudit(), calls.AuditVerified).size > 0


def test_a_backup_brings_the_home_back(tmp_path: Path) -> None:
    """Over the home that lost it: what it was is unknown, so that has to be overruled, and is recorded."""
    home = lived_in(tmp_path)
    back_up(home, tmp_path / "backup.tar")
    home.ledger.unlink()
    words = ["--home", str(home.path), "--yes", "restore", str(tmp_path / "backup.tar")]
    assert run(words) == 5
    assert not home.ledger.exists()
    assert run([*words, "--unsafe-roll-back"]) == 0
    found = ask_once(Home.at(home.path), calls.ListCertificates(), calls.Certificates).certificates
    assert "revoked" in {row.status for row in found}
