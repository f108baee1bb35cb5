"""Syslog messages, read back by the grammar of RFC 5424."""

from __future__ import annotations

import pytest
from hypothesis import given

from secproxy.events import Note
from secproxy.export import rfc5424
from secproxy.export.event import Event, word
from secproxy.export.rfc5424 import BOM, MOST
from secproxy.kinds import Severity
from tests.secproxy.export.samples import ORIGIN, SAMPLE, events, forged, is_harmless, nasty, read_syslog, stored


def test_an_event_is_the_message_that_the_grammar_asks_for() -> None:
    """Facility 10 and the event's weight, the facts in two elements, the sentence behind a byte order mark."""
    assert rfc5424.write(SAMPLE, ORIGIN).decode() == (
        f'<82>1 2026-06-01T12:00:00.000005Z csms.example.org bollard - cert.revoked [bollard@32473 id="{SAMPLE.id}" '
        'type="InvalidChargingStationCertificate" severity="critical" station="CP-001" remote="192.0.2.7:4000" '
        'clause="A00.FR.705"][evidence@32473 serial="4d" tries="2" said="a \\"b\\" \\\\c\\] d=e|f" shown="true" '
        f'ratio="0.5"] {BOM}The station\'s certificate was revoked. (station CP-001, 192.0.2.7:4000)'
    )


@given(events)
def test_attack_38_a_message_stays_one_line_and_reads_back(event: Event) -> None:
    """Whatever a station or a forger wrote; every fact that has room is there, and the others are counted."""
    line = rfc5424.write(event, ORIGIN)
    assert is_harmless(line)
    assert len(line) <= MOST
    read = read_syslog(line)
    told = dict(read.data["bollard@32473"])
    assert (told.get("id", ""), told.get("station", "")) == (event.id, event.station)
    facts = [value for name, value in read.data.get("evidence@32473", []) if name != "left_out"]
    given = [word(value) for value in event.evidence.values() if word(value)]
    assert facts == given[: len(facts)]
    assert len(facts) == len(given) or any(name == "left_out" for name, _ in read.data["evidence@32473"])


@pytest.mark.parametrize(("severity", "priority"), list(zip(Severity, (82, 83, 84, 85, 86), strict=True)), ids=str)
def test_the_priority_is_that_of_the_severity(severity: Severity, priority: int) -> None:
    """RFC 5424 6.2.1: eight times the facility, and critical, error, warning, notice, informational."""
    causes = {"critical": "cert.revoked", "high": "cert.expired", "medium": "auth.busy", "low": "tls.failed"}
    event = stored(Note(causes.get(severity.value, "firmware.cleared")))
    assert event.severity is severity
    assert read_syslog(rfc5424.write(event, ORIGIN)).priority == priority


def test_facts_that_have_no_room_are_counted() -> None:
    """A collector would cut the message anywhere, perhaps within a fact."""
    event = stored(Note("message.malformed", "CP-001", "", {f"part{number}": "x" * 256 for number in range(60)}))
    line = rfc5424.write(event, ORIGIN)
    facts = read_syslog(line).data["evidence@32473"]
    assert MOST - 400 < len(line) <= MOST
    assert facts[-1] == ("left_out", str(60 - len(facts) + 1))


@given(nasty)
def test_another_format_goes_without_data_and_mark_in_front(text: str) -> None:
    """CEF's readers look for CEF:0 where the message begins."""
    line = rfc5424.wrap(forged(text), ORIGIN, b"CEF:0|" + b"x" * 9_000)
    read = read_syslog(line)
    assert (read.data, read.message[:6]) == ({}, "CEF:0|")
    assert len(line) == MOST


def test_a_frame_counts_octets_not_characters() -> None:
    """RFC 6587 3.4.1."""
    assert rfc5424.frame("é".encode()) == b"2 \xc3\xa9"
