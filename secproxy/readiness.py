"""Whether stations can be served now: what was seen of the processes in, a verdict for each of them out.

Empty means no: no worker, or no CSMS, serves nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so, whether it is, and how it stands."""

    name: str
    passed: bool
    says: str


def workers_open(expected: Collection[int], ready: Collection[int]) -> Check:
    """Every worker's listeners must be open: the kernel sends stations to those that are."""
    closed = sorted(set(expected) - set(ready))
    if not expected:
        return Check("workers", False, "there are none")
    if closed:
        return Check("workers", False, f"not open: {', '.join(map(str, closed))}")
    return Check("workers", True, f"{len(expected)} open")


def csms_reachable(standings: Mapping[tuple[str, str], Collection[str]]) -> Check:
    """At least one CSMS must be reachable: one URL of it, for one worker. ``standings`` are the states of each URL, by
    CSMS and place, as workers or a look of ours have found them."""
    names = {name for name, _ in standings}
    reached = {name for (name, _), states in standings.items() if "up" in states}
    if not reached:
        return Check("csms", False, "none can be reached" if names else "none is known")
    return Check("csms", True, f"{len(reached)} of {len(names)} can be reached")
