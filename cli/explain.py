"""Explains any code that was printed: a clause, the cause of an event, an error's or a finding's. Works offline."""

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
    """Explain a clause (A00.FR.405), an event's cause (cert.revoked) or the code of an error (csr.refused)."""
    asked.record(meaning_of(code.strip()))


def meaning_of(code: str) -> dict[str, Plain]:
    """Find what a code means; ``NotFoundError("explain.unknown")`` when nothing of ours has it.

    A few names are both the cause of an event and the code of an error; ``as_error`` then tells the second meaning.
    """
    event, error = _event(code), _error(code)
    if event:
        return {**event, "as_error": error} if error else event
    return {"code": code, "says": error} if error else _clause(code)


def _event(code: str) -> dict[str, Plain]:
    from secproxy.events import CAUSES

    if code not in CAUSES:
        return {}
    kind = CAUSES[code]
    facts = {"cause": code, "type": kind.type, "severity": kind.severity.value, "clause": kind.clause}
    return {**facts, "says": kind.says, "next": kind.advice}


def _error(code: str) -> str:
    """What a code means on an error, a finding or a line of a process; empty when none has it."""
    import cli.codes
    import pki.codes
    import pki.edge.codes
    import pki.edge.log
    import pki.firmware.codes
    import secproxy.codes
    import secproxy.lines

    rooms = (pki.codes, pki.firmware.codes, pki.edge.codes, secproxy.codes, cli.codes)
    tables = (*(room.CODES for room in rooms), pki.edge.log.LINES, secproxy.lines.LINES)
    return next((table[code] for table in tables if code in table), "")


def _clause(code: str) -> dict[str, Plain]:
    from pki import clauses

    try:
        clause = clauses.explain(code)
    except NotFoundError:
        advice = "Give a clause, a cause or an error's code exactly as it was printed."
        raise NotFoundError("explain.unknown", f"nothing is known by the code {code[:60]!r}", advice) from None
    applies: dict[str, Plain] = {edition.value: number for edition, number in clause.applies.items()}
    return {"clause": clause.id, "says": clause.says, "applies": applies}
