"""When the keys for assertions come and go, so that whoever verifies one always finds the key it was signed with.

A key's name says when it was made; all else follows from the names and the time. A new key is published well before
it signs, since others keep the list of keys for a while; the former one stays published until nothing that it signed
can be valid any more.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LIFE: Final = dt.timedelta(days=30)  # how long a key signs; it lies in the memory of every worker, so not for years
AHEAD: Final = dt.timedelta(hours=1)  # how long it is published before; twelve times what others may keep the list
AFTER: Final = dt.timedelta(minutes=10)  # how long after its last signature; an assertion is valid for one minute

_NAME: Final = re.compile(r"assertion-([0-9]{1,12})")


def name_at(moment: dt.datetime) -> str:
    """Name a key that is made now."""
    return f"assertion-{int(moment.timestamp())}"


def keys_among(names: Iterable[str]) -> list[str]:
    """Pick the names of keys for assertions, the oldest first."""
    return sorted((name for name in names if _NAME.fullmatch(name)), key=_made)


def is_due(keys: Sequence[str], now: dt.datetime) -> bool:
    """Whether a new key is to be made. ``keys`` are the oldest first, here and below."""
    return not keys or now - _made(keys[-1]) >= LIFE


def signing(keys: Sequence[str], now: dt.datetime) -> str:
    """Which key signs: the newest of those that were published long enough, else the oldest there is."""
    known = [key for key in keys if now - _made(key) >= AHEAD]
    return known[-1] if known else keys[0]


def spent(keys: Sequence[str], signer: str, since: dt.datetime, now: dt.datetime) -> list[str]:
    """Which keys have nothing valid left: those before the one that all workers were told to sign with, ``since``."""
    return list(keys[: keys.index(signer)]) if now - since >= AFTER else []


def _made(name: str) -> dt.datetime:
    match = _NAME.fullmatch(name)
    return dt.datetime.fromtimestamp(int(match[1]) if match else 0, dt.UTC)
