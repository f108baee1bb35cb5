"""Codes are explained offline: causes of events, errors and findings, and clauses of the standard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.explain import meaning_of
from pki.clauses import CLAUSES
from pki.errors import NotFoundError
from secproxy.events import CAUSES

if TYPE_CHECKING:
    from tests.cli.conftest import Bollard


@pytest.mark.parametrize("code", [*CAUSES, *CLAUSES])
def test_every_cause_and_every_clause_is_explained(code: str) -> None:
    """Whatever a finding or an event names."""
    assert meaning_of(code)["says"]


def test_the_code_of_a_finding_is_explained(bollard: Bollard) -> None:
    """As it stood in an error."""
    told = bollard("-o", "json", "explain", "csr.common_name")

    assert told.json()["code"] == "csr.common_name"
    assert "serial number" in str(told.json()["says"])


def test_a_clause_tells_its_number_in_each_edition(bollard: Bollard) -> None:
    """A line each for people, an object for programs; the number of any edition leads to it."""
    table, plain = bollard("explain", "M05.FR.09"), bollard("-o", "json", "explain", "M05.FR.08")
    numbers = {"OCPP 1.6": "M05.FR.08", "OCPP 2.0.1": "M05.FR.09", "OCPP 2.1": "M05.FR.09"}

    assert [" ".join(line.split()) for line in table.out.splitlines()[2:]] == [
        f"applies {edition} {number}" for edition, number in numbers.items()
    ]
    assert plain.json()["applies"] == numbers


def test_no_home_is_needed(bollard: Bollard) -> None:
    """An installer's laptop has none."""
    told = bollard("--home", "nowhere", "-o", "json", "explain", "cert.revoked")

    assert told.code == 0
    assert told.json()["next"]


def test_an_unknown_code_is_not_found() -> None:
    """Exit code 4, and where to look."""
    with pytest.raises(NotFoundError):
        meaning_of("no.such.code")
