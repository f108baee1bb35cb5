"""What a session tells: once, and never without end."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from secproxy.notebook import LOOKS_AT_ONCE, TOLD_MOST, Notebook
from secproxy.plan import Side
from secproxy.schemas import Fault

if TYPE_CHECKING:
    from pki.firmware.gate import Cleared
    from secproxy.envelope import Call


def fault(place: str) -> Fault:
    """A fault at this place."""
    return Fault(place, "type", "", place)


def test_each_place_is_told_once_and_not_too_many() -> None:
    """By side, action, place and rule."""
    notes, twice = Notebook(), (fault("$.a"), fault("$.b"))
    assert notes.news(Side.STATION, "A", twice) == list(twice)
    assert notes.news(Side.STATION, "A", twice) == []
    assert notes.news(Side.CSMS, "A", twice) == list(twice)
    many = tuple(fault(f"$.c{number}") for number in range(100))
    assert len(notes.news(Side.STATION, "A", many)) == TOLD_MOST - 4


def test_faults_are_searched_for_no_more_often_than_allowed() -> None:
    """A station that breaks its schema with every message costs a search a second."""
    notes = Notebook()
    assert sum(notes.may_look(0.0) for _ in range(100)) == LOOKS_AT_ONCE
    assert notes.may_look(1.0)


def test_each_update_that_waits_has_a_ticket_of_its_own() -> None:
    """Also after one has been fetched."""
    notes, update = Notebook(), (cast("Call", object()), cast("Cleared", object()))
    first = notes.await_url(*update)
    assert notes.pending.pop(first) == update
    assert notes.await_url(*update) != first
