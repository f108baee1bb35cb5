"""What a person is told of a policy is what a session does."""

from __future__ import annotations

import itertools

import pytest

from secproxy.errors import PolicyRefused
from secproxy.plan import Side
from secproxy.policy.actions import ACTIONS
from secproxy.policy.explanation import Verdict, explain
from secproxy.policy.gauges import Gauges
from secproxy.policy.rules import Mode
from tests.play import NOON
from tests.secproxy.policy.test_rulebook import (
    ATTACKS,
    CARRIED,
    DENY,
    DOUBTFUL,
    INSTALLED,
    OPEN,
    RIGHT,
    SHAPE,
    asked,
    book,
    carried,
    sealed,
    shipped,
)

SAID = [
    *((version, side, action, payload) for version, side, action, payload in RIGHT),
    *((version, side, action, payload) for _, version, action, payload, side in (*ATTACKS, *DOUBTFUL)),
    *CARRIED,
]


@pytest.mark.parametrize("name", ["baseline", "strict", "observe", "migration"])
def test_the_explanation_refuses_what_the_rulebook_refuses(name: str) -> None:
    """Good calls and bad ones, under every policy that ships, and for the first message of a session."""
    signed = [(version, side, f"{action}-Signed", sealed(payload)) for version, side, action, payload in SAID]
    for version, side, action, payload in (*SAID, *signed):
        rules, call = shipped(name, version), asked(action, payload, side)
        lines = explain(rules, call, payload)
        refusing = [line.rule for line in lines if line.refuses]
        objecting = {line.rule for line in lines if line.verdict is Verdict.OBJECTS}
        if refusing:
            with pytest.raises(PolicyRefused) as refused:
                rules.judge(call, Gauges(), Gauges())
            assert refused.value.note.evidence["rule"] == refusing[0]
        else:
            assert {note.evidence["rule"] for note in rules.judge(call, Gauges(), Gauges())} == objecting


@pytest.mark.parametrize("version", ACTIONS)
def test_an_action_that_is_not_let_through_is_told_first(version: str) -> None:
    """With the policy's own mode, before the rules it would meet besides."""
    for side, action in itertools.product(Side, ("MadeUp",)):
        [line] = explain(shipped("strict", version), asked(action, side=side), None)
        assert (line.rule, line.mode, line.verdict, line.refuses) == ("allow", Mode.ENFORCE, Verdict.OBJECTS, True)


def test_a_rule_that_would_read_a_payload_is_not_asked_without_one() -> None:
    """Nobody is told that a call passes when it depends; outside its window a rule sleeps."""
    text = OPEN + SHAPE + DENY + 'window = { from = "22:00", until = "06:00", zone = "UTC" }\n'
    night = asked("Reset", at=NOON.replace(hour=23))
    assert [line.verdict for line in explain(book(text), asked("Reset"), None)] == [Verdict.READS, Verdict.SLEEPS]
    assert [line.verdict for line in explain(book(text), night, None)] == [Verdict.READS, Verdict.OBJECTS]
    assert explain(book(text), asked("Reset"), {"type": "Hard"})[0].refuses


def test_what_a_data_transfer_carries_is_explained_with_it() -> None:
    """By the rules of what is carried, once its payload is known."""
    payload, rules = carried("InstallCertificate", {}), book(OPEN + INSTALLED)
    assert explain(rules, asked("DataTransfer"), None) == []
    assert [line.rule for line in explain(rules, asked("DataTransfer"), payload) if line.refuses] == ["known-roots"]


def test_a_signed_payload_is_explained_by_what_it_signs() -> None:
    """And one that cannot be read by why not; without one, nobody is told that it passes."""
    rules, call = book(OPEN + SHAPE), asked("Reset-Signed")
    assert [line.verdict for line in explain(rules, call, None)] == [Verdict.READS]
    assert [line.verdict for line in explain(rules, call, sealed({"type": "Soft"}))] == [Verdict.PASSES]
    [line] = explain(rules, call, sealed({"type": "Hard"}))
    assert line.refuses
    assert line.says.startswith("type does not satisfy")
    for payload in ({"type": "Soft"}, {**sealed({}), "payload": "e30="}, sealed(sealed({"type": "Soft"}))):
        [line] = explain(rules, call, payload)
        assert line.refuses
        assert line.says.startswith("what the signed message holds cannot be read: ")
