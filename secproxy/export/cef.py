"""Common Event Format, version 0, as ArcSight defined it: a header parted by bars, then names and values.

In the header a backslash and a bar are escaped, in a value a backslash and an equals sign; line breaks cannot occur.
Names are those of its dictionary where it has one; what it has none for stands in custom strings with their labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from secproxy.export.event import word
from secproxy.kinds import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secproxy.export.event import Event, Origin

SEVERITIES: Final = {  # 0 to 10; its words are Low to 3, Medium to 6, High to 8, Very-High to 10
    Severity.CRITICAL: 10,
    Severity.HIGH: 8,
    Severity.MEDIUM: 5,
    Severity.LOW: 3,
    Severity.INFO: 1,
}
CUSTOM_LENGTH: Final = 4_000  # characters of a custom string

_IN_HEADER: Final = str.maketrans({"\\": "\\\\", "|": "\\|"})
_IN_VALUE: Final = str.maketrans({"\\": "\\\\", "=": "\\="})


def write(event: Event, origin: Origin) -> bytes:
    """Write an event as one line of CEF, without a line end."""
    head = ("CEF:0", "Bollard", "Bollard", origin.version, event.cause, event.says, str(SEVERITIES[event.severity]))
    facts = {**_dictionary(event, origin), **_custom(event)}
    values = " ".join(f"{name}={value.translate(_IN_VALUE)}" for name, value in facts.items() if value)
    return f"{'|'.join(part.translate(_IN_HEADER) for part in head)}|{values}".encode()


def _dictionary(event: Event, origin: Origin) -> Mapping[str, str]:
    facts = {
        "rt": str(int(event.time.timestamp() * 1000)),
        "externalId": event.id,
        "cat": event.type,
        "dvchost": origin.host,
        "msg": event.advice,
    }
    if event.peer:
        host, port = event.peer
        source = {"c6a2": host, "c6a2Label": "Source IPv6 Address"} if ":" in host else {"src": host}
        facts |= {**source, "spt": str(port)}
    return facts


def _custom(event: Event) -> Mapping[str, str]:
    evidence = {name: word(value) for name, value in event.evidence.items()}
    texts = {
        "station": event.station,
        "clause": event.clause,
        "evidence": msgspec.json.encode(evidence).decode()[:CUSTOM_LENGTH] if evidence else "",
    }
    custom: dict[str, str] = {}
    for number, (label, text) in enumerate(texts.items(), start=1):
        if text:
            custom |= {f"cs{number}": text, f"cs{number}Label": label}
    return custom
