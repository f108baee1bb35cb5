"""What the web process keeps of signed lists and answers, so that asking again costs the authority nothing.

* Kept is only what the authority said may be, until the moment it said, and not beyond the first news that it changed.
* News and answers come over two connections: what was asked for before a piece of news is used, but not kept.
* Strangers choose the questions, so how many are kept is bounded, and how many are under way.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Awaitable, Callable

    from pki.edge.calls import Crl, OcspAnswer

ANSWERS_MOST: Final = 20_000  # answers kept, of about 1.5 KB each
ASKED_MOST: Final = 64  # questions to the authority under way; more wait their turn


@dataclass(frozen=True, slots=True)
class Page:
    """Something to be served: its bytes, the headers that go with them, and until when (seconds of the clock)."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    until: float = 0.0


class Keeping:
    """Answers by the very bytes of the question, lists by issuer and shard. ``clock`` gives the seconds of the day."""

    def __init__(
        self,
        fetch: Callable[[str, int], Awaitable[Crl]],
        answer: Callable[[bytes], Awaitable[OcspAnswer]],
        clock: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._answer = answer
        self._clock = clock
        self._answers: dict[bytes, Page] = {}
        self._asked_about: dict[tuple[bytes, str], set[bytes]] = {}
        self._names: dict[bytes, tuple[bytes, str]] = {}
        self._lists: dict[tuple[str, int], Page] = {}
        self._news = 0
        self._slots = asyncio.Semaphore(ASKED_MOST)

    def kept(self, request: bytes) -> Page | None:
        """Return the answer kept for a question, if it still holds."""
        page = self._answers.get(request)
        return page if page is not None and page.until > self._clock() else None

    async def ask(self, request: bytes, dress: Callable[[OcspAnswer], Page]) -> Page:
        """Ask the authority; ``dress`` makes a page of its answer. Raises what the authority raises."""
        async with self._slots:
            before = self._news
            answer = await self._answer(request)
        page = dress(answer)
        if answer.serial and before == self._news:
            self._keep(request, page, (answer.issuer_key_id, answer.serial))
        return page

    async def list_of(self, issuer: str, shard: int, dress: Callable[[Crl], Page]) -> Page:
        """Return a list, kept or fetched. Raises what the authority raises."""
        page = self._lists.get((issuer, shard))
        if page is not None and page.until > self._clock():
            return page
        async with self._slots:
            before = self._news
            page = dress(await self._fetch(issuer, shard))
        if before == self._news:
            self._lists[issuer, shard] = page
        return page

    def forget(self, issuer_key_id: bytes, serial: str) -> None:
        """Forget every answer about a certificate: its status changed."""
        self._news += 1
        for request in self._asked_about.pop((issuer_key_id, serial), ()):
            del self._answers[request]
            del self._names[request]

    def forget_list(self, issuer: str, shard: int) -> None:
        """Forget a list: there is a newer one."""
        self._news += 1
        self._lists.pop((issuer, shard), None)

    def forget_all(self) -> None:
        """Forget everything: news may have been missed."""
        self._news += 1
        for kept in (self._answers, self._asked_about, self._names, self._lists):
            kept.clear()

    def _keep(self, request: bytes, page: Page, about: tuple[bytes, str]) -> None:
        while len(self._answers) >= ANSWERS_MOST:
            self._drop(next(iter(self._answers)))
        self._answers[request] = page
        self._names[request] = about
        self._asked_about.setdefault(about, set()).add(request)

    def _drop(self, request: bytes) -> None:
        del self._answers[request]
        about = self._names.pop(request)
        self._asked_about[about].discard(request)
        if not self._asked_about[about]:
            del self._asked_about[about]


def seconds(moment: dt.datetime | None) -> float:
    """Write a moment as seconds of the clock; none is long ago."""
    return moment.timestamp() if moment else 0.0
