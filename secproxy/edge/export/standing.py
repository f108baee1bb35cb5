"""How the collector of traces is doing, in one small file of the home, for whoever looks at the home.

The web process alone writes it, when something changes, and otherwise once a minute; nobody relies on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pki.edge.private_files import read_private, write_private
from secproxy.config import write_address

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from secproxy.event_settings import Sink

FILE: Final = "traces.json"  # in ``run/``
BYTES_MOST: Final = 4_096  # bytes of it; ours have about 300


class Standing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where spans go, when the collector took some last, and what is wrong with it since when; empty for never, and
    while nothing is. Times are as the ledger writes them."""

    to: str
    taken: str = ""
    trouble: str = ""
    since: str = ""


_decoder: Final = msgspec.json.Decoder(Standing)


def place(sink: Sink) -> str:
    """Name a collector by its URL, without a query, which may hold what is nobody's business."""
    return f"http{'s' * sink.tls}://{write_address(sink.host, sink.port)}{sink.target.partition('?')[0]}"


def read_standing(home: Home, sink: Sink) -> Standing:
    """Read how a collector is doing; nothing is known of one that was not tried yet, or in place of another."""
    try:
        found = _decoder.decode(read_private(_path(home), BYTES_MOST))
    except (OSError, msgspec.MsgspecError):
        return Standing(place(sink))
    return found if found.to == place(sink) else Standing(place(sink))


def write_standing(home: Home, standing: Standing) -> None:
    """Keep it in the place of what was known before. Raises ``OSError``."""
    write_private(_path(home), msgspec.json.encode(standing))


def _path(home: Home) -> Path:
    return home.run / FILE
