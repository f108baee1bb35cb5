"""Codes are explained offline: causes of events, and clauses of the standard."""

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


def test_no_home_is_needed(bollard: Bollard) -> None:
    """An installer's laptop has none."""
    told = bollard("--home", "nowhere", "-o", "json", "explain", "cert.revoked")

    assert told.code == 0
    assert told.json()["next"]


def test_an_unknown_code_is_not_found() -> None:
    """Exit code 4, and where to look."""
    with pytest.raises(NotFoundError):
        meaning_of("no.such.code")
