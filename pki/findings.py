"""A finding is one thing an examiner noticed, with the clause that makes it matter.

Examiners gather all their findings, then either raise one ``RefusedError`` with them or return evidence. They never
return a bare yes or no.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pki.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(StrEnum):
    """How much a finding weighs: only ``ERROR`` refuses."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing noticed.

    ``code`` is stable (``csr.key.weak``), ``clause`` is an id such as ``A00.FR.503`` or ``RFC 5280 4.1.2.2`` or empty,
    ``says`` is one sentence with the facts in it.
    """

    code: str
    severity: Severity
    clause: str
    says: str


def error(code: str, clause: str, says: str) -> Finding:
    """Make a finding that refuses."""
    return Finding(code, Severity.ERROR, clause, says)


def warning(code: str, clause: str, says: str) -> Finding:
    """Make a finding that is told but does not refuse."""
    return Finding(code, Severity.WARNING, clause, says)


def info(code: str, clause: str, says: str) -> Finding:
    """Make a finding that is worth knowing and asks for nothing."""
    return Finding(code, Severity.INFO, clause, says)


def refuse_errors(findings: Iterable[Finding], code: str, subject: str, advice: str) -> tuple[Finding, ...]:
    """Raise ``RefusedError`` when any finding is an error; else return all of them as part of the evidence.

    ``subject`` names what was examined ("the request for CP-001"); it starts the error's sentence.
    """
    found = tuple(findings)
    if told := reasons(found):
        raise RefusedError(code, f"{subject}: {told}", advice, findings=found)
    return found


def reasons(findings: Iterable[Finding]) -> str:
    """Say in one line what refuses, each with its clause; nothing where nothing does."""
    fatal = [finding for finding in findings if finding.severity is Severity.ERROR]
    return "; ".join(f"{finding.says} [{finding.clause or finding.code}]" for finding in fatal)


def without_reasons(cause: str, findings: tuple[Finding, ...]) -> str:
    """Take from a cause what its findings say, for whoever is shown them each on a line of its own."""
    plain = "; ".join(finding.says for finding in findings if finding.severity is Severity.ERROR)
    for told in (reasons(findings), plain):
        if told and cause.endswith(f": {told}"):
            return cause.removesuffix(f": {told}")
    return cause
