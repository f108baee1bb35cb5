"""Counts what a rule's rate allows, and tells of what is too much once a minute, not once a message.

There is one set of gauges for each session, and one for all stations of a worker: their state is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from secproxy.buckets import Bucket

if TYPE_CHECKING:
    from secproxy.policy.rules import Rate

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


class Gauges:
    """The gauges of one session, or of all of a worker's: ``share`` is how many sets there are like this one, each of
    which allows its part."""

    __slots__ = ("_found", "_share")

    def __init__(self, share: int = 1) -> None:
        self._share = share
        self._found: dict[tuple[str, str], _Gauge] = {}

    def take(self, policy: str, rule: str, rate: Rate, at: float) -> Over | None:
        """Count one message under a rule of a policy; ``at`` in seconds of any clock. None: it is not too much."""
        gauge = self._found.get((policy, rule))
        if gauge is None:
            bucket = Bucket(rate.per_minute / 60 / self._share, max(1.0, rate.burst / self._share))
            gauge = self._found[policy, rule] = _Gauge(bucket)
        if gauge.bucket.take(at):
            return None
        if abs(at - gauge.told_at) < QUIET_SECONDS:
            gauge.left_out += 1
            return Over(tell=False)
        left_out, gauge.left_out, gauge.told_at = gauge.left_out, 0, at
        return Over(tell=True, left_out=left_out)
