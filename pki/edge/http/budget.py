"""Counts what each download link has used, so that one link cannot be made to serve without end.

The counts live in this process alone and are kept by the link's hash; the links themselves are not kept.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from pki.errors import ForbiddenError

BUDGET_TIMES: Final = 3
"""Times the image's size; a station on a bad line resumes, it does not start over more than twice."""
REQUESTS_MOST: Final = 1_000
"""Requests for one link; ours: an image in pieces of 256 KiB up to 250 MiB, or a flood of ranges of one byte."""
LINKS_KEPT: Final = 10_000
"""Links counted at once; only links the authority vouched for are counted, the longest unused is forgotten."""


@dataclass(slots=True)
class Allowance:
    """What one link may still use: ``left`` bytes in ``requests`` requests."""

    left: int
    requests: int = REQUESTS_MOST

    def spend(self, length: int) -> None:
        """Take ``length`` bytes off, or raise ``ForbiddenError("download.budget")``."""
        if length > self.left:
            raise _used_up()
        self.left -= length


class Budget:
    """The allowances of all links in use."""

    def __init__(self) -> None:
        self._allowances: OrderedDict[bytes, Allowance] = OrderedDict()

    def open(self, token: str, size: int) -> Allowance:
        """Count a request for an image of ``size`` bytes, or raise ``ForbiddenError("download.budget")``."""
        key = hashlib.sha256(token.encode()).digest()
        allowance = self._allowances.setdefault(key, Allowance(BUDGET_TIMES * size))
        self._allowances.move_to_end(key)
        while len(self._allowances) > LINKS_KEPT:
            self._allowances.popitem(last=False)
        if allowance.requests == 0 or allowance.left == 0:
            raise _used_up()
        allowance.requests -= 1
        return allowance


def _used_up() -> ForbiddenError:
    return ForbiddenError(
        "download.budget",
        f"this download link has served {BUDGET_TIMES} times the image's size, or {REQUESTS_MOST} requests",
        "Find out why the station fetches again and again, then send the update anew.",
    )
