"""Tells proxies and the web process what changed, in the order in which it was recorded.

A watcher that does not keep up is cut off rather than waited for: it connects again and starts from a fresh snapshot.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pki.errors import UnreachableError

if TYPE_CHECKING:
    from pki.edge.calls import News

BACKLOG: Final = 10_000  # pieces of news a watcher may lag behind: about 10 MB at a kilobyte each


class Watcher:
    """One who watches. ``next`` waits for the next piece of news."""

    def __init__(self, backlog: int = BACKLOG) -> None:
        self._queue: asyncio.Queue[News | None] = asyncio.Queue(backlog + 1)
        self._backlog = backlog
        self._cut = False

    async def next(self) -> News:
        """Return the next piece of news; raise ``UnreachableError`` once cut off and nothing is left to tell."""
        news = None if self._cut and self._queue.empty() else await self._queue.get()
        if news is None:
            raise UnreachableError("watch.ended", "the authority tells no more news here", "Connect and watch again.")
        return news

    def offer(self, news: News) -> bool:
        """Queue a piece of news; say whether it fitted."""
        if self._queue.qsize() >= self._backlog:
            return False
        self._queue.put_nowait(news)
        return True

    def cut(self) -> None:
        """End it: what is queued may still be read, then ``next`` raises."""
        if not self._cut:
            self._cut = True
            self._queue.put_nowait(None)


class Board:
    """Where news is put up. Used on the event loop alone, from what acts leave in ``Tx.after``."""

    def __init__(self) -> None:
        self._watchers: set[Watcher] = set()

    @property
    def is_watched(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._watchers)

    def join(self, watcher: Watcher, snapshot: News) -> None:
        """Begin to tell a watcher, with the snapshot first."""
        watcher.offer(snapshot)
        self._watchers.add(watcher)

    def leave(self, watcher: Watcher) -> None:
        """Tell it no more."""
        self._watchers.discard(watcher)

    def publish(self, news: News) -> None:
        """Tell every watcher; one that is too far behind is cut off."""
        for watcher in [watcher for watcher in self._watchers if not watcher.offer(news)]:
            self.leave(watcher)
            watcher.cut()

    def close(self) -> None:
        """Cut every watcher off, since the authority stops."""
        for watcher in self._watchers:
            watcher.cut()
        self._watchers.clear()
