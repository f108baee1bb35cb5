"""One part of a duty that fails stops no other part, is told once, and is remembered until it works again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.edge.office import troubles
from pki.errors import BollardError
from tests.worlds import at_the_desk, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.worlds import Desk


async def works() -> int:
    """Do something that works."""
    return 7


async def fails(problem: Exception) -> int:
    """Do something that does not."""
    raise problem


@pytest.mark.parametrize(
    ("problem", "code"),
    [(BollardError("hsm.lost", "it is away", "Bring it."), "hsm.lost"), (KeyError("secret"), "authority.internal")],
    ids=["ours", "a fault"],
)
def test_a_trouble_is_told_once_and_kept_until_it_is_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], problem: Exception, code: str
) -> None:
    """Round after round; another trouble with the same thing is told again, and no fault's values are."""

    async def story(desk: Desk) -> None:
        mine = desk.office._desk
        for _ in range(3):
            assert await troubles.alone(mine, "list of csms", fails(problem)) is None
        assert [(row.what, row.code) for row in troubles.listed(mine)] == [("list of csms", code)]
        told = capsys.readouterr().err
        assert told.count("authority: ") == 1
        assert "secret" not in told
        await troubles.alone(mine, "list of csms", fails(BollardError("other.trouble", "x", "y")))
        assert "other.trouble" in capsys.readouterr().err
        assert await troubles.alone(mine, "list of csms", works()) == 7
        assert troubles.listed(mine) == []

    at_the_desk(make_home(tmp_path), story)
