"""How answers look: a table for people, JSON, JSON lines or CSV for programs.

Rules: JSON carries ``schema_version``; names and values are the same in all four forms (save that in CSV an apostrophe
stands before what a spreadsheet would run as a formula); nothing that a station, a file
or a certificate says can move the cursor or recolour a terminal; colour appears on a terminal alone and never with
NO_COLOR.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from pki.findings import without_reasons

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pki.errors import BollardError
    from pki.findings import Finding

SCHEMA_VERSION: Final = 1  # of every JSON object we print; grows when a field changes its meaning or goes away
_FORMULA: Final = ("=", "+", "-", "@")
_HARMLESS: Final = re.compile(r"[A-Za-z0-9*\-_=+|@. /#]*")  # identities and serials, pki/names.py
TABLE_WIDTH: Final = 200  # columns of a table that is not printed on a terminal

Plain: TypeAlias = "str | int | float | bool | list[Plain] | dict[str, Plain] | None"
"""What JSON can say."""


class Output(StrEnum):
    """The forms of data on stdout."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


def show_rows(output: Output, noun: str, rows: Sequence[Mapping[str, Plain]], columns: Sequence[str]) -> None:
    """Print many things of one kind; ``columns`` are what a table has room for and CSV's columns."""
    match output:
        case Output.JSON:
            _print(_json({"schema_version": SCHEMA_VERSION, noun: [dict(row) for row in rows]}, indent=2))
        case Output.JSONL:
            show_lines(rows)
        case Output.CSV:
            show_csv_lines(rows, columns)
        case Output.TABLE:
            _table(rows, columns)


def show_lines(rows: Iterable[Mapping[str, Plain]]) -> None:
    """Print one JSON object a line, each as soon as it comes."""
    for row in rows:
        _print(_json({"schema_version": SCHEMA_VERSION, **row}))


def show_csv_lines(rows: Iterable[Mapping[str, Plain]], columns: Sequence[str]) -> None:
    """Print a line of columns, and then a line for each row as soon as it comes."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    sys.stdout.flush()
    for row in rows:
        writer.writerow([_csv_cell(row.get(name)) for name in columns])
        sys.stdout.flush()


def show_record(output: Output, record: Mapping[str, Plain]) -> None:
    """Print one thing."""
    match output:
        case Output.JSON:
            _print(_json({"schema_version": SCHEMA_VERSION, **record}, indent=2))
        case Output.JSONL:
            show_lines([record])
        case Output.CSV:
            show_csv_lines([record], list(record))
        case Output.TABLE:
            lines = dict(_lines(record))
            width = max(map(len, lines), default=0)
            for name, value in lines.items():
                _print(f"{name.replace('_', ' '):<{width}}  {cell(value)}")


def tell_error(error: BollardError, output: Output, exit_code: int) -> None:
    """Say on stderr what went wrong and what to do next."""
    findings = [finding_row(finding) for finding in error.findings]
    if output in {Output.JSON, Output.JSONL}:
        facts = {"code": error.code, "cause": error.cause, "advice": error.advice, "findings": findings}
        return note(_json({"schema_version": SCHEMA_VERSION, "error": facts, "exit_code": exit_code}), plain=True)
    note(f"error[{error.code}]: {without_reasons(error.cause, error.findings)}")
    note_findings(error.findings)
    if error.advice:
        note(f"next: {error.advice}")
    return None


def finding_row(finding: Finding) -> dict[str, Plain]:
    """Write a finding as a row."""
    return {"code": finding.code, "severity": str(finding.severity), "clause": finding.clause, "says": finding.says}


def note_findings(findings: Iterable[Finding]) -> None:
    """Say findings to the person, each on a line, with the clause, once."""
    for found in findings:
        clause = f" ({found.clause})" if found.clause and not found.says.endswith(f"({found.clause})") else ""
        note(f"  {found.severity}[{found.code}] {found.says}{clause}")


def note(text: str, *, plain: bool = False) -> None:
    """Say something to the person, on stderr. ``plain`` text is printed as it stands."""
    print(text if plain else clean(text), file=sys.stderr, flush=True)


def write(text: str) -> None:
    """Print data that is a document of its own (a certificate, a password) on stdout."""
    _print(text.rstrip("\n"))


def to_plain(value: object) -> Plain:
    """Turn a value of an answer into what JSON can say: times in RFC 3339, bytes in hex."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return str(value)
        case bytes():
            return value.hex()
        case dt.datetime():
            return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case dict():
            return {str(name): to_plain(inner) for name, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [to_plain(inner) for inner in value]
        case msgspec.Struct():
            return to_plain(msgspec.structs.asdict(value))
        case _:
            return str(value)


def to_span(span: dt.timedelta) -> str:
    """Write a length of time as people give it to us: ``365d``, ``20h``."""
    hours = int(span.total_seconds()) // 3600
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"


def row_of(struct: msgspec.Struct, fields: Sequence[str]) -> dict[str, Plain]:
    """Pick an answer's fields, in this order."""
    return {name: to_plain(getattr(struct, name)) for name in fields}


def clean(text: str) -> str:
    """Escape what could act on a terminal: control characters, and invisible ones that reorder or hide text."""
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)


def cell(value: Plain) -> str:
    """Write one value for a table or CSV, on one line."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case dict() | list():
            return _json(value)
        case _:
            return clean(str(value)).replace("\n", "\\n").replace("\t", "\\t")


def to_line(row: Mapping[str, Plain], columns: Sequence[str]) -> str:
    """Write a row as one line of text, for what is printed as it happens."""
    return "  ".join(cell(row.get(name)) for name in columns)


def _lines(record: Mapping[str, Plain]) -> Iterator[tuple[str, Plain]]:
    """Name what a table gives a line of its own: each field, and each part of a field that has parts."""
    for name, value in record.items():
        if isinstance(value, dict) and value:
            yield from ((f"{name} {clean(part)}", inner) for part, inner in value.items())
        else:
            yield name, value


def _table(rows: Sequence[Mapping[str, Plain]], columns: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else TABLE_WIDTH, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row.get(name))) for name in columns))
    console.print(table)


def _csv_cell(value: Plain) -> str:
    """Write a value so that no spreadsheet takes it for a formula.

    Identities and serials may begin like one, yet their characters can call nothing: they stay as they are.
    """
    text = cell(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _HARMLESS.fullmatch(text) else text


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent)  # ASCII alone, so that nothing in it can act on a terminal


def _print(text: str) -> None:
    print(text, file=sys.stdout, flush=True)
