"""Elastic Common Schema: the fields it names, with the values it allows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from secproxy.events import CAUSES, Note
from secproxy.export import ecs
from tests.secproxy.export.samples import ORIGIN, SAMPLE, events, is_harmless, stored

if TYPE_CHECKING:
    from secproxy.export.event import Event

ALLOWED = {  # ECS 8.11, event.category with its expected types
    "authentication": {"start", "end", "info"},
    "network": {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"},
    "intrusion_detection": {"allowed", "denied", "info"},
    "package": {"access", "change", "deletion", "info", "installation", "start"},
    "session": {"start", "end", "info"},
    "host": {"access", "change", "end", "info", "start"},
}


def test_an_event_stands_in_the_schemas_fields() -> None:
    """What the schema has no field for stands below ``bollard``, facts as text."""
    written = json.loads(ecs.write(SAMPLE, ORIGIN))
    assert (written["@timestamp"], written["ecs"]["version"]) == ("2026-06-01T12:00:00.000005Z", "8.11.0")
    assert written["message"] == written["event"]["reason"] == SAMPLE.says
    assert written["event"]["action"] == "cert.revoked"
    assert written["source"] == {"address": "192.0.2.7", "ip": "192.0.2.7", "port": 4000}
    assert written["observer"]["hostname"] == "csms.example.org"
    assert written["bollard"]["evidence"]["tries"] == "2"
    assert written["bollard"]["evidence"]["shown"] == "true"


@pytest.mark.parametrize("cause", CAUSES)
def test_category_and_type_are_words_of_the_schema(cause: str) -> None:
    """Each type is one that one of the categories expects."""
    about = json.loads(ecs.write(stored(Note(cause)), ORIGIN))["event"]
    assert set(about["category"]) <= ALLOWED.keys()
    assert set(about["type"]) <= set.union(*(ALLOWED[each] for each in about["category"]))
    assert about["kind"] in {"event", "alert"}


@given(events)
def test_attack_38_a_line_stays_one_line_and_reads_back(event: Event) -> None:
    """Whatever a station or a forger wrote."""
    line = ecs.write(event, ORIGIN)
    assert is_harmless(line)
    written = json.loads(line)
    assert (written["event"]["id"], written["bollard"]["station"]) == (event.id, event.station)
