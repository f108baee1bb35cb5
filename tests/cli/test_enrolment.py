"""Tokens and decisions by command: printed once, listed, decided, each with its place in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.home import Home
from tests.pki.edge.office.enrolments import body, by_token

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard


@pytest.fixture
def station(bollard: Bollard) -> str:
    """A registered station."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "3")
    return "CP-1"


def test_a_script_can_take_the_token_from_stdout(bollard: Bollard, station: str) -> None:
    """stdout is the token and nothing else; what to do with it stands on stderr."""
    told = bollard("station", "token", station)

    assert (told.code, len(told.out.strip()), told.out.count("\n")) == (0, 32, 1)
    assert "user CP-1" in told.err
    assert "shown this once" in told.err
    assert told.out.strip() not in told.err


def test_a_program_gets_the_token_with_its_end(bollard: Bollard, station: str) -> None:
    """And the place in the log."""
    told = bollard("-o", "json", "station", "token", station, "--hours", "2").json()

    assert told["station"] == station
    assert len(str(told["token"])) == 32
    assert str(told["expires"]).endswith("Z")
    assert isinstance(told["audit_index"], int)


def test_a_token_can_be_taken_back_once(bollard: Bollard, station: str) -> None:
    """Then there is none; and none for a station that there is not."""
    bollard("station", "token", station)

    assert bollard("station", "token", station, "--revoke").code == 0
    assert bollard("station", "token", station, "--revoke").code == 4
    assert bollard("station", "token", "CP-9").code == 4


@pytest.mark.parametrize("hours", ["0", "745", "x"])
def test_a_token_has_an_end_within_a_month(bollard: Bollard, station: str, hours: str) -> None:
    """Anything else is usage."""
    assert bollard("station", "token", station, "--hours", hours).code == 2


def test_a_dry_run_makes_no_token(bollard: Bollard, station: str) -> None:
    """It says what would be asked."""
    told = bollard("--dry-run", "-o", "json", "station", "token", station)

    assert told.json()["call"] == "MintToken"
    assert bollard("station", "token", station, "--revoke").code == 4


@pytest.fixture
def waiting(bollard: Bollard, station: str, home: Path) -> str:
    """The number of a request that waits."""
    settings = home / "bollard.toml"
    settings.write_text(settings.read_text() + '\n[issuing]\napproval = ["est"]\n')
    token = bollard("station", "token", station).out.strip()
    call = by_token(token, body("S1", organisation="Test Charging"), station)
    assert ask_once(Home.at(home), call, calls.Enrolled).certificate == b""
    return str(bollard("-o", "json", "cert", "pending").rows("requests")[0]["id"])


def test_what_waits_is_listed_approved_and_denied(bollard: Bollard, waiting: str) -> None:
    """With who decided; a decision taken is a conflict, a number that there is not is not found."""
    row = bollard("-o", "json", "cert", "pending").rows("requests")[0]
    assert (row["station"], row["way"], row["state"], row["issuer"]) == ("CP-1", "token", "pending", "")

    assert bollard("cert", "approve", waiting).code == 0
    assert bollard("cert", "approve", waiting).code == 7
    assert bollard("cert", "deny", waiting, "--reason", "moved away").code == 0
    row = bollard("-o", "json", "cert", "pending").rows("requests")[0]
    assert (row["state"], row["reason"]) == ("denied", "moved away")
    assert "uid" in str(row["decided_by"])
    assert bollard("cert", "approve", "99").code == 4
