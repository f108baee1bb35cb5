"""What a process has counted, and the sum over processes that come and go: a counter never falls when one is replaced.

A series is named by its figure and the values of its labels, with a space between: ``handshakes_total TLSv1.3``. Names
are those of ``secproxy.metrics``; no value of a label holds a space. A histogram is a series for each bucket, with the
bucket's upper bound (``inf`` for the last) or ``sum`` behind its labels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from secproxy.metrics import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Mapping

Series = dict[str, float]

_BOUNDS: Final = (*map(str, BUCKETS), "inf")


def series(name: str, *labels: str) -> str:
    """Name a series."""
    return " ".join((name, *labels))


@dataclass(frozen=True, slots=True)
class Tally:
    """One process' figures: counters since it began, gauges as they stand."""

    counters: Series = field(default_factory=dict)
    gauges: Series = field(default_factory=dict)

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        key = series(name, *labels)
        self.counters[key] = self.counters.get(key, 0) + by

    def shift(self, name: str, *labels: str, by: float) -> None:
        """Move a gauge up or down; at zero it is forgotten, so that labels of the past do not pile up."""
        key = series(name, *labels)
        value = self.gauges.get(key, 0) + by
        if value:
            self.gauges[key] = value
        else:
            self.gauges.pop(key, None)

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """Put a duration into its bucket."""
        bucket = sum(bound < seconds for bound in BUCKETS)
        self.count(name, *labels, _BOUNDS[bucket])
        self.count(name, *labels, "sum", by=seconds)


@dataclass(slots=True)
class Totals:
    """The sum of what processes report, each under a number of its own that never comes again. All of it is data."""

    _ended: Series = field(default_factory=dict)
    _counters: dict[int, Series] = field(default_factory=dict)
    _gauges: dict[int, Series] = field(default_factory=dict)

    def take(self, number: int, counters: Mapping[str, float], gauges: Mapping[str, float]) -> None:
        """Let a report stand in the place of the one before from the same process."""
        self._counters[number], self._gauges[number] = dict(counters), dict(gauges)

    def gone(self, number: int) -> None:
        """Keep what a process has counted that has ended; its gauges end with it."""
        self._gauges.pop(number, None)
        _add(self._ended, self._counters.pop(number, {}))

    def counters(self) -> Series:
        """Sum up the counters, of processes that have ended too."""
        found = dict(self._ended)
        for each in self._counters.values():
            _add(found, each)
        return found

    def gauges(self) -> Series:
        """Sum up the gauges of those that are there."""
        found: Series = {}
        for each in self._gauges.values():
            _add(found, each)
        return found


def _add(to: Series, what: Mapping[str, float]) -> None:
    for key, value in what.items():
        to[key] = to.get(key, 0) + value
