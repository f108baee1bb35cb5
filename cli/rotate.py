"""Renewal: what is due, and doing of it whatever needs nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from cli.asked import Asked, pass_asked
from cli.render import Output, Plain, note, row_of
from cli.words import TIME
from pki.edge import calls
from pki.errors import PartialError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

DUE_FIELDS = ("when", "kind", "name", "not_after", "by", "clause", "says", "command", "needs_person")
DUE_COLUMNS = ("when", "kind", "name", "not_after", "by", "command")
RENEWED_FIELDS = ("kind", "name", "serial", "former", "not_after", "audit_index")


@click.command(
    epilog="Exit codes: 0 nothing is left for a person to do, 8 something is (the table names it and the command)."
)
@click.option("--plan", is_flag=True, help="Say what is due and by whom; renew nothing.")
@click.option("--at", type=TIME, help="Say what will be due then, for example 2027-01-31; renew nothing.")
@click.option(
    "--now", "at_once", type=click.Choice(["server", "ocsp"]), help="Renew this at once, due or not (a lost key)."
)
@pass_asked
def rotate(asked: Asked, *, plan: bool, at: dt.datetime | None, at_once: str | None) -> None:
    """Renew what is due and needs nobody else, keys each anew, and sign the lists that are due; say what is left."""
    if plan or at or asked.dry_run:
        return _show(asked, at)
    rotated = asked.change(calls.Rotate(at_once or ""), calls.Rotated)
    if asked.output is Output.TABLE:
        _tell(asked, rotated)
    else:
        renewed: list[Plain] = [row_of(each, RENEWED_FIELDS) for each in rotated.renewed]
        left: list[Plain] = [row_of(each, DUE_FIELDS) for each in rotated.left]
        asked.record({"renewed": renewed, "lists": rotated.lists, "left": left})
    return _refuse_left(rotated.left)


_BY: Final = {"alone": "renewed by itself", "operator": "renewed by you", "station": "renewed by the station"}


def due_next(rotation: calls.Rotation) -> str:
    """Say in one line what is due, or what comes first."""
    if not rotation.due:
        return _coming(rotation.next) if rotation.next else "nothing"
    first = rotation.due[0]
    more = f"; {len(rotation.due)} due in all" if len(rotation.due) > 1 else ""
    return f"{first.kind} {first.name}, due since {_when(first)}{more}"


def _coming(row: calls.DueRow) -> str:
    return f"{row.kind} {row.name}, due from {_when(row)}, {_BY.get(row.by, row.by)}"


def _when(row: calls.DueRow) -> Plain:
    return row_of(row, ("when",))["when"]


def _show(asked: Asked, at: dt.datetime | None) -> None:
    rotation = asked.ask(calls.ShowRotation(at), calls.Rotation)
    if not rotation.due:
        note("nothing is due")
    if rotation.next:
        note(f"next: {_coming(rotation.next)}")
    asked.rows("due", [row_of(each, DUE_FIELDS) for each in rotation.due], DUE_COLUMNS)


def _tell(asked: Asked, rotated: calls.Rotated) -> None:
    for each in rotated.renewed:
        note(f"renewed {each.kind} {each.name}; recorded in the audit log at {each.audit_index}")
        if each.former:
            note(f"  if its former key was lost: bollard cert revoke {each.former} --reason key_compromise")
    if rotated.lists:
        note(f"signed {rotated.lists} lists of revoked certificates")
    if not rotated.renewed and not rotated.lists:
        note("nothing was due that needs nobody else")
    asked.rows("left", [row_of(each, DUE_FIELDS) for each in rotated.left], DUE_COLUMNS)


def _refuse_left(left: Iterable[calls.DueRow]) -> None:
    waiting = [each for each in left if each.needs_person]
    if waiting:
        names = ", ".join(f"{each.kind} {each.name}" for each in waiting[:5])
        says = f"{len(waiting)} renewals wait for a person: {names[:300]}"
        raise PartialError("rotate.left", says, waiting[0].command)
