"""The shape of an explanation: what a security event is called, how much it weighs, and what it tells a person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How soon a person should look: ``CRITICAL`` means somebody is attacking or a secret is out."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a cause means: the event's type, its weight, the clause behind it, one sentence, and the next step."""

    type: str
    severity: Severity
    clause: str
    says: str
    advice: str


RANKS: Final = {severity: rank for rank, severity in enumerate(reversed(Severity))}
"""The severities as numbers, the gravest the greatest."""
