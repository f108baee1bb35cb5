"""A worker's line to the authority: questions, news, and a restart in between, with the real process."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.errors import UnreachableError
from secproxy.edge.authority_line import AuthorityLine
from tests.worlds import make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path


def test_news_survive_a_restart_and_begin_anew_with_a_snapshot(tmp_path: Path) -> None:
    """What changed while the authority was away is in the snapshot that follows."""
    home = make_home(tmp_path)

    async def story() -> None:
        line = AuthorityLine(home)
        async with contextlib.aclosing(line.news()) as news:
            with running_authority(home):
                assert isinstance(await anext(news), calls.Snapshot)
                await line.ask(calls.AddStation("CP-1", "SN-1", 3), calls.StationAdded)
                told = await anext(news)
                assert isinstance(told, calls.StationChanged)
                assert told.station.identity == "CP-1"
            following = asyncio.ensure_future(anext(news))
            with running_authority(home):
                again = await following
                assert isinstance(again, calls.Snapshot)
                assert [row.identity for row in again.stations] == ["CP-1"]

    asyncio.run(asyncio.wait_for(story(), 30))


def test_a_question_while_the_authority_is_away_fails_at_once(tmp_path: Path) -> None:
    """Nothing that needs a decision waits for one in silence."""
    with pytest.raises(UnreachableError):
        asyncio.run(AuthorityLine(make_home(tmp_path)).ask(calls.ListStations(), calls.Stations))
