"""Tokens are made for stations of the register, shown once, and leave their trace in the log but not themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.errors import BollardError
from tests.pki.edge.office.enrolments import home_with, token_of
from tests.worlds import at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import Desk


def test_a_token_is_told_once_and_is_nowhere_in_the_home(tmp_path: Path) -> None:
    """The ledger has its hash, the log says that it was made and until when."""
    home = make_home(tmp_path)

    async def story(desk: Desk) -> str:
        token = await token_of(desk)
        entry = (await desk.ask(calls.ListAudit(limit=1), calls.AuditRows)).rows[0].entry
        assert '"act":"token.minted"' in entry
        return token

    token = at_the_desk(home, story).encode()
    assert len(token) == 32
    assert [path for path in home.path.rglob("*") if path.is_file() and token in path.read_bytes()] == []


def test_no_call_shows_a_token_by_accident() -> None:
    """A record that is printed, in a log or a trace, keeps its secret."""
    shown = calls.Shown("CP-001", "secret", (), "192.0.2.7")

    for each in (shown, calls.Enroll(b"csr", shown), calls.TokenMinted("secret", None, 1)):  # type: ignore[arg-type]  # no time is needed here
        assert "secret" not in repr(each)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (calls.MintToken("CP-009"), "station.unknown"),
        (calls.MintToken("CP-001", -1), "token.hours"),
        (calls.MintToken("CP-001", 10_000), "token.hours"),
        (calls.RevokeToken("CP-001"), "token.unknown"),
        (calls.RevokeToken("CP-009"), "station.unknown"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(tmp_path: Path, call: calls.Call, code: str) -> None:
    """The code is what scripts go by."""

    async def story(desk: Desk) -> None:
        await desk.ask(calls.AddStation("CP-001", "SN-001", 3), calls.StationAdded)
        await desk.ask(call, calls.Row)

    with pytest.raises(BollardError) as refused:
        at_the_desk(make_home(tmp_path), story)
    assert refused.value.code == code


def test_a_home_without_the_switch_makes_no_tokens(tmp_path: Path) -> None:
    """A home from before EST stays as it was until somebody switches it on."""
    home = home_with(tmp_path)
    home.settings.write_text(home.settings.read_text().partition("[est]")[0])

    with pytest.raises(BollardError, match=r"est\.off"):
        at_the_desk(home, token_of)
