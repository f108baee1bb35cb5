"""A stored event as formats take it: typed, bounded, and harmless whoever wrote the line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from secproxy.edge.journal import event_id, event_line
from secproxy.export.event import EVIDENCE_MOST, Event, Origin, read_event, word
from tests.secproxy.export.samples import NOON, SAMPLE, SIX, forged, nasty, notes

if TYPE_CHECKING:
    from secproxy.events import Note


@given(notes)
def test_what_the_journal_wrote_is_read_as_it_stands(note: Note) -> None:
    """Reading cuts and changes nothing of what was made harmless before."""
    line = event_line(note, event_id(NOON, bytes(8)), NOON)
    event, written = read_event(line), json.loads(line)
    assert {name: getattr(event, name) for name in ("id", "station", "remote", "cause", "says", "advice")} == {
        name: written[name] for name in ("id", "station", "remote", "cause", "says", "advice")
    }
    assert event.evidence == written["evidence"]


@given(nasty)
def test_attack_38_a_line_that_somebody_edited_yields_harmless_text_as_well(text: str) -> None:
    """No field, no name of a fact and no fact holds what is not printable."""
    event = forged(text)
    texts = [event.id, event.type, event.station, event.remote, event.cause, event.clause, event.says, event.advice]
    assert all(each.isprintable() for each in [*texts, *event.evidence, *map(str, event.evidence.values())])


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b'{"id": "1"}', id="fields are missing"),
        pytest.param(
            b'{"id":"1","time":"2026-06-01T12:00:00","type":"x","severity":"low","cause":"y"}',
            id="a time without offset",
        ),
        pytest.param(
            b'{"id":"1","time":"2026-06-01T12:00:00Z","type":"x","severity":"grave","cause":"y"}', id="no severity"
        ),
    ],
)
def test_what_is_no_event_is_a_value_error(line: bytes) -> None:
    """Whoever reads can tell it from a defect of ours."""
    with pytest.raises(ValueError):  # noqa: PT011 - the kind is the promise, the words are msgspec's
        read_event(line)


def test_an_event_has_a_bounded_number_of_facts() -> None:
    """Ten thousand facts of an edited line are not carried on."""
    line = {"id": "1", "time": "2026-06-01T12:00:00Z", "type": "x", "severity": "low", "cause": "y"}
    event = read_event(json.dumps({**line, "evidence": {str(number): 1 for number in range(9_999)}}).encode())
    assert len(event.evidence) == EVIDENCE_MOST


@pytest.mark.parametrize(
    ("remote", "peer"),
    [
        ("192.0.2.7:4000", ("192.0.2.7", 4000)),
        ("[2001:db8::7]:4000", ("2001:db8::7", 4000)),
        ("", None),
        ("somewhere:80", None),
        ("192.0.2.7:99999", None),
        ("192.0.2.7:\u0661", None),
    ],
)
def test_the_peer_is_an_address_or_nothing(remote: str, peer: tuple[str, int] | None) -> None:
    """Fields that must hold an IP address never hold a stranger's word."""
    line = {"id": "1", "time": "2026-06-01T12:00:00Z", "type": "x", "severity": "low", "cause": "y", "remote": remote}
    assert read_event(json.dumps(line).encode()).peer == peer


def test_facts_are_the_same_words_in_every_format_of_text() -> None:
    """JSON's words for truth, nothing for nothing."""
    assert [word(value) for value in (True, False, None, 2, 0.5, "x")] == ["true", "false", "", "2", "0.5", "x"]


@pytest.mark.parametrize(("host", "told"), [("a.example", "a.example"), ("a b\n]", "ab"), ("é", "-"), ("", "-")])
def test_the_host_is_fit_for_every_header(host: str, told: str) -> None:
    """RFC 5424 6.2.4: no space, nothing but ASCII; a dash when there is no name."""
    assert Origin.of(host, "1.0").host == told


def test_samples_are_what_they_are_for() -> None:
    """An event with either family of address."""
    assert isinstance(SAMPLE, Event)
    assert SIX.peer == ("2001:db8::7", 4000)
