"""Findings: gathered first, refused together, or handed on as evidence."""

from __future__ import annotations

import pytest

from pki.errors import RefusedError
from pki.findings import Severity, error, info, refuse_errors, warning

BAD, POOR, FINE = (
    error("a.bad", "A00.FR.001", "it is bad"),
    warning("a.poor", "", "it is poor"),
    info("a.fine", "", "it is"),
)


def test_makers_set_the_severity() -> None:
    """Three weights, three makers."""
    assert [each.severity for each in (BAD, POOR, FINE)] == [Severity.ERROR, Severity.WARNING, Severity.INFO]


def test_without_an_error_all_findings_come_back_as_evidence() -> None:
    """Warnings refuse nothing and are not lost."""
    assert refuse_errors(iter([POOR, FINE]), "a.refused", "the thing", "Do this.") == (POOR, FINE)
    assert refuse_errors([], "a.refused", "the thing", "Do this.") == ()


def test_one_error_refuses_and_carries_all_findings() -> None:
    """The sentence names the subject, the reason and the clause; the warnings travel along."""
    with pytest.raises(RefusedError) as refusal:
        refuse_errors([POOR, BAD, error("a.worse", "", "it is worse")], "a.refused", "the thing", "Do this.")

    assert str(refusal.value) == "a.refused: the thing: it is bad [A00.FR.001]; it is worse [a.worse]"
    assert refusal.value.findings[0] == POOR
    assert refusal.value.advice == "Do this."
