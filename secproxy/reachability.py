"""Whether a URL of a CSMS is worth dialling: up or down, when it is looked at again, and in which order URLs are tried.

Rules this file keeps:

* Down means that TCP or TLS could not be had. Whatever a CSMS answers after that may be about the one station that
  asked, and no station may take the CSMS from all others.
* Each wait is drawn from zero to a bound that doubles (full jitter), so that workers, and proxies, never knock in step.
* A change is told once: ``Standing.changed`` is true for the fact that made it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from secproxy.config import Limits

DOUBLINGS_MOST: Final = 16  # of the wait; far beyond where any bound is reached, and no overflow


class State(StrEnum):
    """How a URL stands."""

    UP = "up"
    DOWN = "down"


class Fact(StrEnum):
    """What was found out about it, by a station's connection or by a look of ours."""

    REACHED = "reached"
    MISSED = "missed"


NEXT: Final[Mapping[tuple[State, Fact], State]] = {
    (State.UP, Fact.REACHED): State.UP,
    (State.UP, Fact.MISSED): State.DOWN,
    (State.DOWN, Fact.MISSED): State.DOWN,
    (State.DOWN, Fact.REACHED): State.UP,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One URL's standing. Times are seconds of a clock that only goes forward.

    ``misses`` in a row; while down it is looked at again at ``look_at``, and it has been down since ``since``.
    """

    state: State = State.UP
    misses: int = 0
    look_at: float = 0.0
    since: float = 0.0
    changed: bool = False


def after(standing: Standing, fact: Fact, now: float, draw: float, limits: Limits) -> Standing:
    """Say how a URL stands after a fact. ``draw`` is a random number from 0 to 1."""
    state = NEXT[standing.state, fact]
    changed = state is not standing.state
    if state is State.UP:
        return Standing(changed=changed)
    if not changed and now < standing.look_at:  # dialled before it was known to be down
        return Standing(State.DOWN, standing.misses, standing.look_at, standing.since)
    bound = min(limits.retry_most_seconds, limits.retry_first_seconds * 2 ** min(standing.misses, DOUBLINGS_MOST))
    since = now if changed else standing.since
    return Standing(State.DOWN, standing.misses + 1, now + draw * bound, since, changed)


def order(standings: Sequence[Standing], weights: Sequence[int], draw: Callable[[], float]) -> list[int]:
    """Say in which order URLs are tried, by number: those that are up, as written or as ``weights`` have it.

    By weights each place in the order is drawn among those that are left, by their parts; ``draw`` gives random numbers
    from 0 to 1.
    """
    left = [number for number, standing in enumerate(standings) if standing.state is State.UP]
    if not weights:
        return left
    found: list[int] = []
    while left:
        point = draw() * sum(weights[number] for number in left)
        for number in left:
            point -= weights[number]
            if point < 0:
                break
        found.append(number)
        left.remove(number)
    return found


def share(seconds_left: float, urls_left: int) -> float:
    """How long one URL may be tried, so that those after it have their time too."""
    return max(0.0, seconds_left) / max(1, urls_left)


def spread(live: int, limits: Limits) -> float:
    """Over how many seconds so many stations are let go, when the CSMS of all of them dies."""
    return min(limits.close_spread_seconds, live / limits.returns_per_second)
