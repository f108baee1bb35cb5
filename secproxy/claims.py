"""One live connection for each station, whichever worker it reaches: facts from the workers in, orders to them out.

Rules this file keeps:

* Nobody takes a live connection away: a newcomer with the same credential waits until the holder was asked for a sign
  of life, and one with another credential is refused at once.
* A connection is named by its leg, never by its station: what a dying connection says cannot hurt the one after it.
* At most one newcomer waits for each station; the state is bounded by the stations there are.
* Two devices that take one station from each other by turns are not let go on with it: after a few changes whoever is
  there stays, and newcomers are turned away unasked, until it has been calm for a while.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, assert_never

from secproxy.buckets import Bucket

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REPLACED_AT_ONCE: Final = 4  # times that a station's connection is replaced at once; one on a bad line does it twice
REPLACED_PER_SECOND: Final = 1 / 60  # of them after that: one a minute, as stations on the worst lines have it
FREEZE_SECONDS: Final = 120.0  # how long newcomers are turned away then; a dead holder is found out by TCP meanwhile
FINGERPRINT_BYTES: Final = 8  # of a credential's name, in an event: enough to tell two apart and to find a certificate

# -- facts -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """A worker admitted a station and wants the right to its one connection. ``ticket`` is the worker's own number."""

    worker: int
    ticket: int
    identity: str
    credential: bytes


@dataclass(frozen=True, slots=True)
class Probed:
    """The holder of a leg was asked for a sign of life."""

    identity: str
    leg: int
    alive: bool


@dataclass(frozen=True, slots=True)
class Released:
    """A worker's leg has ended."""

    worker: int
    leg: int


@dataclass(frozen=True, slots=True)
class WorkerGone:
    """A worker is no more, and all its connections with it."""

    worker: int


Fact = Wanted | Probed | Released | WorkerGone

# -- orders ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grant:
    """The worker may open the connection it wanted under that ticket; from now on it is called ``leg``."""

    worker: int
    ticket: int
    leg: int


@dataclass(frozen=True, slots=True)
class Deny:
    """The worker may not; ``cause`` is a security event's, ``evidence`` its facts."""

    worker: int
    ticket: int
    cause: str
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Probe:
    """The worker is to ask its leg for a sign of life and to report it with ``Probed``."""

    worker: int
    leg: int


@dataclass(frozen=True, slots=True)
class Drop:
    """The worker is to end its leg: it is dead and another takes its place."""

    worker: int
    leg: int


Order = Grant | Deny | Probe | Drop

# -- the conversation --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Holder:
    worker: int
    leg: int
    credential: bytes
    waiting: Wanted | None = None


@dataclass(slots=True)
class _Unrest:
    """How often a station's connection was replaced of late."""

    allowed: Bucket = field(default_factory=lambda: Bucket(REPLACED_PER_SECOND, REPLACED_AT_ONCE))
    frozen_until: float = 0.0
    told: bool = True


@dataclass(slots=True)
class Claims:
    """Who holds which station. Legs are numbered from 1, never used twice. Time is given, in seconds of any clock.

    All of it is data, so that it can be handed on whole.
    """

    _unrest: dict[str, _Unrest] = field(default_factory=dict)
    _holders: dict[str, _Holder] = field(default_factory=dict)
    _identities: dict[int, str] = field(default_factory=dict)  # leg to identity
    _next_leg: int = 1

    def tell(self, fact: Fact, now: float) -> list[Order]:
        """Tell what happened; hear what is to be done, in this order."""
        match fact:
            case Wanted():
                return self._wanted(fact, now)
            case Probed(identity, leg, alive):
                return self._probed(identity, leg, alive, now)
            case Released(worker, leg):
                return self._released(worker, leg)
            case WorkerGone(worker):
                return list(self._worker_gone(worker))
            case _:
                assert_never(fact)

    def holder_of(self, leg: int) -> int | None:
        """The worker that holds a leg, or None when the leg has ended."""
        identity = self._identities.get(leg)
        return None if identity is None else self._holders[identity].worker

    def _wanted(self, wanted: Wanted, now: float) -> list[Order]:
        holder = self._holders.get(wanted.identity)
        if holder is None:
            return [self._grant(wanted)]
        if not hmac.compare_digest(holder.credential, wanted.credential):
            return [Deny(wanted.worker, wanted.ticket, "session.duplicate", _both(holder, wanted))]
        if cause := self._frozen(wanted.identity, now):
            return [Deny(wanted.worker, wanted.ticket, cause, {"seconds": f"{FREEZE_SECONDS:.0f}"})]
        if holder.waiting is not None:
            return [Deny(wanted.worker, wanted.ticket, "session.duplicate")]
        holder.waiting = wanted
        return [Probe(holder.worker, holder.leg)]

    def _frozen(self, identity: str, now: float) -> str:
        """The cause for which newcomers are turned away now, empty when they are not; a freeze is told once."""
        unrest = self._unrest.get(identity)
        if unrest is None or unrest.frozen_until <= now:
            return ""
        told, unrest.told = unrest.told, True
        return "session.duplicate" if told else "session.flapping"

    def _count(self, identity: str, now: float) -> None:
        """Count a replacement; above what is allowed newcomers find the station frozen."""
        unrest = self._unrest.setdefault(identity, _Unrest())
        if not unrest.allowed.take(now):
            unrest.frozen_until, unrest.told = now + FREEZE_SECONDS, False

    def _probed(self, identity: str, leg: int, alive: bool, now: float) -> list[Order]:
        holder = self._holders.get(identity)
        if holder is None or holder.leg != leg or holder.waiting is None:
            return []
        waiting, holder.waiting = holder.waiting, None
        if alive:
            return [Deny(waiting.worker, waiting.ticket, "session.duplicate")]
        self._free(leg)
        self._count(identity, now)
        return [Drop(holder.worker, leg), self._grant(waiting)]

    def _released(self, worker: int, leg: int) -> list[Order]:
        if self.holder_of(leg) != worker:
            return []
        waiting = self._free(leg)
        return [] if waiting is None else [self._grant(waiting)]

    def _worker_gone(self, worker: int) -> Iterator[Order]:
        for holder in list(self._holders.values()):
            if holder.waiting is not None and holder.waiting.worker == worker:
                holder.waiting = None
            if holder.worker == worker:
                yield from self._released(worker, holder.leg)

    def _grant(self, wanted: Wanted) -> Grant:
        leg, self._next_leg = self._next_leg, self._next_leg + 1
        self._holders[wanted.identity] = _Holder(wanted.worker, leg, wanted.credential)
        self._identities[leg] = wanted.identity
        return Grant(wanted.worker, wanted.ticket, leg)

    def _free(self, leg: int) -> Wanted | None:
        """Forget a leg; return who waited for its end."""
        return self._holders.pop(self._identities.pop(leg)).waiting


def _both(holder: _Holder, wanted: Wanted) -> dict[str, str]:
    """Name both credentials: the fingerprints of the certificates, or of what the passwords are checked against."""
    return {
        "connected": holder.credential[:FINGERPRINT_BYTES].hex(),
        "refused": wanted.credential[:FINGERPRINT_BYTES].hex(),
    }
