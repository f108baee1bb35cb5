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


class AuthorityLine:
    """Questions and news. While the authority is away a question raises ``UnreachableError`` and news wait."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._authority: Authority | None = None

    async def ask(self, call: calls.Call, answer: type[T]) -> T:
        """Ask once; nothing is repeated by itself, because only the asker knows whether that would be right."""
        if self._authority is None:
            raise UnreachableError(
                "authority.unreachable", "the authority is away", "The supervisor restarts it; try again in a moment."
            )
        return await self._authority.ask(call, answer)

    async def news(self) -> AsyncGenerator[calls.News, None]:
        """All news for ever, through restarts; each time the line is new, a ``Snapshot`` comes first."""
        while True:
            try:
                self._authority = await Authority.connect(self._home)
                async with contextlib.aclosing(self._authority.watch()) as watched:
                    async for news in watched:
                        yield news
            except UnreachableError:
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                await self._hang_up()

    async def _hang_up(self) -> None:
        authority, self._authority = self._authority, None
        if authority is not None:
            await authority.close()
