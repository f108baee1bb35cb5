"""Findings: gathered first, refused together, or handed on as evidence."""

from __future__ import annotations

import pytest

from pki.errors import RefusedError
from pki.findings import Finding, Severity, error, info, refuse_errors, warning, without_reasons

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


@pytest.mark.parametrize("findings", [(BAD,), (POOR, BAD, error("a.worse", "", "it is worse"))])
def test_a_cause_can_be_told_without_what_the_findings_say(findings: tuple[Finding, ...]) -> None:
    """Only what they say is taken, and only where it stands at the end."""
    with pytest.raises(RefusedError) as refusal:
        refuse_errors(findings, "a.refused", "the thing: mine", "Do this.")

    assert without_reasons(refusal.value.cause, findings) == "the thing: mine"
    assert without_reasons("the thing: it is bad", (BAD,)) == "the thing"
    for cause in ("the thing", "it is bad", "the thing: it is bad [A00.FR.001], and more"):
        assert without_reasons(cause, findings) == cause
    assert without_reasons("the thing: it is poor", (POOR,)) == "the thing: it is poor"


def test_one_error_refuses_and_carries_all_findings() -> None:
    """The sentence names the subject, the reason and the clause; the warnings travel along."""
    with pytest.raises(RefusedError) as refusal:
        refuse_errors([POOR, BAD, error("a.worse", "", "it is worse")], "a.refused", "the thing", "Do this.")

    assert str(refusal.value) == "a.refused: the thing: it is bad [A00.FR.001]; it is worse [a.worse]"
    assert refusal.value.findings[0] == POOR
    assert refusal.value.advice == "Do this."
