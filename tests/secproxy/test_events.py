"""Security events: complete, safe to print, and never without an explanation."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.events import CAUSES, NAME_LENGTH, TEXT_LENGTH, Note, render
from secproxy.standard_events import STANDARD

WHEN = dt.datetime(2026, 6, 1, 14, 0, 0, 5, dt.timezone(dt.timedelta(hours=2)))


def test_an_event_says_what_when_who_and_what_now() -> None:
    """All keys that scripts may depend on are there, with the time in UTC."""
    event = render(
        Note("cert.revoked", "CP-001", "192.0.2.7:4000", {"certificate_serial": "4d", "tries": 2}), "id1", WHEN
    )
    kind = CAUSES["cert.revoked"]
    assert event == {
        "schema_version": 1,
        "id": "id1",
        "time": "2026-06-01T12:00:00.000005Z",
        "type": "InvalidChargingStationCertificate",
        "severity": "critical",
        "station": "CP-001",
        "remote": "192.0.2.7:4000",
        "cause": "cert.revoked",
        "clause": "A00.FR.705",
        "says": kind.says,
        "advice": kind.advice,
        "evidence": {"certificate_serial": "4d", "tries": 2},
    }


def test_a_note_with_a_cause_nobody_explained_cannot_be_made() -> None:
    """A slip in a cause's name shows where it is made, not when the event is needed."""
    with pytest.raises(ValueError, match="is no cause"):
        Note("cert.revokd")


def test_what_a_station_named_is_explained_by_the_standard() -> None:
    """The cause says that it was reported; type, weight and sentence are those of the standard's event."""
    kind = STANDARD["ocpp2.1"]["TamperDetectionActivated"].kind
    event = render(Note("station.event", "CP-001", reported=kind), "id", WHEN)
    assert (event["cause"], event["type"], event["severity"]) == ("station.event", kind.type, "critical")
    assert (event["says"], event["advice"], event["clause"]) == (kind.says, kind.advice, "A04.FR.01")


@given(st.text(), st.text(), st.text())
def test_attack_38_no_text_of_a_stranger_reaches_a_terminal_raw(name: str, remote: str, said: str) -> None:
    """Control characters, line breaks, direction marks and lone surrogates are written out, and the event is JSON."""
    event = render(Note("message.malformed", name, remote, {"said": said, said: 1}), "id", WHEN)
    line = json.dumps(event, ensure_ascii=False)
    assert line.isprintable()
    assert line.encode()


@pytest.mark.parametrize(("field", "limit"), [("station", NAME_LENGTH), ("said", TEXT_LENGTH)])
def test_long_texts_are_cut_and_show_it(field: str, limit: int) -> None:
    """A megabyte of evidence costs a line, and the cut can be seen."""
    event = render(Note("message.malformed", "x" * 9_999, "", {"said": "x" * 9_999}), "id", WHEN)
    flat = {**event, "said": event["evidence"]["said"]}  # type: ignore[index]  # reason: render promises an object
    assert flat[field] == "x" * limit + "..."


def test_a_valid_identity_is_never_changed() -> None:
    """What an event names can be looked up as it stands."""
    assert render(Note("cert.missing", "A*-_=+|@." + "b" * 39), "id", WHEN)["station"] == "A*-_=+|@." + "b" * 39
