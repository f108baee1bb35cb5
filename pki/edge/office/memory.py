"""What the authority remembers between two questions and could forget: all of it follows from the ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from pki.edge.commit import Tx
    from pki.errors import BollardError
    from pki.plan import Issuer

LIVE_PER_SECOND: Final = 200.0  # answers signed for one asker alone, on average: about 5 % of a core
LIVE_BURST: Final = 400.0  # and at once


@dataclass(slots=True)
class Budget:
    """A token bucket; ``take`` says whether there is one left."""

    rate: float = LIVE_PER_SECOND
    burst: float = LIVE_BURST
    _level: float = LIVE_BURST
    _since: float = 0.0

    def take(self, now: float) -> bool:
        """Take one at a moment of a clock that only goes forward, in seconds."""
        self._level = min(self.burst, self._level + (now - self._since) * self.rate)
        self._since = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


@dataclass(slots=True)
class Memory:
    """``shards`` by an issuer's key name; ``cursors``: the certificate up to which answers were signed beforehand.

    ``lost`` records what came to nothing while the ledger could not be written (``settling``).
    ``changed`` are the stations that watchers are about to be told of.
    ``asserting`` is the key that workers were told to sign assertions with, and since when.
    ``issuers``, ``chains`` (in PEM) and ``fallen`` (the key whose certificate was revoked, or nothing) by key name are
    good until one of our own certificates changes. ``troubles`` is what parts of duties fail with at present.
    ``acts`` counts what was done since this process began, by its name in the audit log.
    """

    shards: dict[str, int] = field(default_factory=dict)
    cursors: dict[bytes, int] = field(default_factory=dict)
    issuers: dict[str, Issuer] = field(default_factory=dict)
    chains: dict[str, str] = field(default_factory=dict)
    fallen: dict[str, str] = field(default_factory=dict)
    troubles: dict[str, BollardError] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    acts: Counter[str] = field(default_factory=Counter)
    live: Budget = field(default_factory=Budget)
    lost: list[Callable[[Tx], None]] = field(default_factory=list)
    asserting: tuple[str, dt.datetime] | None = None

    def count(self, act: str) -> None:
        """Count an act that is on the disk."""
        self.acts[act] += 1

    def forget_own(self) -> None:
        """Forget what follows from our own certificates: one of them changed."""
        for known in (self.issuers, self.chains, self.fallen):
            known.clear()
