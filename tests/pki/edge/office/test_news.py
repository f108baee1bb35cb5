"""Every watcher hears everything in order, and one who does not listen holds nobody up."""

from __future__ import annotations

import asyncio

import pytest

from pki.edge import calls
from pki.edge.office.news import Board, Watcher
from pki.errors import UnreachableError

SNAPSHOT = calls.Snapshot("Example Charging", "csms.example.org", (), (), (), ())


def news(number: int) -> calls.StationChanged:
    """A piece of news."""
    return calls.StationChanged(calls.StationRow(f"CP-{number}", f"SN-{number}", 3, "active"))


def test_all_watchers_hear_the_same_in_the_same_order() -> None:
    """From their own snapshot on."""

    async def story() -> list[list[calls.News]]:
        board, early, late = Board(), Watcher(), Watcher()
        board.join(early, SNAPSHOT)
        board.publish(news(1))
        board.join(late, SNAPSHOT)
        board.publish(news(2))
        return [[await early.next() for _ in range(3)], [await late.next() for _ in range(2)]]

    assert asyncio.run(story()) == [[SNAPSHOT, news(1), news(2)], [SNAPSHOT, news(2)]]


def test_one_who_falls_behind_is_cut_off_and_the_others_go_on() -> None:
    """What it had is still told, then it must begin anew."""

    async def story() -> list[calls.News]:
        board, slow, quick = Board(), Watcher(backlog=2), Watcher()
        board.join(slow, SNAPSHOT)
        board.join(quick, SNAPSHOT)
        for number in range(5):
            board.publish(news(number))
        heard = [await slow.next(), await slow.next()]
        for _ in range(2):
            with pytest.raises(UnreachableError, match=r"watch\.ended"):
                await slow.next()
        assert [await quick.next() for _ in range(6)][-1] == news(4)
        return heard

    assert asyncio.run(story()) == [SNAPSHOT, news(0)]


def test_closing_and_leaving_end_a_watch() -> None:
    """A waiting watcher is woken."""

    async def story() -> None:
        board, watcher, gone = Board(), Watcher(), Watcher()
        board.join(watcher, SNAPSHOT)
        board.join(gone, SNAPSHOT)
        board.leave(gone)
        await watcher.next()
        waiting = asyncio.create_task(watcher.next())
        await asyncio.sleep(0)
        board.close()
        with pytest.raises(UnreachableError):
            await waiting
        board.publish(news(1))
        assert await gone.next() == SNAPSHOT

    asyncio.run(story())
