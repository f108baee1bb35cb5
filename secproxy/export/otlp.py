"""OpenTelemetry logs as OTLP 1 writes them in JSON: one request holds any number of events.

The JSON is that of Protobuf: names in camelCase, 64-bit numbers as text. A file of such requests, one a line, is what
the OpenTelemetry collector reads as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from secproxy.kinds import Severity
from secproxy.spans import EVIDENCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from secproxy.events import Value
    from secproxy.export.event import Event, Origin

SEVERITIES: Final = {  # OpenTelemetry logs data model: INFO, INFO2, WARN, ERROR, FATAL
    Severity.CRITICAL: 21,
    Severity.HIGH: 17,
    Severity.MEDIUM: 13,
    Severity.LOW: 10,
    Severity.INFO: 9,
}
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_INT64: Final = 2**63


def write(event: Event, origin: Origin) -> bytes:
    """Write an event as a request of its own, without a line end."""
    return batch([event], origin)


def batch(events: Sequence[Event], origin: Origin) -> bytes:
    """Write events as one ExportLogsServiceRequest."""
    scope = {
        "scope": {"name": "bollard.security", "version": origin.version},
        "logRecords": [_record(each) for each in events],
    }
    logs = {"resource": resource(origin), "scopeLogs": [scope]}
    return msgspec.json.encode({"resourceLogs": [logs]})


def resource(origin: Origin) -> Mapping[str, object]:
    """Say who tells."""
    said = {"service.name": "bollard", "service.version": origin.version, "host.name": origin.host}
    return {"attributes": attributes(said)}


def attributes(facts: Mapping[str, Value]) -> list[Mapping[str, object]]:
    """Write facts; those that are empty are left out."""
    return [{"key": name, "value": _any(value)} for name, value in facts.items() if value not in ("", None)]


def _record(event: Event) -> Mapping[str, object]:
    microseconds = round(event.time.timestamp() * 1_000_000)
    facts: dict[str, Value] = {
        "event.id": event.id,
        "bollard.type": event.type,
        "bollard.cause": event.cause,
        "bollard.station": event.station,
        "bollard.clause": event.clause,
        "bollard.advice": event.advice,
    }
    if event.peer:
        facts |= dict(zip(("client.address", "client.port"), event.peer, strict=True))
    facts |= {f"bollard.evidence.{name}": value for name, value in event.evidence.items()}
    return {
        "timeUnixNano": f"{microseconds}000",
        "observedTimeUnixNano": f"{microseconds}000",
        "severityNumber": SEVERITIES[event.severity],
        "severityText": event.severity.value,
        "eventName": f"bollard.{event.cause}",
        **({"traceId": trace} if (trace := _trace_of(event)) else {}),
        "body": {"stringValue": event.says},
        "attributes": attributes(facts),
    }


def _trace_of(event: Event) -> str:
    trace = str(event.evidence.get(EVIDENCE, ""))
    return trace if _TRACE_ID.fullmatch(trace) else ""


def _any(value: Value) -> Mapping[str, object]:
    match value:
        case bool():
            return {"boolValue": value}
        case int() if -_INT64 <= value < _INT64:
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case _:
            return {"stringValue": str(value)}
