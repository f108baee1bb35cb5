"""What was recorded after a sink's mark, in the order of recording, and the mark itself.

The mark moves after the sink took the events, never before: whatever dies meanwhile, they are sent again. Each act
opens the database anew, so that a home that is restored, or a disk that comes back, needs no restart.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from secproxy.edge.event_store import BUSY_SECONDS
from secproxy.edge.journal import earliest_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BATCH_EVENTS: Final = 200  # events sent at once
BATCH_BYTES: Final = 512 * 1024  # bytes of them; the most that one sink holds in memory


@dataclass(frozen=True, slots=True)
class Taken:
    """Lines that were recorded after the mark, and the mark that stands behind the last of them."""

    lines: tuple[bytes, ...]
    mark: int


class Outbox:
    """One sink's way through ``events.db``. Every method blocks; each may raise ``sqlite3.Error``."""

    def __init__(self, database: Path, sink: str) -> None:
        self._database = database
        self._sink = sink

    def take(self) -> Taken | None:
        """Read the next events; ``None`` when there are none, or the recorder has not yet set the mark."""
        if not self._is_laid_out():
            return None
        rows = "SELECT seq, event FROM events WHERE seq > (SELECT seq FROM sinks WHERE name = ?) ORDER BY seq LIMIT ?"
        lines: list[bytes] = []
        mark = size = 0
        with self._open() as db:
            for seq, event in db.execute(rows, [self._sink, BATCH_EVENTS]):
                line = str(event).encode()
                size += len(line)
                if lines and size > BATCH_BYTES:
                    break
                lines.append(line)
                mark = int(seq)
        return Taken(tuple(lines), mark) if lines else None

    def sent(self, mark: int) -> None:
        """Move the mark: everything up to it was taken, so nothing is wrong with the sink."""
        self._change("UPDATE sinks SET seq = ?, trouble = '', since = '' WHERE name = ?", [mark, self._sink])

    def failed(self, trouble: str) -> None:
        """Keep what is wrong, for ``bollard status`` to tell; since when it is stays."""
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        since = "CASE since WHEN '' THEN ? ELSE since END"
        self._change(f"UPDATE sinks SET trouble = ?, since = {since} WHERE name = ?", [trouble, now, self._sink])  # noqa: S608 (fixed words)

    def missed(self) -> int:
        """Return how many events were deleted before the sink took them, and nobody has been told of."""
        with self._open() as db:
            [missed] = db.execute("SELECT missed FROM sinks WHERE name = ?", [self._sink]).fetchone() or [0]
        return int(missed)

    def told(self, missed: int) -> None:
        """So many of those were told."""
        self._change("UPDATE sinks SET missed = missed - ? WHERE name = ?", [missed, self._sink])

    def before(self, seconds: int) -> Iterator[bytes]:
        """Read what the sink took already of the last so many seconds, in the order of recording."""
        first = earliest_id(dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds))
        mark = "(SELECT seq FROM sinks WHERE name = ?)"
        rows = f"SELECT event FROM events WHERE id >= ? AND seq <= {mark} ORDER BY seq"  # noqa: S608 (fixed words)
        with self._open() as db:
            yield from (str(event).encode() for (event,) in db.execute(rows, [first, self._sink]))

    def _is_laid_out(self) -> bool:
        """Whether the recorder has made, or brought up to date, the database; it may be about to."""
        if not self._database.exists():
            return False
        with self._open() as db:
            return bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'sinks'").fetchall())

    def _change(self, sql: str, given: list[str | int]) -> None:
        with self._open() as db, db:
            db.execute(sql, given)

    def _open(self) -> closing[sqlite3.Connection]:
        """Open what the recorder has made; it makes and changes tables, nobody else does."""
        return closing(sqlite3.connect(f"{self._database.as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS))
