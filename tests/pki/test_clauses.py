"""The catalogue of clauses: everything that a finding may name can be explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pki.clauses import CLAUSES, Edition, explain
from pki.errors import NotFoundError

ROOT = Path(__file__).resolve().parents[2]
_ID = re.compile(r"\b[A-Z]\d\d\.FR\.\d+\b|(?<=\")(?:RFC \d+|OCPP-J) [0-9A-Z.]+(?=\")")
NAMED = sorted(
    {
        number
        for room in ("pki", "secproxy", "cli", "policies")
        for path in (ROOT / room).rglob("*")
        if path.suffix in {".py", ".toml"}
        for number in _ID.findall(path.read_text())
    }
)


@pytest.mark.parametrize("number", NAMED)
def test_every_clause_named_anywhere_can_be_explained(number: str) -> None:
    """Whatever id a person reads in a finding, ``bollard explain`` knows it."""
    assert explain(number).says.endswith(".")


def test_a_number_that_moved_is_found_by_either() -> None:
    """The gate's duty is .706 in OCPP 1.6 and .707 in 2.x."""
    assert explain("A00.FR.706") is explain("A00.FR.707") is CLAUSES["A00.FR.707"]
    assert explain("A00.FR.707").applies[Edition.SIXTEEN] == "A00.FR.706"


def test_a_number_with_two_meanings_tells_both() -> None:
    """A00.FR.312 asks for TLS in 2.x and for its version in 1.6."""
    told = explain("A00.FR.312")

    assert "OCPP 1.6: TLS is of version 1.2" in told.says
    assert "OCPP 2.0.1 and OCPP 2.1: The connection is inside TLS" in told.says
    assert set(told.applies) == {Edition.SIXTEEN, Edition.TWO_ZERO_ONE, Edition.TWO_ONE}


def test_the_rules_for_tls_hold_in_profile_3_too() -> None:
    """The second half of the numbers says the first half again."""
    assert explain("A00.FR.412").says == f"In profile 3, too: {CLAUSES['A00.FR.309'].says}"


@pytest.mark.parametrize("number", ["", "A00", "a00.fr.511", "A00.FR.9999", "x" * 1000])
def test_an_unknown_clause_is_not_found(number: str) -> None:
    """With the code that scripts may depend on."""
    with pytest.raises(NotFoundError) as refusal:
        explain(number)

    assert refusal.value.code == "clause.unknown"
    assert len(refusal.value.cause) < 100


def test_every_clause_applies_somewhere_under_its_own_id() -> None:
    """The key of the catalogue is a number that the clause has."""
    assert all(clause.id == name and name in clause.applies.values() for name, clause in CLAUSES.items())
