"""What the web process keeps: what it was allowed to, as long as it was, and never what news have overtaken."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pki.edge import calls
from pki.edge.http import keeping
from pki.edge.http.keeping import Keeping, Page, seconds

if TYPE_CHECKING:
    import pytest

THEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
KEY = b"k" * 32


@dataclass
class Authority:
    """Who is asked, and how often; ``slow`` holds answers back."""

    asked: list[object] = field(default_factory=list)
    slow: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    now: float = seconds(THEN)

    async def answer(self, request: bytes) -> calls.OcspAnswer:
        """Answer a question; one that begins with ``?`` is for the asker alone."""
        self.asked.append(request)
        self.reached.set()
        if self.slow:
            await self.slow.wait()
        if request.startswith(b"?"):
            return calls.OcspAnswer(request)
        end = THEN + dt.timedelta(hours=6)
        return calls.OcspAnswer(request, THEN, end, THEN + dt.timedelta(hours=3), KEY, request.decode())

    async def fetch(self, issuer: str, shard: int) -> calls.Crl:
        """Give a list."""
        self.asked.append((issuer, shard))
        return calls.Crl(calls.CrlRow(issuer, shard, 1, THEN, THEN + dt.timedelta(days=1), 0), b"der")

    def keeping(self) -> Keeping:
        """Keep what this one answers."""
        return Keeping(self.fetch, self.answer, lambda: self.now)


def dress(answer: calls.OcspAnswer) -> Page:
    """Make a page."""
    return Page(answer.der, (), seconds(answer.keep_until))


def dress_list(crl: calls.Crl) -> Page:
    """Make a page."""
    return Page(crl.der, (), seconds(crl.row.next_update))


def test_an_answer_is_kept_until_the_moment_that_was_said() -> None:
    """Then the authority is asked again."""

    async def story() -> None:
        authority = Authority()
        kept = authority.keeping()
        page = await kept.ask(b"1a", dress)
        assert kept.kept(b"1a") == page
        authority.now += 3 * 3600
        assert kept.kept(b"1a") is None

    asyncio.run(story())


def test_an_answer_for_one_asker_is_not_kept() -> None:
    """A nonce is of no use to anybody else."""

    async def story() -> None:
        kept = Authority().keeping()
        await kept.ask(b"?", dress)
        assert kept.kept(b"?") is None

    asyncio.run(story())


def test_news_end_what_is_kept_of_that_certificate_alone() -> None:
    """And of a list what is kept of that shard."""

    async def story() -> None:
        authority = Authority()
        kept = authority.keeping()
        for request in (b"1a", b"1b"):
            await kept.ask(request, dress)
        for shard in (1, 2):
            await kept.list_of("station", shard, dress_list)
        kept.forget(KEY, "1a")
        kept.forget_list("station", 1)
        assert (kept.kept(b"1a"), kept.kept(b"1b") is not None) == (None, True)
        for shard in (1, 2):
            await kept.list_of("station", shard, dress_list)
        assert authority.asked[4:] == [("station", 1)]
        kept.forget_all()
        assert kept.kept(b"1b") is None

    asyncio.run(story())


def test_an_answer_that_news_overtook_is_given_but_not_kept() -> None:
    """It was asked for before the news, so it may be the older of the two."""

    async def story() -> None:
        authority = Authority(slow=asyncio.Event())
        assert authority.slow is not None
        kept = authority.keeping()
        asked = asyncio.create_task(kept.ask(b"1a", dress))
        await authority.reached.wait()
        kept.forget(KEY, "1a")
        authority.slow.set()
        assert (await asked).body == b"1a"
        assert kept.kept(b"1a") is None

    asyncio.run(story())


def test_strangers_cannot_make_it_grow_beyond_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes for the newest; news about those that went are no trouble."""
    monkeypatch.setattr(keeping, "ANSWERS_MOST", 3)

    async def story() -> None:
        kept = Authority().keeping()
        for number in range(10):
            await kept.ask(b"%d" % number, dress)
        assert [number for number in range(10) if kept.kept(b"%d" % number)] == [7, 8, 9]
        kept.forget(KEY, "1")
        kept.forget(KEY, "9")
        assert kept.kept(b"9") is None

    asyncio.run(story())
