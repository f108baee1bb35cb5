"""Examines the home and its host, and says what will stop working, with the cure of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.asked import Asked, pass_asked
from cli.render import Output, note, show_record
from pki.health import Weight, judge, worst

if TYPE_CHECKING:
    from cli.render import Plain
    from pki.health import Symptom

COLUMNS = ("weight", "what", "says", "fix")


@click.command()
@click.option("--strict", is_flag=True, help="End with 1 on warnings as well.")
@click.pass_context
@pass_asked
def doctor(asked: Asked, context: click.Context, /, *, strict: bool) -> None:
    """Say what is wrong, or soon will be, and how it is put right; ends with 1 when something is critical."""
    from secproxy.edge.examination import examine

    symptoms = judge(examine(asked.home()))
    verdict = worst(symptoms)
    rows = [_row(symptom) for symptom in symptoms]
    if asked.output is Output.JSON:
        show_record(asked.output, {"verdict": verdict.value, "symptoms": [*rows]})
    else:
        asked.rows("symptoms", rows, COLUMNS)
    note({Weight.OK: "all is well", Weight.WARNING: "nothing is critical"}.get(verdict, "something will not work"))
    context.exit(int(verdict is Weight.CRITICAL or (strict and verdict is Weight.WARNING)))


def _row(symptom: Symptom) -> dict[str, Plain]:
    return {
        "code": symptom.code,
        "weight": symptom.weight.value,
        "what": symptom.what,
        "says": symptom.says,
        "fix": symptom.fix,
        "clause": symptom.clause,
    }
