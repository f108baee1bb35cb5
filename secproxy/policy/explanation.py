"""Says what a policy would do with one call: rule by rule, with the clause of each, and what whoever called would hear.

Nothing is counted and nothing is passed on; without a payload, rules that would read one are named and not asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from secproxy.policy.rulebook import ALLOW, ALLOW_CLAUSE, mode_of, take_apart
from secproxy.policy.rules import Deny, Mode, Rate, Rule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secproxy.policy.rulebook import Asked, Rulebook


class Verdict(StrEnum):
    """What one rule says to the call."""

    OBJECTS = "objects"
    PASSES = "passes"
    COUNTS = "counts"
    READS = "reads the payload"
    SLEEPS = "sleeps now"


@dataclass(frozen=True, slots=True)
class Line:
    """One rule's word."""

    rule: str
    clause: str
    mode: Mode
    verdict: Verdict
    says: str

    @property
    def refuses(self) -> bool:
        """Whether the call ends here."""
        return self.verdict is Verdict.OBJECTS and self.mode is Mode.ENFORCE


def explain(rulebook: Rulebook, asked: Asked, payload: Mapping[str, object] | None) -> list[Line]:
    """Ask every rule that a call meets; what is not let through at all is the first line."""
    parts, read = take_apart(replace(asked, payload=payload or {})), payload is not None
    says = "the policy does not let this action through"
    barred = [Line(ALLOW, ALLOW_CLAUSE, rulebook.mode, Verdict.OBJECTS, says) for _ in rulebook.barred(parts)]
    return [*barred, *(_line(rulebook, rule, each, read=read) for rule, each in rulebook.met(parts))]


def _line(rulebook: Rulebook, rule: Rule, asked: Asked, *, read: bool) -> Line:
    verdict, says = _ask(rulebook, rule, asked, read=read)
    return Line(rule.name, rule.clause, mode_of(rule, asked), verdict, says or rule.says)


def _ask(rulebook: Rulebook, rule: Rule, asked: Asked, *, read: bool) -> tuple[Verdict, str]:
    if rule.window is not None and not rule.window.holds(asked.at):
        return Verdict.SLEEPS, ""
    if isinstance(rule.test, Rate):
        return (
            Verdict.COUNTS,
            f"{rule.test.per_minute:g} a minute, {rule.test.burst:g} at once, {rule.test.scope.value}",
        )
    if not read and not isinstance(rule.test, Deny):
        return Verdict.READS, ""
    says = rulebook.fault(rule, asked)
    return (Verdict.OBJECTS, says) if says else (Verdict.PASSES, "")
