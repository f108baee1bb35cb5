"""Explains a code that was printed: a clause of the standard, or the cause of a security event. Works offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.asked import Asked, pass_asked
from pki.errors import NotFoundError

if TYPE_CHECKING:
    from cli.render import Plain


@click.command()
@click.argument("code")
@pass_asked
def explain(asked: Asked, code: str) -> None:
    """Explain a clause (A00.FR.405) or the cause of an event (cert.revoked)."""
    asked.record(meaning_of(code))


def meaning_of(code: str) -> dict[str, Plain]:
    """Find what a code means; ``NotFoundError("explain.unknown")`` when nothing of ours has it."""
    from pki.clauses import CLAUSES
    from secproxy.events import CAUSES

    if code in CAUSES:
        kind = CAUSES[code]
        facts = {"cause": code, "type": kind.type, "severity": kind.severity.value, "clause": kind.clause}
        return {**facts, "says": kind.says, "next": kind.advice}
    if code in CLAUSES:
        clause = CLAUSES[code]
        return {"clause": code, "says": clause.says, "applies": str(clause.applies)}
    advice = "Give a clause or a cause exactly as it was printed; 'bollard event list' shows causes."
    raise NotFoundError("explain.unknown", f"nothing is known by the code {code[:60]!r}", advice)
