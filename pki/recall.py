"""Remembers what was read of the last few papers, since the rules ask one after the other and of the same paper.

Papers are told apart by identity: to compare them, or to hash them, the library writes all of a paper anew. That is
safe for what never changes, as no certificate does.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

PAPERS_MOST: Final = 8  # kept at a time: a certificate, its twin, and the few authorities above it

P = TypeVar("P")
T = TypeVar("T")


def of_the_last(read: Callable[[P], T]) -> Callable[[P], T]:
    """Let a function of one paper answer from memory for the last few papers it was asked about."""
    known: dict[int, tuple[P, T]] = {}

    @wraps(read)
    def recall(paper: P) -> T:
        found = known.get(id(paper))  # what is known holds its paper, so nothing else can have that identity
        if found is None:
            if len(known) >= PAPERS_MOST:
                known.clear()
            found = known[id(paper)] = paper, read(paper)
        return found[1]

    return recall
