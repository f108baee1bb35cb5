"""OpenTelemetry traces as OTLP 1 writes them in JSON: one request holds any number of spans.

Of bytes that Protobuf's JSON has in base64, the ids of traces and spans are in hex (OTLP 1, "JSON Protobuf Encoding").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from secproxy.export.otlp import attributes, resource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from secproxy.export.event import Origin
    from secproxy.spans import Span

ERROR: Final = 2  # STATUS_CODE_ERROR; nothing is said where nothing failed


def batch(spans: Sequence[Span], origin: Origin) -> bytes:
    """Write spans as one ExportTraceServiceRequest."""
    scope = {"scope": {"name": "bollard.proxy", "version": origin.version}, "spans": [_span(each) for each in spans]}
    return msgspec.json.encode({"resourceSpans": [{"resource": resource(origin), "scopeSpans": [scope]}]})


def _span(span: Span) -> Mapping[str, object]:
    return {
        "traceId": span.trace,
        "spanId": span.id,
        **({"parentSpanId": span.parent} if span.parent else {}),
        "name": span.name,
        "kind": int(span.role),
        "startTimeUnixNano": str(span.begin),
        "endTimeUnixNano": str(span.end),
        "attributes": attributes(span.facts),
        **({"status": {"code": ERROR, "message": span.failed}} if span.failed else {}),
    }
