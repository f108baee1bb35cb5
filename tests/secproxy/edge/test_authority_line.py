"""A worker's line to the authority: questions, news, and a restart in between, with the real process."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls, wire
from pki.errors import UnreachableError
from secproxy.edge import authority_line
from secproxy.edge.authority_line import AuthorityLine
from tests.worlds import make_home, running_authority

if TYPE_CHECKING:
    import subprocess
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


def test_an_authority_that_hangs_is_away_until_it_says_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first question is given up in a bounded time, the next fail at once, and its return is a Snapshot again."""
    monkeypatch.setattr(authority_line, "SILENCE_SECONDS", 0.2)
    home = make_home(tmp_path)

    async def story(process: subprocess.Popen[str]) -> None:
        line = AuthorityLine(home)
        async with contextlib.aclosing(line.news()) as news:
            assert isinstance(await anext(news), calls.Snapshot)
            process.send_signal(signal.SIGSTOP)
            following = asyncio.ensure_future(anext(news))
            for code in ("authority.silent", "authority.unreachable"):
                with pytest.raises(UnreachableError, match=re.escape(code)):
                    await line.ask(calls.ListStations(), calls.Stations)
            process.send_signal(signal.SIGCONT)
            assert isinstance(await following, calls.Snapshot)
            await line.ask(calls.ListStations(), calls.Stations)

    with running_authority(home) as process:
        asyncio.run(asyncio.wait_for(story(process), 30))


def test_an_authority_that_answers_others_is_busy_and_not_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a signature behind a hundred others is not sent away with it: it would be made for nobody."""
    monkeypatch.setattr(authority_line, "SILENCE_SECONDS", 0.5)
    home = make_home(tmp_path)
    answered, late = 0, list[int]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        while line := await reader.readline():
            number, call = wire.read_question(line)
            if isinstance(call, calls.Watch):
                writer.write(wire.write_news(calls.Snapshot("", "", (), (), (), ())))
                continue
            if isinstance(call, calls.ListIssuers):
                late.append(number)
                continue
            answered += 1
            writer.write(wire.write_answer(number, calls.Stations(())))
            if answered == 20:
                writer.write(wire.write_answer(late[0], calls.Issuers(())))
        writer.close()

    async def story() -> None:
        with wire.short_path(home.authority_socket) as path:
            server = await asyncio.start_unix_server(serve, path)
        line = AuthorityLine(home)
        async with contextlib.aclosing(line.news()) as news:
            await anext(news)
            slow = asyncio.ensure_future(line.ask(calls.ListIssuers(), calls.Issuers))
            while not slow.done():
                await line.ask(calls.ListStations(), calls.Stations)
                await asyncio.sleep(0.1)
            assert (await slow).issuers == ()
        server.close()

    asyncio.run(asyncio.wait_for(story(), 30))


def test_a_question_while_the_authority_is_away_fails_at_once(tmp_path: Path) -> None:
    """Nothing that needs a decision waits for one in silence."""
    with pytest.raises(UnreachableError):
        asyncio.run(AuthorityLine(make_home(tmp_path)).ask(calls.ListStations(), calls.Stations))
