"""OTLP logs in the JSON of Protobuf."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given

from secproxy.events import Note
from secproxy.export import otlp
from tests.secproxy.export.samples import ORIGIN, SAMPLE, SIX, events, forged, is_harmless, stored

if TYPE_CHECKING:
    from secproxy.export.event import Event


def test_a_batch_is_one_request() -> None:
    """One resource, one scope, a record for each event; 64-bit numbers are text."""
    [logs] = json.loads(otlp.batch([SAMPLE, SIX], ORIGIN))["resourceLogs"]
    assert {"key": "service.name", "value": {"stringValue": "bollard"}} in logs["resource"]["attributes"]
    [scope] = logs["scopeLogs"]
    first, second = scope["logRecords"]
    assert (first["timeUnixNano"], first["severityNumber"]) == ("1780315200000005000", 21)
    assert first["body"] == {"stringValue": SAMPLE.says}
    attributes = {each["key"]: each["value"] for each in first["attributes"]}
    assert attributes["bollard.station"] == {"stringValue": "CP-001"}
    assert attributes["client.port"] == {"intValue": "4000"}
    assert attributes["bollard.evidence.tries"] == {"intValue": "2"}
    assert attributes["bollard.evidence.shown"] == {"boolValue": True}
    assert attributes["bollard.evidence.ratio"] == {"doubleValue": 0.5}
    assert "bollard.evidence.none" not in attributes
    assert second["eventName"] == "bollard.cert.revoked"


def test_an_event_of_an_arrival_that_is_traced_belongs_to_that_trace() -> None:
    """By the field that collectors look into; what is no trace's name stays evidence alone."""
    for name, trace in (("0af7651916cd43dd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319c"), ("lid", None)):
        event = stored(Note("cert.revoked", evidence={"trace_id": name}))
        [logs] = json.loads(otlp.write(event, ORIGIN))["resourceLogs"]
        assert logs["scopeLogs"][0]["logRecords"][0].get("traceId") == trace


def test_a_number_beyond_64_bits_is_text() -> None:
    """A collector refuses the whole request otherwise."""
    [logs] = json.loads(otlp.write(forged("x"), ORIGIN))["resourceLogs"]
    attributes = logs["scopeLogs"][0]["logRecords"][0]["attributes"]
    assert {"key": "bollard.evidence.big", "value": {"stringValue": str(2**80)}} in attributes


@given(events)
def test_attack_38_a_line_stays_one_line_and_reads_back(event: Event) -> None:
    """Whatever a station or a forger wrote."""
    line = otlp.write(event, ORIGIN)
    assert is_harmless(line)
    record = json.loads(line)["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert record["body"]["stringValue"] == event.says
