"""A connection to the running authority: many questions at once, news, and how it ends."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls
from pki.edge.client import Authority
from pki.errors import NotFoundError, UnreachableError
from tests.worlds import Paper, connected, make_home, running_authority

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


def test_connecting_where_none_runs_is_unreachable(home: Home) -> None:
    """With the command that starts one."""
    with pytest.raises(UnreachableError, match=r"authority\.unreachable"):
        asyncio.run(Authority.connect(home))


def test_many_questions_of_one_connection_are_under_way_at_once(home: Home) -> None:
    """Answers find their askers whatever their order."""

    async def story() -> list[str]:
        async with connected(home) as authority:
            papers = [Paper.of(number) for number in range(30)]
            done = await asyncio.gather(*(authority.ask(paper.add, calls.StationAdded) for paper in papers))
            return [one.station.identity for one in done]

    with running_authority(home):
        assert asyncio.run(story()) == [f"CP-{number:03}" for number in range(30)]


def test_a_lost_authority_fails_what_is_under_way_and_what_comes_after(home: Home) -> None:
    """Nobody waits for ever, and the error says that the act may have been done."""

    async def story() -> None:
        with running_authority(home) as process:
            authority = await Authority.connect(home)
            await authority.ask(calls.ListIssuers(), calls.Issuers)
            process.send_signal(signal.SIGSTOP)
            waiting = asyncio.create_task(authority.ask(calls.ListIssuers(), calls.Issuers))
            await asyncio.sleep(0)
            process.kill()
            for ask in (waiting, authority.ask(calls.ListIssuers(), calls.Issuers)):
                with pytest.raises(UnreachableError, match=r"authority\.lost"):
                    await ask
            await authority.close()

    asyncio.run(story())


def test_a_watcher_gets_the_snapshot_and_then_every_change(home: Home) -> None:
    """The whole story of a station as a proxy hears it."""

    async def story() -> list[calls.News]:
        async with connected(home) as authority:
            await authority.ask(Paper.of(1).add, calls.StationAdded)
            heard, news = [], authority.watch()
            heard.append(await anext(news))
            await authority.ask(Paper.of(2).add, calls.StationAdded)
            issued = await authority.ask(Paper.of(1).issue, calls.CertificateIssued)
            await authority.ask(calls.RevokeCertificate(issued.certificate.serial), calls.Done)
            heard += [await anext(news) for _ in range(3)]
            await news.aclose()
            return heard

    with running_authority(home):
        snapshot, added, issued, revoked = asyncio.run(story())
    assert isinstance(snapshot, calls.Snapshot)
    assert [station.identity for station in snapshot.stations] == ["CP-001"]
    assert isinstance(added, calls.StationChanged)
    assert added.station.identity == "CP-002"
    assert isinstance(issued, calls.StationChanged)
    assert isinstance(revoked, calls.StationChanged)
    assert [[one.status for one in news.station.certificates] for news in (issued, revoked)] == [["valid"], ["revoked"]]


def test_a_watch_ends_when_the_authority_goes(home: Home) -> None:
    """With an error, so that nobody takes silence for calm."""

    async def story() -> None:
        with running_authority(home) as process:
            authority = await Authority.connect(home)
            news = authority.watch()
            await anext(news)
            process.kill()
            with pytest.raises(UnreachableError, match=r"authority\.lost"):
                await anext(news)
            await authority.close()

    asyncio.run(story())


def test_errors_of_a_question_are_not_errors_of_the_connection(home: Home) -> None:
    """After a refusal the next question is answered."""

    async def story() -> int:
        async with connected(home) as authority:
            with pytest.raises(NotFoundError, match=r"station\.unknown"):
                await authority.ask(calls.ListStations("CP-none"), calls.Stations)
            return len((await authority.ask(calls.ListIssuers(), calls.Issuers)).issuers)

    with running_authority(home):
        assert asyncio.run(story()) == 4
