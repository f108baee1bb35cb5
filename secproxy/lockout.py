"""Whoever offers wrong passwords has to wait, each time longer; told in attempts, answered in seconds.

Rules this file keeps:

* A guess counts against one station as seen from one network, so that nobody can lock a station out from elsewhere; a
  second count, of the network alone, is against many names tried from one place.
* Whoever has proved itself from a network is not stopped there by what others of that network do under other names.
* Nothing here knows which stations exist: a name that nobody registered is counted and stopped like any other.
* An attempt is counted before the password is looked at, so that many at once are not worth more than one by one.
* What is kept is bounded; of too much the longest untouched is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final, Generic, TypeVar

from secproxy.buckets import Bucket

STATION_BURST: Final = 5  # attempts at once under one name; an installer mistypes twice, a guesser needs thousands
STATION_RATE: Final = 1 / 55  # of them a second after that: there is one again when the first wait is over
NETWORK_BURST: Final = 60  # wrong passwords at once from one network; a site whose stations all got a wrong setting
NETWORK_RATE: Final = 0.2  # of them a second after that; what the enrolment's door allows as well
FIRST_SECONDS: Final = 60.0  # the first wait; each next one is twice as long
MOST_SECONDS: Final = 900.0  # the longest wait: a station whose password was set right is back within it
CALM_SECONDS: Final = 86_400.0  # after so long without an attempt nothing is held against anybody
PAIRS_MOST: Final = 50_000  # names counted, each from one network; about 400 bytes each
NETWORKS_MOST: Final = 10_000  # networks counted
PROVED_MOST: Final = 100_000  # stations remembered with the network they proved themselves from
PAIRS_WRITTEN: Final = 2_000  # of the names, those counted last: once a second all of it is told within 10 ms
NETWORKS_WRITTEN: Final = 1_000  # of the networks, likewise
PROVED_WRITTEN: Final = 5_000  # of the stations that a network which is written must not hold up
PROVED_SEARCHED: Final = 10_000  # stations that proved themselves last, among which these are looked for

K = TypeVar("K", str, tuple[str, str])


class Scope(StrEnum):
    """What has to wait: one station's name as tried from one network, or all names from there."""

    STATION = "station"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now, but in so many seconds. ``begun`` once for each lock, whose number ``locks`` is."""

    seconds: float
    scope: Scope
    locks: int
    begun: bool


@dataclass(slots=True)
class _Account:
    """What one name, or one network, has used up."""

    bucket: Bucket
    locks: int = 0
    until: float = 0.0
    told: bool = True
    touched: float = 0.0

    def take(self, now: float) -> bool:
        """Use one attempt up; where none is left a lock begins."""
        if self.bucket.take(now):
            return True
        self.until = now + min(FIRST_SECONDS * 2.0 ** min(self.locks, 8), MOST_SECONDS)
        self.locks, self.told = self.locks + 1, False
        return False

    def wait(self, scope: Scope, now: float) -> Wait | None:
        """What is still to be waited for."""
        if self.until <= now:
            return None
        begun, self.told = not self.told, True
        return Wait(self.until - now, scope, self.locks, begun)


@dataclass(slots=True)
class _Accounts(Generic[K]):
    """Accounts of one kind, the longest untouched first."""

    rate: float
    burst: float
    most: int
    held: OrderedDict[K, _Account] = field(default_factory=OrderedDict)

    def open(self, key: K, now: float) -> _Account:
        """Find an account, or begin a blank one."""
        account = self.held.get(key)
        if account is None or now - max(account.touched, account.until) > CALM_SECONDS:
            account = self.held[key] = _Account(Bucket(self.rate, self.burst))
        account.touched = now
        self.held.move_to_end(key)
        while len(self.held) > self.most:
            self.held.popitem(last=False)
        return account


@dataclass(frozen=True, slots=True)
class Kept:
    """What is held against whom, as data: the longest untouched first."""

    pairs: list[tuple[str, str, _Account]] = field(default_factory=list)
    networks: list[tuple[str, _Account]] = field(default_factory=list)
    proved: list[tuple[str, str]] = field(default_factory=list)


class Lockouts:
    """Counts attempts. Time is given, in seconds of any clock that is never set back; a network is a name of one."""

    __slots__ = ("_networks", "_pairs", "_proved", "changes")

    def __init__(self, kept: Kept = Kept()) -> None:
        self.changes = 0
        """How often what is held against anybody has changed; another number, another state."""
        self._pairs: _Accounts[tuple[str, str]] = _Accounts(STATION_RATE, STATION_BURST, PAIRS_MOST)
        self._networks: _Accounts[str] = _Accounts(NETWORK_RATE, NETWORK_BURST, NETWORKS_MOST)
        self._pairs.held.update(((identity, network), account) for identity, network, account in kept.pairs)
        self._networks.held.update(kept.networks)
        self._proved: OrderedDict[tuple[str, str], None] = OrderedDict.fromkeys(kept.proved)

    def kept(self) -> Kept:
        """Tell all of it, for another to go on with."""
        pairs = [(*pair, account) for pair, account in self._pairs.held.items()]
        return Kept(pairs, list(self._networks.held.items()), list(self._proved))

    def recent(self) -> Kept:
        """Tell what is written down, which outlives this process: of each kind those touched last."""
        pairs = [(*pair, account) for pair, account in islice(reversed(self._pairs.held.items()), PAIRS_WRITTEN)]
        networks = dict(islice(reversed(self._networks.held.items()), NETWORKS_WRITTEN))
        latest = islice(reversed(self._proved), PROVED_SEARCHED if networks else 0)
        proved = islice((pair for pair in latest if pair[1] in networks), PROVED_WRITTEN)
        return Kept(pairs[::-1], [*networks.items()][::-1], [*proved][::-1])

    def attempt(self, identity: str, network: str, now: float) -> Wait | None:
        """Count an attempt that is about to be made; a ``Wait`` when it must not be."""
        if (identity, network) not in self._proved and network in self._networks.held:
            wait = self._networks.held[network].wait(Scope.NETWORK, now)
            if wait is not None:
                return wait
        self.changes += 1
        account = self._pairs.open((identity, network), now)
        if account.until <= now:
            account.take(now)
        return account.wait(Scope.STATION, now)

    def failed(self, network: str, now: float) -> None:
        """The password was wrong, or could not have helped."""
        self.changes += 1
        account = self._networks.open(network, now)
        if account.until <= now:
            account.take(now)

    def proved(self, identity: str, network: str) -> None:
        """The password was right: nothing is held against this station here any more."""
        pair = identity, network
        self.changes += self._pairs.held.pop(pair, None) is not None
        self._proved[pair] = None
        self._proved.move_to_end(pair)
        while len(self._proved) > PROVED_MOST:
            self._proved.popitem(last=False)


def moved(kept: Kept, by: float, now: float) -> Kept:
    """Tell the same by another clock, which shows so many seconds more, and ``now``; no wait is longer than usual."""
    return Kept(
        [
            (identity, network, _moved(account, STATION_RATE, STATION_BURST, by, now))
            for identity, network, account in kept.pairs[-PAIRS_MOST:]
        ],
        [
            (network, _moved(account, NETWORK_RATE, NETWORK_BURST, by, now))
            for network, account in kept.networks[-NETWORKS_MOST:]
        ],
        kept.proved[-PROVED_MOST:],
    )


def _moved(account: _Account, rate: float, burst: float, by: float, now: float) -> _Account:
    return _Account(
        account.bucket.moved(rate, burst, by),
        account.locks,
        min(account.until + by, now + MOST_SECONDS),
        account.told,
        min(account.touched + by, now),
    )
