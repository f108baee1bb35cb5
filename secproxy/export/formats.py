"""The formats by name, as settings and the command line call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secproxy.export import cef, ecs, jsonl, otlp, rfc5424

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from secproxy.export.event import Event, Origin

FORMATS: Final[Mapping[str, Callable[[Event, Origin], bytes]]] = {
    "jsonl": jsonl.write,
    "rfc5424": rfc5424.write,
    "cef": cef.write,
    "ecs": ecs.write,
    "otlp": otlp.write,
}
"""Each writes one event as one line, without the line's end."""


def syslog_message(event: Event, origin: Origin, name: str) -> bytes:
    """Write an event as a syslog message whose text is in the format named."""
    if name == "rfc5424":
        return rfc5424.write(event, origin)
    return rfc5424.wrap(event, origin, FORMATS[name](event, origin))
