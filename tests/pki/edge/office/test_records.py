"""The log can be read by anyone who may ask, and proves itself when asked."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.errors import BollardError, RefusedError
from tests.worlds import Paper, at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from tests.worlds import Desk


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home in which a station was registered."""
    made = make_home(tmp_path)

    async def story(desk: Desk) -> None:
        await desk.ask(Paper.of(1).add, calls.StationAdded)

    at_the_desk(made, story)
    return made


def tamper(home: Home, statement: str) -> None:
    """Change the ledger as a stranger with the file in hand would."""
    ledger = sqlite3.connect(home.ledger)
    ledger.execute(statement)
    ledger.commit()
    ledger.close()


async def verify(desk: Desk) -> calls.AuditVerified:
    """Ask for the proof."""
    return await desk.ask(calls.VerifyAudit(), calls.AuditVerified)


def test_an_honest_log_states_its_size_and_root(home: Home) -> None:
    """The same as in the checkpoint signed over it."""

    async def story(desk: Desk) -> tuple[calls.AuditVerified, calls.Checkpoint]:
        return await verify(desk), await desk.ask(calls.MakeCheckpoint(), calls.Checkpoint)

    verified, checkpoint = at_the_desk(home, story)
    assert (verified.size, verified.root) == (checkpoint.size, checkpoint.root)
    assert verified.size == 14


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("""UPDATE audit SET entry = replace(entry, 'CP-001', 'CP-666') WHERE "index" = 13""", "entry 13 was edited"),
        ("""DELETE FROM audit WHERE "index" = 7""", "entry 7 is missing"),
    ],
)
def test_an_edited_or_dropped_row_is_named(home: Home, statement: str, says: str) -> None:
    """By its index, for whoever has to find out."""
    tamper(home, statement)
    with pytest.raises(RefusedError, match=says):
        at_the_desk(home, verify)


@pytest.mark.parametrize(("first", "limit"), [(-2, 10), (0, 0), (0, 1001)])
def test_a_range_that_cannot_be_is_refused(home: Home, first: int, limit: int) -> None:
    """An answer has a bound."""

    async def story(desk: Desk) -> None:
        await desk.ask(calls.ListAudit(first, limit), calls.AuditRows)

    with pytest.raises(BollardError, match=r"audit\.range"):
        at_the_desk(home, story)
