"""What is wrong with a certificate or a request, said before anybody relies on it; no home is needed."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import click

from cli.asked import Asked, pass_asked
from cli.files import read_bytes
from cli.render import Output, Plain, cell, note, write
from pki.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pki.lint_file import Linted


@click.command()
@click.argument("file")
@click.option("--purpose", default="", help="What it is for: station, csms, issuing, v2g-secc ...; guessed else.")
@click.option("--edition", metavar="2|20", default="", help="For V2G: the edition of ISO 15118.")
@pass_asked
def lint(asked: Asked, file: str, purpose: str, edition: str) -> None:
    """Find everything wrong with the certificates or requests in FILE (PEM or DER); exits 5 on any error."""
    from pki.edge.clock import now
    from pki.likely_purpose import parse_purpose
    from pki.lint_file import FILE_BYTES, lint_file

    wanted = parse_purpose(purpose, edition) if purpose else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's remarks on what the rules find themselves, and say better
        found = lint_file(read_bytes(file, FILE_BYTES), wanted, now())
    _show(asked, found)
    if bad := [each for each in found if not each.is_sound]:
        says = f"{len(bad)} of {len(found)} in {file[:200]!r} have errors"
        raise RefusedError("lint.found", says, "'bollard explain CODE' says what each finding means.")


def _show(asked: Asked, found: Sequence[Linted]) -> None:
    if asked.output is not Output.TABLE:
        return asked.rows("papers", [_row(each) for each in found], ("kind", "subject", "purpose", "sound"))
    for each in found:
        guess = ", as it seems" if each.guessed else ""
        note(f"{each.kind} of {cell(each.subject) or 'nobody'}: for {each.purpose}{guess}")
        for finding in each.findings:
            clause = f" ({finding.clause})" if finding.clause else ""
            write(f"{finding.severity}[{finding.code}] {finding.says}{clause}")
    return None


def _row(linted: Linted) -> dict[str, Plain]:
    findings: list[Plain] = [
        {"code": each.code, "severity": each.severity.value, "clause": each.clause, "says": each.says}
        for each in linted.findings
    ]
    return {
        "kind": linted.kind,
        "subject": linted.subject,
        "serial": linted.serial,
        "purpose": linted.purpose.value,
        "guessed": linted.guessed,
        "sound": linted.is_sound,
        "findings": findings,
    }
