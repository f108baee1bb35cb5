"""JSON lines: the very event, one line each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given

from secproxy.edge.journal import event_id, event_line
from secproxy.export import jsonl
from secproxy.export.event import Event, read_event
from tests.secproxy.export.samples import NOON, ORIGIN, events, is_harmless, notes

if TYPE_CHECKING:
    from secproxy.events import Note


@given(notes)
def test_a_line_is_the_line_of_the_journal(note: Note) -> None:
    """Field by field, so that a program reads both alike."""
    line = event_line(note, event_id(NOON, bytes(8)), NOON)
    assert json.loads(jsonl.write(read_event(line), ORIGIN)) == json.loads(line)


@given(events)
def test_attack_38_a_line_stays_one_line_and_reads_back(event: Event) -> None:
    """Whatever a station or a forger wrote."""
    line = jsonl.write(event, ORIGIN)
    assert is_harmless(line)
    assert read_event(line) == event
