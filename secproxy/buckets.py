"""A token bucket: how much of something a peer may still do. A meter asks one about what somebody else counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PAUSE_LEAST: Final = 0.1  # seconds; one timer serves a few messages of somebody who is just at the limit
FLOOD: Final = (
    20  # times the rate; at 100 a second that is one message in half a millisecond, and nobody answers so fast
)


@dataclass(slots=True)
class Bucket:
    """Holds up to ``burst`` tokens, gains ``rate`` of them a second; time is given, in seconds of any clock; one
    that is set back costs nothing."""

    rate: float
    burst: float
    _tokens: float = -1.0
    _at: float = 0.0

    def take(self, now: float) -> bool:
        """Take one token; False when there is none."""
        tokens = (
            self.burst if self._tokens < 0 else min(self.burst, self._tokens + max(0.0, now - self._at) * self.rate)
        )
        self._at = now
        self._tokens = tokens - 1 if tokens >= 1 else tokens
        return tokens >= 1

    def left(self) -> tuple[float, float]:
        """What is in it, and when that was so."""
        return (self.burst if self._tokens < 0 else self._tokens), self._at

    def halve(self, now: float) -> None:
        """Let half of what is in it go."""
        tokens, at = self.left()
        self._tokens = min(self.burst, tokens + max(0.0, now - at) * self.rate) / 2
        self._at = now

    def moved(self, rate: float, burst: float, by: float) -> Bucket:
        """Return one of these bounds with what is in this one, by a clock that shows so many seconds more."""
        return Bucket(rate, burst, min(self._tokens, burst), self._at + by)


@dataclass(slots=True)
class Meter:
    """Holds a count that only grows against a bucket, as seldom as it can: before ``due`` there is nothing to ask.

    What was counted beyond the bucket is a debt, to be waited for. Who comes far faster than allowed whenever it may
    come at all is flooding; who waits for an answer each time is not, however long it is at its limit.
    """

    rate: float
    burst: float
    due: int = 0
    """The count from which ``read`` is to be asked again."""
    _count: int = 0
    _tokens: float = 0.0
    _at: float | None = None
    _since: float = 0.0  # when the last wait was over
    _flooding: float | None = None  # since when

    def read(self, count: int, now: float) -> float:
        """Hear what the count is; return for how many seconds nothing more should be taken, 0 when there is no need.

        Time is of any clock, in seconds. What was counted before it was first asked is not held against anybody.
        """
        if self._at is None:
            self._count, self._tokens, self._at = count, self.burst, now
        came = count - self._count
        self._tokens = min(self.burst, self._tokens + max(0.0, now - self._at) * self.rate) - came
        self._count, self._at = count, now
        self.due = count + max(1, int(self._tokens))
        if self._tokens >= 1:
            self._flooding = None
            return 0.0
        fast = came - 1 > (now - max(self._since, now - 1)) * self.rate * FLOOD
        self._flooding = (now if self._flooding is None else self._flooding) if fast else None
        return max(PAUSE_LEAST, (1 - self._tokens) / self.rate)

    def go_on(self, now: float) -> None:
        """Hear that the wait is over."""
        self._since = now

    def flooding(self, now: float) -> float:
        """For how many seconds there has been a flood; 0 when there is none."""
        return 0.0 if self._flooding is None else now - self._flooding
