"""A token bucket: how much of something a peer may still do."""

from __future__ import annotations

from dataclasses import dataclass


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
