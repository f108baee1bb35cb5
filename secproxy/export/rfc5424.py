"""Syslog as RFC 5424 has it: a header, the facts as structured data, a sentence for people.

* Facility 10 (security messages); severity by the event's. MSGID is the cause.
* Facts stand in two elements, ``bollard@32473`` and ``evidence@32473``. 32473 is the number that RFC 5612 keeps for
  documentation: Bollard has none of its own registered. A collector's rules may depend on it.
* The sentence is UTF-8 and begins with a byte order mark (6.4). A message in another format (CEF, JSON) goes without
  structured data and mark, since its readers want it at the very beginning.
* A line is at most ``MOST`` bytes, which collectors take by default; facts that have no room are counted.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final

from secproxy.export.event import word
from secproxy.kinds import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from secproxy.export.event import Event, Origin

FACILITY: Final = 10  # RFC 5424 6.2.1: security and authorization messages
SEVERITIES: Final = {  # RFC 5424 6.2.1: critical, error, warning, notice, informational
    Severity.CRITICAL: 2,
    Severity.HIGH: 3,
    Severity.MEDIUM: 4,
    Severity.LOW: 5,
    Severity.INFO: 6,
}
ENTERPRISE: Final = 32_473  # RFC 5612: for documentation
MOST: Final = 8_192  # bytes; rsyslog's and syslog-ng's own bound; RFC 5424 6.1 asks receivers for 2048
NAME_MOST: Final = 32  # characters of MSGID and of a parameter's name
BOM: Final = "\ufeff"

_ESCAPED: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "]": "\\]"})  # RFC 5424 6.3.3
_NOT_NAME: Final = re.compile(r"[^!#-<>-\\^-~]")  # PRINTUSASCII without SP = ] "
_ROOM: Final = 64  # bytes kept for the count of what had no room


def write(event: Event, origin: Origin) -> bytes:
    """Write an event as one syslog message, without framing."""
    about = {"id": event.id, "type": event.type, "severity": event.severity.value, "station": event.station}
    facts = {**about, "remote": event.remote, "clause": event.clause}
    head = f"{_header(event, origin)} {_element('bollard', facts.items())}"
    where = ", ".join(part for part in (event.station and f"station {event.station}", event.remote) if part)
    message = f"{BOM}{event.says}{f' ({where})' * bool(where)}"
    room = MOST - len(f"{head} {message}".encode()) - _ROOM
    return _cut(f"{head}{_evidence(event, room)} {message}".encode())


def wrap(event: Event, origin: Origin, message: bytes) -> bytes:
    """Put the header before a message in another format; a message that is too long is cut."""
    return _cut(f"{_header(event, origin)} - ".encode() + message)


def frame(message: bytes) -> bytes:
    """Count the octets of a message before it, for TCP and TLS (RFC 6587 3.4.1, RFC 5425 4.3)."""
    return b"%d %s" % (len(message), message)


def _cut(whole: bytes) -> bytes:
    """Cut the end of a message that is too long, between two characters."""
    return whole[:MOST].decode("utf-8", "ignore").encode()


def _header(event: Event, origin: Origin) -> str:
    priority = FACILITY * 8 + SEVERITIES[event.severity]
    time = event.time.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return f"<{priority}>1 {time} {origin.host} bollard - {_name(event.cause)}"


def _evidence(event: Event, room: int) -> str:
    """Write as many facts as there is room for."""
    kept: list[tuple[str, str]] = []
    for name, value in event.evidence.items():
        room -= len(f' {_name(name)}="{word(value).translate(_ESCAPED)}"'.encode())
        if room < 0:
            return _element("evidence", [*kept, ("left_out", str(len(event.evidence) - len(kept)))])
        kept.append((name, word(value)))
    return _element("evidence", kept) if kept else ""


def _element(name: str, facts: Iterable[tuple[str, str]]) -> str:
    written = "".join(f' {_name(key)}="{value.translate(_ESCAPED)}"' for key, value in facts if value)
    return f"[{name}@{ENTERPRISE}{written}]"


def _name(text: str) -> str:
    return _NOT_NAME.sub("_", text)[:NAME_MOST] or "-"
