"""What workers report of themselves, as the supervisor keeps it: figures beyond the life of each, spans until taken.

Rules this file keeps:

* What workers have counted is kept as a sum that outlives each of them, and never falls.
* Spans wait here, a bounded number of bytes, for whoever sends them on; they end with the code that runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from secproxy.edge import claim_wire as wire
from secproxy.edge.line_end import LINE_BYTES
from secproxy.spans import Waiting
from secproxy.tally import Tally

if TYPE_CHECKING:
    from secproxy.tally import Series, Totals

SPANS_BYTES: Final = 4 * 1024 * 1024  # bytes of spans that wait to be sent; about 12,000 of them
OURS: Final = 0  # in place of a connection's number: what is counted here itself


class Reports:
    """The reports to one desk. ``totals`` are those that the desk before it had."""

    def __init__(self, totals: Totals) -> None:
        self.totals = totals
        totals.gone(OURS)  # what the desk before us counted is kept; we begin anew
        self._spans, self._tally = Waiting(SPANS_BYTES), Tally()

    def take(self, connection: int, word: wire.Report) -> None:
        """Let a report stand in the place of the one before from the same worker."""
        self.totals.take(connection, word.counters, word.gauges)

    def gone(self, connection: int) -> None:
        """Keep what a worker has counted that has ended."""
        self.totals.gone(connection)

    def figures(self) -> tuple[Series, Series]:
        """The counters and gauges of all."""
        return self.totals.counters(), self.totals.gauges()

    def keep(self, word: wire.Spans) -> None:
        """Have spans wait; where there is no room they are dropped and counted."""
        self._count("dropped", self._spans.put([bytes(each) for each in word.spans]))

    def give_out(self, word: wire.TakeSpans) -> wire.SpansTaken:
        """Count what became of those that were taken before, and give out the next."""
        self._count("sent", word.sent)
        self._count("dropped", word.dropped)
        return wire.SpansTaken([msgspec.Raw(each) for each in self._spans.take(LINE_BYTES // 2)])

    def drop(self) -> None:
        """Let the spans that wait go, because the code that runs ends."""
        self._count("dropped", len(self._spans.take(SPANS_BYTES)))

    def _count(self, outcome: str, many: int) -> None:
        if many > 0:
            self._tally.count("spans_total", outcome, by=many)
            self.totals.take(OURS, self._tally.counters, {})
