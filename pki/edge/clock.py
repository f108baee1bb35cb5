"""What time it is: the one place in this room that asks the machine's clock.

All times are aware and in UTC. Certificates and the ledger know whole seconds only (RFC 5280 4.1.2.5), so ``now`` gives
whole seconds: what is recorded then equals what is signed.
"""

from __future__ import annotations

import datetime as dt
import time
from functools import lru_cache
from typing import Final

STAMPS_MOST: Final = 256  # moments remembered as they are written

_TO_THE_SECOND: Final = 19  # characters; what follows is the zone


def now() -> dt.datetime:
    """Return the present moment in UTC, cut to whole seconds."""
    return dt.datetime.fromtimestamp(int(time.time()), dt.UTC)


@lru_cache(STAMPS_MOST)  # of all that is asked in one second most is asked about the same few moments
def stamp(moment: dt.datetime) -> str:
    """Write a moment as the ledger stores it: ``2026-11-22T17:47:53Z``, so that text order is time order."""
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds")[:_TO_THE_SECOND] + "Z"
