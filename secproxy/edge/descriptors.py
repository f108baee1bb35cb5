"""How many files our processes may open, and for how many stations that is enough."""

from __future__ import annotations

import resource
from typing import Final

from pki.edge import log
from secproxy.edge.children import WHO

WANTED: Final = 20_000  # files that a worker may open; two for each of 10,000 stations
SPARE: Final = 100  # of them for everything else


def allow_descriptors() -> int:
    """Let our children open as many files as the system allows: a station takes two, the usual limit is 1,024.

    Return how many that are.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def tell_of_descriptors(most: int) -> None:
    """Tell the operator where so many are few."""
    if most < WANTED:
        stations = max(0, most - SPARE) // 2
        advice = "allow more with LimitNOFILE= of systemd or ulimit -Hn"
        says = f"each worker may open {most} files, enough for {stations} stations; {advice}"
        log.say("process.files", says, who=WHO, level=log.Level.WARNING)
