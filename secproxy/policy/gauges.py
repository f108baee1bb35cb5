"""Counts what a rule's rate allows, and tells of what is too much once a minute, not once a message.

There is one set of gauges for each session, and one for all stations of a worker: their state is handed in. What is
left in those of a worker goes on when its settings change, and when another takes its place; those of a session end
with it, as whenever its station comes anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from secproxy.buckets import Bucket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secproxy.policy.rules import Rate

LEVELS_MOST: Final = 1_024  # gauges of another set; as many as there are rules with a rate, and nobody writes so many
QUIET_SECONDS: Final = 60.0  # between two notes of one gauge: a thousand stations reset at once are one alarm; ours


@dataclass(frozen=True, slots=True)
class Over:
    """More was said than a rate allows. ``left_out`` were too much since that was last told; ``tell``: it is due."""

    tell: bool
    left_out: int = 0


@dataclass(slots=True)
class _Gauge:
    bucket: Bucket
    told_at: float = float("-inf")
    left_out: int = 0


Level = tuple[str, str, float, float]
"""What is left in a gauge: its policy, its rule, how much, and when that was so."""


class Gauges:
    """The gauges of one session, or of all of a worker's: ``share`` is how many sets there are like this one, each of
    which allows its part."""

    __slots__ = ("_begins", "_found", "_left", "_share")

    def __init__(self, share: int = 1) -> None:
        self._share = share
        self._begins = (1.0, 0.0)  # what part of its burst a gauge holds that was not needed yet, and when that was so
        self._found: dict[tuple[str, str], _Gauge] = {}
        self._left: dict[tuple[str, str], tuple[float, float]] = {}  # of gauges of another set, until they are needed

    def take(self, policy: str, rule: str, rate: Rate, at: float) -> Over | None:
        """Count one message under a rule of a policy; ``at`` in seconds of any clock. None: it is not too much."""
        gauge = self._found.get((policy, rule))
        if gauge is None:
            gauge = self._found[policy, rule] = _Gauge(self._bucket((policy, rule), rate, at))
        if gauge.bucket.take(at):
            return None
        if abs(at - gauge.told_at) < QUIET_SECONDS:
            gauge.left_out += 1
            return Over(tell=False)
        left_out, gauge.left_out, gauge.told_at = gauge.left_out, 0, at
        return Over(tell=True, left_out=left_out)

    def _bucket(self, name: tuple[str, str], rate: Rate, at: float) -> Bucket:
        burst = max(1.0, rate.burst / self._share)
        part, begun = self._begins
        left, since = self._left.pop(name, (burst * part, begun))
        return Bucket(rate.per_minute / 60 / self._share, burst, min(max(0.0, left), burst), min(since, at))

    def levels(self) -> list[Level]:
        """What is left in each that was needed."""
        known = self._left | {name: gauge.bucket.left() for name, gauge in self._found.items()}
        return [(*name, *left) for name, left in known.items()]

    def halve(self, at: float) -> None:
        """Let half of everything go: to another set, which takes this one's place while this one is still asked."""
        self._begins = self._begins[0] / 2, at
        for gauge in self._found.values():
            gauge.bucket.halve(at)
        self._left = {name: (left / 2, since) for name, (left, since) in self._left.items()}

    def follow(self, before: Gauges) -> None:
        """Go on with what is left in a set that nobody asks any more."""
        self.take_in(before.levels(), *before._begins)

    def take_in(self, levels: Iterable[Level], part: float, since: float) -> None:
        """Go on with what is left in another set, whose other gauges held this part of their burst then.

        What was let through here meanwhile stays let through.
        """
        self._begins = part, since
        for policy, rule, left, at in levels:
            if (gauge := self._found.get((policy, rule))) is not None:
                bucket = gauge.bucket
                here, now = bucket.left()
                gauge.bucket = Bucket(bucket.rate, bucket.burst, max(0.0, left - (bucket.burst - here)), now)
            elif len(self._left) < LEVELS_MOST:
                self._left[policy, rule] = left, at
