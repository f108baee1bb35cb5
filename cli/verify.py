"""Any certificate, held against the roots one trusts: a judgement on files, which needs neither home nor authority.

The verdict is data and goes to stdout whether or not it is good: a script reads it there, and the exit code beside it.
"""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Final

import click

from cli.asked import Asked, pass_asked
from cli.files import read_bytes
from cli.render import Output, Plain, finding_row, note_findings, to_plain
from cli.words import NAME, TIME

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator

    from cryptography import x509

    from pki.findings import Finding
    from pki.server_name import ServerName

FILE_BYTES: Final = 64 * 1024 * 1024  # of one file; a revocation list of a million certificates has 50 MB
SUBJECT_LENGTH: Final = 1024  # characters of a subject that are shown; a stranger wrote it
PURPOSES: Final = click.Choice(["station", "csms", "firmware", "any"])


@click.command()
@click.argument("leaf")
@click.option("--anchor", "anchors", multiple=True, required=True, help="File with certificates to trust; repeatable.")
@click.option("--intermediate", "intermediates", multiple=True, help="File with certificates between; repeatable.")
@click.option("--crl", "crls", multiple=True, help="File with revocation lists; with any, every issuer's is due.")
@click.option("--at", type=TIME, help="Time it is judged at, as 2026-11-22T12:00:00Z or 2026-11-22; now by default.")
@click.option("--purpose", type=PURPOSES, default="any", show_default=True, help="What the certificate is to be for.")
@click.option("--name", type=NAME, help="DNS name or address it must be for.")
@pass_asked
def verify(
    asked: Asked,
    leaf: str,
    anchors: tuple[str, ...],
    intermediates: tuple[str, ...],
    crls: tuple[str, ...],
    at: dt.datetime | None,
    purpose: str,
    name: ServerName | None,
) -> None:
    """Judge a certificate, PEM or DER, by the roots one trusts; exits with 5 when no trust follows."""
    from pki.chain import ChainRefusedError
    from pki.edge.clock import now
    from pki.question import Purpose
    from pki.verification import Files, verify_files

    files = Files(_read(leaf), tuple(map(_read, anchors)), tuple(map(_read, intermediates)), tuple(map(_read, crls)))
    moment = at or now()
    asked_for: dict[str, Plain] = {"purpose": purpose, "at": to_plain(moment), "name": str(name or "")}
    try:
        with _quiet():
            chain = verify_files(files, Purpose(purpose), moment, name)
    except ChainRefusedError as refused:
        _tell(asked, {"accepted": False, **asked_for}, refused.path, refused.findings)
        raise
    _tell(asked, {"accepted": True, **asked_for}, chain.path, chain.findings)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep a library's warnings about strange values in certificates from people: the findings say what matters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _read(name: str) -> bytes:
    return read_bytes(name, FILE_BYTES)


def _tell(
    asked: Asked, verdict: dict[str, Plain], path: Iterable[x509.Certificate], findings: Iterable[Finding]
) -> None:
    """Print the verdict. A table has no room for findings: warnings go to stderr, as an error does with its own."""
    shown: list[Plain] = [_shown(certificate) for certificate in path]
    if asked.output is not Output.TABLE:
        told: list[Plain] = [finding_row(finding) for finding in findings]
        return asked.record({**verdict, "path": shown, "findings": told})
    asked.record({**verdict, "path": {str(place): each for place, each in enumerate(shown)}})
    if verdict["accepted"]:
        note_findings(findings)
    return None


def _shown(certificate: x509.Certificate) -> dict[str, Plain]:
    return {
        "subject": certificate.subject.rfc4514_string()[:SUBJECT_LENGTH],
        "serial": f"{certificate.serial_number:x}",
    }
