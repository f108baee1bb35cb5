"""Re-issues the certificates of many stations in one run, each for the key it has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from cli.asked import Asked, pass_asked
from cli.files import free_to_write
from cli.progress import counting
from cli.render import note
from cli.words import IDENTITY, SPAN
from pki.edge import calls
from pki.errors import BollardError, PartialError
from pki.findings import error
from pki.station import CertificateStatus

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import TextIO

    from pki.names import StationIdentity


@click.command()
@click.option("--out", required=True, help="New file for the chains: one JSON object a line, as they are issued.")
@click.option("--station", type=IDENTITY, help="Only this station; all of them else.")
@click.option("--expiring", type=SPAN, help="Only where the newest certificate ends within this time, for example 60d.")
@click.option("--not-by", help="Only where another authority than this one signed; NAME as 'ca list' prints it.")
@pass_asked
def reissue(
    asked: Asked, out: str, station: StationIdentity | None, expiring: dt.timedelta | None, not_by: str | None
) -> None:
    """Re-issue station certificates from the authority in use, each for the key it has.

    Every station gets a successor of its newest valid certificate. The former ones stay valid.
    """
    path = free_to_write(out, replace=asked.yes)
    serials = [row.serial for row in _due(_newest(_valid(asked, station)), expiring, _key_of(asked, not_by))]
    if asked.dry_run:
        asked.would({"call": "ReissueCertificate", "certificates": len(serials), "out": out})
    _reissue(asked, serials, path)
    note(f"re-issued {len(serials)} certificates; their chains are in {path.name}")
    asked.record({"reissued": len(serials), "out": str(path)})


def _valid(asked: Asked, station: StationIdentity | None) -> tuple[calls.CertificateRow, ...]:
    call = calls.ListCertificates(str(station or ""), CertificateStatus.VALID.value)
    return asked.ask(call, calls.Certificates).certificates


def _newest(rows: Iterable[calls.CertificateRow]) -> list[calls.CertificateRow]:
    """Keep each station's certificate that ends last."""
    return list({row.station: row for row in sorted(rows, key=lambda row: row.not_after) if row.station}.values())


def _due(
    rows: Iterable[calls.CertificateRow], expiring: dt.timedelta | None, but_by: bytes
) -> Iterable[calls.CertificateRow]:
    from pki.edge.clock import now

    before = now() + expiring if expiring else None
    return [row for row in rows if (not before or row.not_after < before) and row.issuer_key_id != but_by]


def _key_of(asked: Asked, name: str | None) -> bytes:
    from cli.asked import one

    if name is None:
        return b""
    found = asked.ask(calls.ListIssuers(), calls.Issuers).issuers
    return one([each for each in found if each.name == name], "ca.unknown", "CA", name).key_id


def _reissue(asked: Asked, serials: list[str], path: Path) -> None:
    from pki.edge.asking import ask_many

    refused: list[BollardError] = []
    with path.open("w" if asked.yes else "x", encoding="utf-8") as file, counting("re-issuing", len(serials)) as count:
        questions = [calls.ReissueCertificate(serial) for serial in serials]
        ask_many(asked.home(), questions, calls.CertificateIssued, _taker(file, count, refused))
    if refused:
        raise PartialError(
            "reissue.partial",
            f"{len(refused)} of {len(serials)} were refused",
            f"The others are in {path.name}; the refused stations need a request.",
            findings=tuple(error(each.code, "", each.cause) for each in refused),
        )


def _taker(
    file: TextIO, count: Callable[[], None], refused: list[BollardError]
) -> Callable[[calls.Call, calls.CertificateIssued | BollardError], None]:
    """Write each chain as it comes, and remember who got none."""

    def take(_: calls.Call, said: calls.CertificateIssued | BollardError) -> None:
        if isinstance(said, BollardError):
            refused.append(said)
        else:
            row = said.certificate
            file.write(json.dumps({"station": row.station, "serial": row.serial, "chain": said.chain}) + "\n")
        count()

    return take
