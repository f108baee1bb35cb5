"""What the authority does unasked goes on, whatever happens to one part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge.office import duties
from pki.errors import BollardError
from tests.worlds import at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.office.desk import Desk
    from tests.worlds import Desk as Asked


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        pytest.param(
            BollardError("ledger.full", "no space", "Free some."), "ledger.full: no space. Free some.", id="ours"
        ),
        pytest.param(ZeroDivisionError("secret"), "unexpected ZeroDivisionError", id="a fault"),
    ],
)
def test_a_duty_that_fails_is_told_and_the_next_one_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], problem: Exception, said: str
) -> None:
    """In order, and with nothing of a fault's values in the log."""
    done = []

    async def fails(_: Desk) -> None:
        raise problem

    async def works(_: Desk) -> None:
        done.append("works")

    async def story(asked: Asked) -> None:
        await duties.tend(asked.office._desk, (fails, works))

    at_the_desk(make_home(tmp_path), story)
    told = capsys.readouterr().err
    assert done == ["works"]
    assert said in told
    assert "secret" not in told


def test_the_duties_can_be_done_in_a_home_that_was_just_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """None of them complains."""

    async def story(asked: Asked) -> None:
        await asked.office.tend()

    at_the_desk(make_home(tmp_path), story)
    assert capsys.readouterr().err == ""
