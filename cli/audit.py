"""The audit log: everything that was done, and the proof that nothing in it was altered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from cli.asked import Asked, pass_asked
from cli.evidence import check_proof, verify_file
from cli.files import existing, free_to_write, read_given, read_text, write_out
from cli.progress import measuring
from cli.render import Output, Plain, note, to_plain, write
from pki.edge import calls
from pki.edge.exporting import prove_from, write_export
from pki.errors import InputError

if TYPE_CHECKING:
    from typing import TypedDict, Unpack

    class Evidence(TypedDict):
        """What ``verify`` may be asked to look at in place of the home."""

        checkpoint: tuple[str, ...]
        export: str | None
        proof: str | None
        key: str | None


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
@click.option("--checkpoint", multiple=True, help="File with a checkpoint that was kept elsewhere, to be compared too.")
@click.option("--export", help="Verify this export of a log; no home is needed.")
@click.option("--proof", help="Verify this proof, as 'audit prove' wrote it; no home is needed.")
@click.option("--key", help="With --export or --proof: the log's public key (ca/audit.pub.pem), had from elsewhere.")
@pass_asked
def verify(asked: Asked, /, **given: Unpack[Evidence]) -> None:
    """Recompute the log, compare it with every signed checkpoint, and every row of the ledger with the log."""
    held = [read_text(name) for name in given["checkpoint"]]
    if given["proof"] is not None:
        return asked.record(check_proof(given["proof"], given["key"]))
    if given["export"] is not None:
        return asked.record(verify_file(given["export"], given["key"], held))
    for text in held[1:]:
        asked.ask(calls.ProveGrowth(text), calls.AuditProof)
    proved = asked.ask(calls.VerifyAudit("".join(held[:1])), calls.AuditVerified)
    return _tell_verified(asked, proved)


@audit.command()
@click.argument("index", type=click.IntRange(0), required=False)
@click.option("--checkpoint", help="With INDEX: prove it under this checkpoint; under one signed now else.")
@click.option("--from", "older", help="Prove that the log only grew since this checkpoint ...")
@click.option("--to", "newer", help="... up to this one; up to one signed now else.")
@click.option("--export", help="Make the proof from this export; no home is needed.")
@click.option("--out", help="File for the proof, in place of stdout.")
@pass_asked
def prove(asked: Asked, /, index: int | None, export: str | None, out: str | None, **given: str | None) -> None:
    """Prove that entry INDEX is in the log, or that the log only grew, in a text that anybody can check."""
    if (index is None) == (given["older"] is None):
        raise InputError("usage", "neither an entry nor a checkpoint was given, or both", "Give INDEX, or --from FILE.")
    checkpoint, older, newer = (read_given(given[name]) for name in ("checkpoint", "older", "newer"))
    path = free_to_write(out, replace=asked.yes) if out is not None else None
    call = calls.ProveGrowth(older, newer) if index is None else calls.ProveEntry(index, checkpoint)
    text = prove_from(existing(export), call) if export is not None else asked.ask(call, calls.AuditProof).text
    if path:
        write_out(path, text, replace=asked.yes)
    else:
        write(text)


@audit.command()
@click.option("--out", required=True, help="File for the export.")
@click.option("--first", type=click.IntRange(0), default=0, help="Begin with this entry.")
@pass_asked
def export(asked: Asked, out: str, first: int) -> None:
    """Write the log with its checkpoints into one file, from which others can verify it without the home."""
    from pki.edge.asking import conversation

    path = free_to_write(out, replace=asked.yes)
    if asked.dry_run:
        asked.would({"call": "export", "out": str(path), "first": first})
    with conversation(asked.home()) as ask, measuring("entries") as tell:
        told = write_export(ask, path, first, replace=asked.yes, tell=tell)
    asked.record({"out": out, "first": first, "size": told.size, "checkpoints": told.checkpoints})


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


def _tell_verified(asked: Asked, proved: calls.AuditVerified) -> None:
    note("the audit log is whole, and the ledger's tables follow from it")
    if proved.rows_in_part:
        note(f"of {proved.rows} rows, {proved.rows_in_part} were recorded by an older version and are proved in part")
    asked.record(
        {
            "size": proved.size,
            "root": proved.root,
            "checkpoints": proved.checkpoints,
            "rows": proved.rows,
            "rows_in_part": proved.rows_in_part,
        }
    )
