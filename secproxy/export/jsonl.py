"""JSON lines: the event as it was written down, one object a line."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from secproxy.export.event import Event, Origin


def write(event: Event, origin: Origin) -> bytes:  # noqa: ARG001 - every format takes both
    """Write an event as one JSON object, without a line end."""
    text = event.time.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return msgspec.json.encode({**msgspec.structs.asdict(event), "time": text})
