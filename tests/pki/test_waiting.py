"""Decisions are taken once, and the settings say which ways of asking need one."""

from __future__ import annotations

import itertools

import pytest

from pki.errors import ConflictError, InputError
from pki.waiting import Decision, Way, decide, parse_approval

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


@pytest.mark.parametrize(
    ("words", "ways"),
    [
        ([], set()),
        (["est"], set(Way)),
        (["token", "renewal"], {Way.TOKEN, Way.RENEWAL}),
        (["token", "token"], {Way.TOKEN}),
    ],
)
def test_the_ways_that_need_a_yes_are_named_one_by_one_or_all_at_once(words: list[object], ways: set[Way]) -> None:
    """Nothing named: nothing waits."""
    assert parse_approval(words) == ways


@pytest.mark.parametrize("word", ["EST", "", 1, None, ["token"]])
def test_a_way_that_there_is_not_is_refused(word: object) -> None:
    """A slip of the pen would otherwise let requests through that were to wait."""
    with pytest.raises(InputError, match=r"settings\.approval"):
        parse_approval([word])
