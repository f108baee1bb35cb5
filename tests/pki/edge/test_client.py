"""Asking works the same with and without a running authority, and what was raised there is raised here."""

from __future__ import annotations

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from pki.edge import calls, client, lock
from pki.edge.client import Authority, ask_once
from pki.errors import ConflictError, InputError, NotFoundError, RefusedError, UnreachableError
from tests.certs import request
from tests.worlds import Paper, connected, make_home, running_authority, station_key

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A fresh home."""
    return make_home(tmp_path)


def test_one_question_is_answered_with_and_without_a_running_authority(home: Home) -> None:
    """And both leave the same trace: what one did, the other finds."""
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    with running_authority(home):
        ask_once(home, Paper.of(2).add, calls.StationAdded)
    listed = ask_once(home, calls.ListStations(), calls.Stations).stations
    assert [station.identity for station in listed] == ["CP-001", "CP-002"]


@pytest.mark.parametrize("running", [False, True])
def test_a_refusal_arrives_as_it_was_raised(home: Home, running: bool) -> None:
    """Class, code and every finding, whichever way the question went."""
    ask_once(home, Paper.of(1).add, calls.StationAdded)
    wrong = calls.IssueCertificate("CP-001", request(station_key(), "SN-other"))
    if running:
        with running_authority(home), pytest.raises(RefusedError) as refused:
            ask_once(home, wrong, calls.CertificateIssued)
    else:
        with pytest.raises(RefusedError) as refused:
            ask_once(home, wrong, calls.CertificateIssued)
    assert refused.value.code == "csr.refused"
    assert {finding.clause for finding in refused.value.findings} >= {"A00.FR.511"}


def test_commands_at_the_same_time_all_get_their_answer(home: Home) -> None:
    """Each becomes the authority in turn; none is lost, none fails."""
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda number: ask_once(home, Paper.of(number).add, calls.StationAdded), range(6)))
    assert len({one.audit_index for one in done}) == 6


def test_a_lock_that_stays_held_by_a_silent_process_is_told_of(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not an endless wait."""
    monkeypatch.setattr(client, "PATIENCE", 0.1)
    with lock.hold(home.lock), pytest.raises(ConflictError, match=r"authority\.silent"):
        ask_once(home, calls.ListIssuers(), calls.Issuers)


def test_watching_is_not_asked_once(home: Home) -> None:
    """It has no single answer."""
    with pytest.raises(InputError, match=r"call\.watch"):
        ask_once(home, calls.Watch(), calls.Row)


def test_an_answer_of_another_type_than_asked_for_is_a_fault_of_the_caller(home: Home) -> None:
    """Found at once in either way of asking."""
    with pytest.raises(TypeError, match="answered by Issuers"):
        ask_once(home, calls.ListIssuers(), calls.Stations)


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
