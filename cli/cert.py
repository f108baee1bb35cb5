"""Certificates of stations: issue, look up, revoke; ``verify``, in a file of its own, judges anybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.asked import Asked, one, pass_asked
from cli.files import free_to_write, read_text, write_out
from cli.reissue import reissue
from cli.render import Output, note, row_of, write
from cli.verify import verify
from cli.words import CERTIFICATE_SERIAL, IDENTITY, SPAN
from pki.edge import calls
from pki.errors import BollardError, InputError, PartialError
from pki.station import CertificateStatus

if TYPE_CHECKING:
    import datetime as dt

    from pki.names import CertificateSerial, StationIdentity

FIELDS = ("serial", "subject", "issuer", "not_before", "not_after", "status", "station", "purpose", "issuer_key_id")
COLUMNS = ("serial", "status", "station", "purpose", "not_after", "subject")


@click.group()
def cert() -> None:
    """Issue, list, revoke and verify certificates."""


cert.add_command(verify)


@cert.command()
@click.option("--station", type=IDENTITY, required=True, help="Identity of the station it is for.")
@click.option("--csr", required=True, help="File with the station's PEM request; - reads the input.")
@click.option(
    "--days", type=click.IntRange(1, 36500), help="Days it is valid; the certificate profile says how many else."
)
@click.option("--out", help="File for the PEM chain, in place of stdout.")
@pass_asked
def issue(asked: Asked, station: StationIdentity, csr: str, days: int | None, out: str | None) -> None:
    """Issue a station certificate for a CSR and print its PEM chain."""
    from pki.request import read_request

    path = free_to_write(out, replace=asked.yes) if out else None
    text = read_text(csr)
    read_request(text)
    issued = asked.change(calls.IssueCertificate(str(station), text, days or 0), calls.CertificateIssued)
    if path:
        write_out(path, issued.chain, replace=asked.yes)
    elif asked.output is Output.TABLE:
        write(issued.chain)
    _tell_issued(asked, issued)


@cert.command("list")
@click.option("--station", type=IDENTITY, help="Only those of this station.")
@click.option(
    "--status", type=click.Choice([state.value for state in CertificateStatus]), help="Only those in this state."
)
@click.option(
    "--expiring",
    type=SPAN,
    help="Only valid ones that end within this time, for example 30d; with --status, those in that state.",
)
@pass_asked
def list_(asked: Asked, station: StationIdentity | None, status: str | None, expiring: dt.timedelta | None) -> None:
    """List certificates, soonest expiry first."""
    from pki.edge.clock import now

    before = now() + expiring if expiring else None
    call = calls.ListCertificates(str(station or ""), status or "", expiring_before=before)
    found = asked.ask(call, calls.Certificates).certificates
    asked.rows("certificates", [row_of(each, FIELDS) for each in found], COLUMNS)


@cert.command()
@click.argument("serial", type=CERTIFICATE_SERIAL)
@pass_asked
def show(asked: Asked, serial: CertificateSerial) -> None:
    """Show one certificate."""
    found = asked.ask(calls.ListCertificates(serial=str(serial)), calls.Certificates).certificates
    asked.record(row_of(one(found, "certificate.unknown", "certificate", str(serial)), FIELDS))


@cert.command()
@click.argument("serial", type=CERTIFICATE_SERIAL, required=False)
@click.option("--station", type=IDENTITY, help="Revoke every valid certificate of this station instead.")
@click.option(
    "--reason", default="unspecified", help="Why, in the words of RFC 5280 5.3.1, for example key_compromise."
)
@pass_asked
def revoke(asked: Asked, serial: CertificateSerial | None, station: StationIdentity | None, reason: str) -> None:
    """Revoke a certificate; a session that rests on it ends within a second."""
    from pki.revocation import Reason

    why = Reason.parse(reason)
    asked.confirm(f"Revoke for good: {serial or station}?")
    serials = [str(serial)] if serial else _valid_of(asked, station)
    if asked.dry_run:
        asked.would({"call": "RevokeCertificate", "serials": [*serials], "reason": why.value})
    indexes = _revoke_each(asked, serials, why.value)
    asked.done(indexes[-1], {"revoked": [*serials]})


cert.add_command(reissue)


def _valid_of(asked: Asked, station: StationIdentity | None) -> list[str]:
    if station is None:
        raise InputError("usage", "neither a serial nor a station was given", "Name a serial, or --station IDENTITY.")
    call = calls.ListCertificates(str(station), CertificateStatus.VALID.value)
    found = asked.ask(call, calls.Certificates).certificates
    if not found:
        one(found, "certificate.unknown", "valid certificate of", str(station))
    return [each.serial for each in found]


def _revoke_each(asked: Asked, serials: list[str], reason: str) -> list[int]:
    """Revoke one after the other; when one fails after others were done, say which."""
    indexes: list[int] = []
    for serial in serials:
        try:
            indexes.append(asked.change(calls.RevokeCertificate(serial, reason), calls.Done).audit_index)
        except BollardError as failed:
            if not indexes:
                raise
            says = f"revoked {', '.join(serials[: len(indexes)])}; stopped at {serial}: {failed.cause}"
            raise PartialError("revoke.partial", says, failed.advice) from failed
    return indexes


def _tell_issued(asked: Asked, issued: calls.CertificateIssued) -> None:
    record = row_of(issued.certificate, FIELDS)
    note(f"issued {issued.certificate.serial}, valid until {record['not_after']}")
    if asked.output is Output.TABLE:
        return asked.done(issued.audit_index)
    return asked.done(issued.audit_index, {"certificate": {**record}, "chain": issued.chain})
