"""Elastic Common Schema 8.11: one JSON object a line. What the schema has no field for stands below ``bollard``.

All facts of the evidence are written as text there: a field that is a number once and a word another time would be
refused by an index.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import msgspec

from secproxy.export.event import word
from secproxy.kinds import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secproxy.export.event import Event, Origin

VERSION: Final = "8.11.0"
SEVERITIES: Final = {  # of the schema only the type is fixed; these are the bounds that Elastic's own rules use
    Severity.CRITICAL: 99,
    Severity.HIGH: 73,
    Severity.MEDIUM: 47,
    Severity.LOW: 21,
    Severity.INFO: 0,
}
_KINDS: Final[Mapping[str, tuple[list[str], list[str]]]] = {  # event.category and event.type by a cause's first word
    "alert": (["intrusion_detection"], ["info"]),
    "auth": (["authentication", "network"], ["denied"]),
    "cert": (["authentication", "network"], ["denied"]),
    "est": (["authentication", "network"], ["denied"]),
    "firmware": (["package"], ["info"]),
    "profile": (["authentication", "network"], ["denied"]),
    "session": (["session", "network"], ["info"]),
    "station": (["host"], ["info"]),
}
_OTHER: Final = (["network"], ["info"])


def write(event: Event, origin: Origin) -> bytes:
    """Write an event as one JSON object, without a line end."""
    return msgspec.json.encode(
        {
            "@timestamp": event.time.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "ecs": {"version": VERSION},
            "message": event.says,
            "event": _about(event),
            "observer": {
                "vendor": "Bollard",
                "product": "Bollard",
                "type": "proxy",
                "version": origin.version,
                "hostname": origin.host,
            },
            **_source(event),
            "bollard": {
                "station": event.station,
                "clause": event.clause,
                "advice": event.advice,
                "evidence": {name.replace(".", "_"): word(value) for name, value in event.evidence.items()},
            },
        }
    )


def _about(event: Event) -> Mapping[str, object]:
    category, kind = _KINDS.get(event.cause.partition(".")[0], _OTHER)
    return {
        "id": event.id,
        "kind": "alert" if event.cause.startswith("alert.") else "event",
        "category": category,
        "type": kind,
        "action": event.cause,
        "code": event.type,
        "severity": SEVERITIES[event.severity],
        "provider": "bollard",
        "dataset": "bollard.security",
        "reason": event.says,
    }


def _source(event: Event) -> Mapping[str, object]:
    if event.peer is None:
        return {}
    host, port = event.peer
    return {"source": {"address": host, "ip": host, "port": port}, "related": {"ip": [host]}}
