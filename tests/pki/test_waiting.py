"""Decisions are taken once, and the settings say which ways of asking need one."""

from __future__ import annotations

import itertools

import pytest

from pki.errors import ConflictError, InputError
from pki.waiting import Decision, Way, decide, parse_way

GOOD = {
    (Decision.PENDING, Decision.APPROVED),
    (Decision.PENDING, Decision.DENIED),
    (Decision.APPROVED, Decision.DENIED),
}


@pytest.mark.parametrize(("state", "to"), [*itertools.product(Decision, Decision)], ids=str)
def test_a_decision_is_taken_from_a_state_that_allows_it(state: Decision, to: Decision) -> None:
    """A yes may still be taken back; a no stays."""
    if (state, to) in GOOD:
        assert decide(state, to) is to
    else:
        with pytest.raises(ConflictError, match=r"enrolment\.decided"):
            decide(state, to)


@pytest.mark.parametrize(("word", "ways"), [("est", frozenset(Way)), *((way.value, frozenset({way})) for way in Way)])
def test_a_word_names_one_way_that_needs_a_yes_or_all_of_them(word: str, ways: frozenset[Way]) -> None:
    """Each by its own name."""
    assert parse_way(word) == ways


@pytest.mark.parametrize("word", ["EST", "", "all"])
def test_a_way_that_there_is_not_is_refused(word: str) -> None:
    """A slip of the pen would otherwise let requests through that were to wait."""
    with pytest.raises(InputError, match=r"settings\.approval"):
        parse_way(word)
