"""Which processes a changed ``bollard.toml`` concerns, table by table.

Rules this file keeps:

* Every table of the file has a reader here; a contract with ``config.KNOWN_KEYS`` says so.
* A worker takes new settings as it runs, because it holds live connections; what reads the file at its start alone is
  started again.
* What a home was founded on, and what a worker is started with, does not change while it runs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pki.errors import InputError
from pki.toml_text import read_toml
from secproxy.event_settings import EVENT_TABLES
from secproxy.policy_settings import POLICY_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Reader(StrEnum):
    """Who reads a table."""

    WORKER = "worker"
    WEB = "web"
    AUTHORITY = "authority"
    NOBODY = "nobody while it runs"


_WORKER: Final = frozenset({Reader.WORKER})
_WEB: Final = frozenset({Reader.WEB})
_AUTHORITY: Final = frozenset({Reader.AUTHORITY})
_FIXED: Final = frozenset({Reader.NOBODY})

READERS: Final[Mapping[str, frozenset[Reader]]] = {
    "organisation": _FIXED,
    "csms": _FIXED,  # the name that certificates bear; the keys below are not founded on
    "csms.upstream": _WORKER,
    "csms.outage": _WORKER,
    "csms.transaction_ids": _WORKER,
    "csms.certificate_hours": _AUTHORITY,
    "upstream": _WORKER,
    "listener": _WORKER,
    "messages": _WORKER,
    "proxy": _FIXED,
    "proxy.workers": _WORKER,
    "web": _WEB | _AUTHORITY,
    "metrics": _WEB,
    "traces": _WORKER | _WEB,
    "log": _FIXED,
    "est": _WEB | _AUTHORITY,
    "issuing": _AUTHORITY,
    "server_certificate": _AUTHORITY,
    "hsm": _AUTHORITY,
    "keys": _AUTHORITY,
    "external_issuer": _AUTHORITY,
    **dict.fromkeys(EVENT_TABLES, _WEB),
    **dict.fromkeys(POLICY_TABLES, _WORKER),
}
"""By table, or by ``table.key`` where a key has readers of its own."""


def changed(before: str, after: str) -> tuple[str, ...]:
    """Name the tables that differ between two texts of the file, as ``differing`` does.

    Raises ``InputError`` for changes that only a new start takes in; it names all of them.
    """
    found = differing(before, after)
    if kept := starting(found):
        raise fixed(kept)
    return found


def differing(before: str, after: str) -> tuple[str, ...]:
    """Name the tables that differ between two texts of the file, in order; ``table.key`` for those with such keys.

    Both can be read.
    """
    return tuple(sorted(_differing(read_toml(before), read_toml(after))))


def starting(names: Iterable[str]) -> tuple[str, ...]:
    """Those of what ``differing`` named that only a new start takes in."""
    return tuple(name for name in names if Reader.NOBODY in readers(name))


def fixed(names: Iterable[str], judged: str = "") -> InputError:
    """Make the error for these changes; ``judged`` says what a start would find, where that was looked at."""
    named = ", ".join(f"[{name}]" for name in names)
    says = f"{named} in bollard.toml cannot change while everything runs"
    return InputError("config.fixed", says, f"{judged}Stop 'bollard up' and start it again, or change it back.")


def readers(name: str) -> frozenset[Reader]:
    """Who reads what ``changed`` named."""
    return READERS.get(name) or READERS[name.partition(".")[0]]


def _differing(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    apart = {name.partition(".")[0] for name in READERS if "." in name}
    for table in old.keys() | new.keys():
        before, after = old.get(table), new.get(table)
        if before == after:
            continue
        if table in apart:
            keys_before, keys_after = before or {}, after or {}
            assert isinstance(keys_before, dict)  # noqa: S101 - both texts were read as settings before
            assert isinstance(keys_after, dict)  # noqa: S101 - as above
            for key in keys_before.keys() | keys_after.keys():
                if keys_before.get(key) != keys_after.get(key):
                    yield f"{table}.{key}"
        else:
            yield table
