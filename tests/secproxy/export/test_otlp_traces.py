"""OTLP traces in the JSON of Protobuf."""

from __future__ import annotations

import json

from hypothesis import given

from secproxy.export import otlp, otlp_traces
from secproxy.spans import Role
from tests.secproxy.export.samples import ORIGIN, is_harmless, nasty
from tests.secproxy.test_spans import ROOT, STEP, TRACE, span


def test_a_batch_is_one_request() -> None:
    """One resource, the one of our logs; ids in hex, times as text, and an error where something failed."""
    facts = {"bollard.profile": 3, "bollard.station": "CP-001", "bollard.csms": ""}
    root = span(id=ROOT, parent=None, name="station.connect", role=Role.SERVER, facts=facts)
    [spans] = json.loads(otlp_traces.batch([root, span(failed="cert.revoked")], ORIGIN))["resourceSpans"]
    assert spans["resource"] == otlp.resource(ORIGIN)
    [scope] = spans["scopeSpans"]
    first, second = scope["spans"]
    assert first == {
        "traceId": TRACE,
        "spanId": ROOT,
        "name": "station.connect",
        "kind": 2,
        "startTimeUnixNano": "1000000000000000000",
        "endTimeUnixNano": "1000000000002000000",
        "attributes": [
            {"key": "bollard.profile", "value": {"intValue": "3"}},
            {"key": "bollard.station", "value": {"stringValue": "CP-001"}},
        ],
    }
    assert (second["spanId"], second["parentSpanId"], second["kind"]) == (STEP, ROOT, 1)
    assert second["status"] == {"code": 2, "message": "cert.revoked"}


@given(nasty)
def test_attack_38_a_request_is_one_line_whatever_a_stranger_is_called(text: str) -> None:
    """Nothing in it could act on a terminal or a log."""
    assert is_harmless(otlp_traces.batch([span(facts={"bollard.station": text})], ORIGIN))
