"""A proxy worker's line to the authority, which survives the authority's restarts."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, TypeVar

from pki.edge import calls
from pki.edge.client import Authority
from pki.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pki.edge.home import Home

T = TypeVar("T", bound=calls.Row)

RETRY_SECONDS: Final = 0.2  # between attempts to reach an authority that is away
SILENCE_SECONDS: Final = 10.0
"""Seconds without a word of the authority's while a question waits; it signs within five when it is busy, and who waits
for us on the other side often has 20. One that answers others is busy, not silent, and given up later."""
ANSWER_ROUNDS: Final = 6  # such spans that one question may take of an authority that is busy with others


class AuthorityLine:
    """Questions and news. While the authority is away a question raises ``UnreachableError`` and news wait.

    One that hangs (it is there and says nothing) is away as well, from the first question it leaves unanswered until it
    says something again: no more questions pile up before it, to be acted on when nobody waits for them any more.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._authority: Authority | None = None
        self._silent = asyncio.Event()
        self._heard = 0

    async def ask(self, call: calls.Call, answer: type[T]) -> T:
        """Ask once; nothing is repeated by itself, because only the asker knows whether that would be right.

        Raises what the authority raised, ``UnreachableError("authority.unreachable")`` while it is away,
        ``UnreachableError("authority.silent")`` when it does not answer.
        """
        authority = self._authority
        if authority is None:
            raise UnreachableError(
                "authority.unreachable", "the authority is away", "The supervisor restarts it; try again in a moment."
            )
        asked = asyncio.ensure_future(authority.ask(call, answer))
        try:
            await self._wait_for(asked)
            if asked.done():
                return asked.result()
        finally:
            asked.cancel()
        if self._authority is authority:
            self._authority = None
            self._silent.set()
        raise UnreachableError(
            "authority.silent",
            "the authority is there and does not answer; what was asked may be done yet",
            "See what keeps it: 'bollard doctor', and its log. Restart it if it hangs.",
        )

    async def news(self) -> AsyncGenerator[calls.News, None]:
        """All news for ever, through restarts and hangs; each time the line is new, a ``Snapshot`` comes first."""
        while True:
            try:
                authority = await Authority.connect(self._home)
                self._silent.clear()
                try:
                    async with contextlib.aclosing(authority.watch()) as watched:
                        while True:
                            news = await self._next(watched)
                            self._heard += 1
                            self._authority = authority
                            yield news
                finally:
                    self._authority = None
                    authority.drop()
                    await authority.close()
            except UnreachableError:
                await asyncio.sleep(RETRY_SECONDS)

    async def _wait_for(self, asked: asyncio.Future[T]) -> None:
        for _ in range(ANSWER_ROUNDS):
            before = self._heard
            await asyncio.wait({asked}, timeout=SILENCE_SECONDS)
            self._heard += asked.done()
            if self._heard == before or asked.done():
                return

    async def _next(self, watched: AsyncGenerator[calls.News, None]) -> calls.News:
        coming = asyncio.ensure_future(anext(watched))
        silent = asyncio.ensure_future(self._silent.wait())
        try:
            await asyncio.wait({coming, silent}, return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                return coming.result()
        finally:
            for task in (coming, silent):
                task.cancel()
            await asyncio.gather(coming, silent, return_exceptions=True)
        raise UnreachableError("authority.silent", "the authority does not answer", "It is asked anew.")
