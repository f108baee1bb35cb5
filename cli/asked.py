"""What was asked before the noun: where the home is, how to print, and whether to change anything at all.

It carries a question to the authority and prints the answer. ``ask`` is for reading; ``change`` is for acts: with
``--dry-run`` the authority judges it up to the record, and the command says what would be asked and ends, so that no
command needs to think of it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

import click
import msgspec

from cli.render import Output, Plain, note, show_record, show_rows, to_plain
from pki.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pki.edge import calls
    from pki.edge.home import Home

T = TypeVar("T")
R = TypeVar("R", bound="calls.Row")

ROOT_HOME: Final = Path("/var/lib/bollard")  # where a service keeps its state, FHS 3.0 5.8
SECRETS: Final = frozenset({"password", "private_key"})  # fields of calls that a dry run must not print
FINDING: Final = ("code", "severity", "clause", "says")
LONG: Final = 200  # characters of one field that a dry run prints before it cuts


def default_home() -> Path:
    """Find the home when nobody names it."""
    return ROOT_HOME if os.geteuid() == 0 else Path.home() / ".local/share/bollard"


@dataclass(frozen=True, slots=True)
class Asked:
    """The choices made before the noun."""

    home_path: Path
    output: Output
    yes: bool
    dry_run: bool
    version: str = ""
    """Which Bollard this is, for what is written down."""

    def home(self) -> Home:
        """Open the home; ``InputError`` when there is none."""
        from pki.edge.home import Home

        return Home.at(self.home_path)

    def ask(self, call: calls.Call, answer: type[R]) -> R:
        """Ask the authority something that changes nothing."""
        from pki.edge.asking import ask_once

        return ask_once(self.home(), call, answer)

    def change(self, call: calls.Call, answer: type[R]) -> R:
        """Ask the authority to act, or to judge the act alone, and say what would be asked."""
        if self.dry_run:
            self.would(describe(call), judged=self.rehearse(call))
        return self.ask(call, answer)

    def rehearse(self, call: calls.Call) -> bool:
        """Have an act judged that is not to be done; False where only the authority's deed would tell."""
        from pki.edge import calls

        if not isinstance(call, calls.Rehearsable):
            return False
        self.ask(calls.Rehearse(call), calls.Rehearsed)
        return True

    def would(self, act: dict[str, Plain], *, judged: bool = False) -> NoReturn:
        """Say what would be done, and end the command. ``judged``: by all that the real one would be judged by."""
        how = "judged like the real one; it would do this:" if judged else "this would be asked:"
        note(f"dry run: nothing was changed; {how}")
        show_record(self.output, {"dry_run": True, "judged": judged, **act})
        raise click.exceptions.Exit(0)

    def rows(self, noun: str, rows: Sequence[dict[str, Plain]], columns: Sequence[str]) -> None:
        """Print many things of one kind."""
        show_rows(self.output, noun, rows, columns)

    def record(self, record: dict[str, Plain]) -> None:
        """Print one thing."""
        show_record(self.output, record)

    def done(
        self,
        audit_index: int,
        record: dict[str, Plain] | None = None,
        findings: Sequence[calls.FindingRow] | None = None,
    ) -> None:
        """Say where the act stands in the audit log, and what was noticed; on stderr for people, in the record for
        programs. ``None``: an act of a kind at which nothing is."""
        for code, severity, clause, says in findings or ():
            note(f"{severity}[{code}] {says}" + f" ({clause})" * bool(clause))
        note(f"recorded in the audit log at {audit_index}")
        shown = record or {}
        if findings is not None and self.output is not Output.TABLE:
            shown = {**shown, "findings": [dict(zip(FINDING, each, strict=True)) for each in findings]}
        show_record(self.output, shown if self.output is Output.TABLE else {**shown, "audit_index": audit_index})

    def confirm(self, question: str) -> None:
        """Ask back on a terminal; anywhere else, and with ``--yes`` or ``--dry-run``, go on."""
        if not (self.yes or self.dry_run) and sys.stdin.isatty() and sys.stderr.isatty():
            click.confirm(question, abort=True, err=True)


def one(found: Sequence[T], code: str, noun: str, name: str) -> T:
    """Take the one that was named; ``NotFoundError`` with this code when there is none."""
    if not found:
        command = code.partition(".")[0].replace("certificate", "cert")
        advice = f"'bollard {command} list' shows what there is."
        raise NotFoundError(code, f"there is no {noun} {name[:64]!r}", advice)
    return found[0]


def describe(call: calls.Call) -> dict[str, Plain]:
    """Write a call as a record: no secrets, long fields cut, empty ones left out."""
    fields = {name: to_plain(value) for name, value in msgspec.structs.asdict(call).items() if value}
    shown = {name: "..." if name in SECRETS else _cut(value) for name, value in fields.items()}
    return {"call": type(call).__name__, **shown}


def _cut(value: Plain) -> Plain:
    return f"{value[:LONG]}..." if isinstance(value, str) and len(value) > LONG else value


pass_asked = click.make_pass_decorator(Asked)
