"""The audit log: everything that was done, and the proof that nothing in it was altered."""

from __future__ import annotations

import json

import click

from cli.asked import Asked, pass_asked
from cli.files import read_text
from cli.render import Output, Plain, note, to_plain, write
from pki.edge import calls

COLUMNS = ("index", "at", "act", "who", "what")


@click.group()
def audit() -> None:
    """Read the audit log and prove it whole."""


@audit.command("list")
@click.option("--first", type=click.IntRange(0), help="Begin with this entry; the newest are listed else.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help="At most so many.")
@pass_asked
def list_(asked: Asked, first: int | None, limit: int) -> None:
    """List entries, the newest last."""
    found = asked.ask(calls.ListAudit(-1 if first is None else first, limit), calls.AuditRows).rows
    asked.rows("entries", [entry_of(row) for row in found], COLUMNS)


@audit.command()
@click.option("--checkpoint", help="File with a checkpoint that was kept elsewhere, to be compared with too.")
@pass_asked
def verify(asked: Asked, checkpoint: str | None) -> None:
    """Recompute the whole log and compare it with every signed checkpoint."""
    held = read_text(checkpoint) if checkpoint else ""
    proved = asked.ask(calls.VerifyAudit(held), calls.AuditVerified)
    note("the audit log is whole")
    asked.record({"size": proved.size, "root": proved.root, "checkpoints": proved.checkpoints})


@audit.command()
@pass_asked
def checkpoint(asked: Asked) -> None:
    """Sign the log's present state; keep the text elsewhere, and nobody can rewrite what came before."""
    made = asked.change(calls.MakeCheckpoint(), calls.Checkpoint)
    if asked.output is Output.TABLE:
        write(made.text)
    else:
        asked.record({"size": made.size, "root": made.root, "text": made.text})


def entry_of(row: calls.AuditRow) -> dict[str, Plain]:
    """Lay an entry out as a row; ``entry`` keeps the exact text that was hashed."""
    fields = {str(name): to_plain(value) for name, value in dict(json.loads(row.entry)).items()}
    return {**fields, "index": row.index, "entry": row.entry}
