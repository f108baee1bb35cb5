"""Writes the audit log into one file, and reads such a file back, page by page and line by line."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from pki import export, proof
from pki.checkpoint import open_checkpoint, read_public_key
from pki.edge import calls
from pki.edge.whole import written
from pki.errors import InputError
from pki.witness import broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from pki.edge.asking import Ask

PAGE: Final = 1_000  # entries or checkpoints asked for at once, as many as the authority gives


def write_export(
    ask: Ask, path: Path, first: int, *, replace: bool, tell: Callable[[int, int], None] = lambda _done, _all: None
) -> calls.AuditDescribed:
    """Write the log from entry ``first`` on to ``path``; ``tell`` hears how many entries of how many are written."""
    described = ask(calls.DescribeAudit(first), calls.AuditDescribed)
    with written(path, replace=replace) as (out, _):
        out.write(export.write_line(_header(described)))
        _write_entries(ask, out, described, tell)
        _write_checkpoints(ask, out, described)
    return described


def lines_of(path: Path) -> export.Lines:
    """Return what opens an export's lines; ``InputError("audit.export")`` for a line longer than any of ours."""
    return lambda: _lines(path)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(export.LINE_BYTES):
            if not line.endswith(b"\n"):
                raise InputError(
                    "audit.export", "a line of the file is cut off or endless", "Give it as it was written."
                )
            yield line[:-1]


def prove_from(path: Path, call: calls.ProveEntry | calls.ProveGrowth) -> str:
    """Make from an export the proof that the authority would make: JSON text, checked before it is handed out."""
    lines = lines_of(path)
    header = export.read_header(lines)
    signed = partial(_signed, lines, header)
    try:
        if isinstance(call, calls.ProveEntry):
            made: proof.Proof = _prove_entry(lines, header, signed(call.checkpoint), call.index)
        else:
            leaves = export.leaves(lines, header)
            older, newer = signed(call.older), signed(call.newer)
            made = proof.prove_growth(header.origin, header.public_key, older, newer, leaves)
    except ValueError as problem:
        raise broken(str(problem)) from None
    made.check(read_public_key(header.public_key))
    return proof.write_proof(made)


def _prove_entry(lines: export.Lines, header: export.Header, signed: tuple[str, int], index: int) -> proof.Inclusion:
    leaves = export.leaves(lines, header)
    entry = next(islice(export.entries(lines, header), index, None), b"").decode(errors="replace")
    return proof.prove_entry(header.origin, header.public_key, *signed, (index, entry), leaves)


def _signed(lines: export.Lines, header: export.Header, text: str) -> tuple[str, int]:
    """Open a checkpoint over the export's log; without one, take its newest."""
    chosen = text or next(iter(export.checkpoints(lines, header)[-1:]), "")
    return chosen, open_checkpoint(chosen, header.origin, read_public_key(header.public_key))[0]


def _header(described: calls.AuditDescribed) -> export.Header:
    return export.Header(
        origin=described.origin,
        public_key=described.public_key,
        first=described.first,
        size=described.size,
        checkpoints=described.checkpoints,
        frontier=tuple(each.hex() for each in described.frontier),
    )


def _write_entries(ask: Ask, out: BinaryIO, described: calls.AuditDescribed, tell: Callable[[int, int], None]) -> None:
    tell(0, described.size - described.first)
    for start in range(described.first, described.size, PAGE):
        page = ask(calls.ListAudit(start, min(PAGE, described.size - start)), calls.AuditRows)
        out.writelines(row.entry.encode() + b"\n" for row in page.rows)
        tell(start + len(page.rows) - described.first, described.size - described.first)


def _write_checkpoints(ask: Ask, out: BinaryIO, described: calls.AuditDescribed) -> None:
    for start in range(0, described.checkpoints, PAGE):
        limit = min(PAGE, described.checkpoints - start)
        page = ask(calls.ListCheckpoints(described.first, start, limit), calls.Checkpoints)
        out.writelines(export.write_line(export.Sealed(each.text)) for each in page.checkpoints)
