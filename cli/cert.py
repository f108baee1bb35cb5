"""Certificates of stations and others: issue, look up, revoke, put on hold and release; ``verify`` and ``lint`` judge
anybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.asked import Asked, one, pass_asked
from cli.enrolment import approve, deny, pending
from cli.files import free_to_write, read_text, write_out
from cli.lint import lint
from cli.reissue import reissue
from cli.render import Output, note, row_of, write
from cli.verify import verify
from cli.words import CERTIFICATE_SERIAL, IDENTITY, SPAN
from pki.edge import calls
from pki.errors import BollardError, InputError, PartialError
from pki.names import StationIdentity
from pki.station import CertificateStatus

if TYPE_CHECKING:
    import datetime as dt

    from pki.names import CertificateSerial

FIELDS = (
    "serial",
    "subject",
    "issuer",
    "not_before",
    "not_after",
    "status",
    "reason",
    "revoked_at",
    "station",
    "purpose",
    "issuer_key_id",
)
SUPERSEDED = "superseded"  # RFC 5280 5.3.1
COLUMNS = ("serial", "status", "station", "purpose", "not_after", "subject")


@click.group()
def cert() -> None:
    """Issue, list, revoke, hold, release and verify certificates."""


cert.add_command(verify)
cert.add_command(lint)


for command in (pending, approve, deny):
    cert.add_command(command)


@cert.command()
@click.option("--station", type=IDENTITY, help="Identity of the station it is for.")
@click.option("--csr", required=True, help="File with the PEM request; - reads the input.")
@click.option(
    "--certificate-profile", "profile", default="station", help="What it is to be; see 'bollard ca profiles'."
)
@click.option("--seccid", default="", help="For v2g-secc-...: the SECCID, which must be the request's common name.")
@click.option("--name", default="", help="For operator, and firmware-signer if you like: the request's common name.")
@click.option("--vendor", default="", help="For firmware-signer: the manufacturer it signs for.")
@click.option(
    "--days", type=click.IntRange(1, 36500), help="Days it is valid; the certificate profile says how many else."
)
@click.option("--out", help="File for the PEM chain, in place of stdout.")
@click.option("--supersede", is_flag=True, help="Revoke the station's older certificates at once, not after a while.")
@pass_asked
def issue(
    asked: Asked,
    /,
    station: StationIdentity | None,
    csr: str,
    days: int | None,
    out: str | None,
    *,
    supersede: bool,
    **words: str,
) -> None:
    """Issue a certificate for a CSR and print its PEM chain: for a station unless a profile is named."""
    call = calls.IssueCertificate(str(station or ""), _request(csr), days or 0, **_names(words))
    _issue(asked, call, out, supersede=supersede)


@cert.command()
@click.option("--station", type=IDENTITY, required=True, help="Identity of the station it is for.")
@click.option("--csr", required=True, help="File with the station's new PEM request; - reads the input.")
@click.option(
    "--days", type=click.IntRange(1, 36500), help="Days it is valid; the certificate profile says how many else."
)
@click.option("--out", help="File for the PEM chain, in place of stdout.")
@click.option("--supersede", is_flag=True, help="Revoke the station's older certificates at once, not after a while.")
@pass_asked
def renew(
    asked: Asked, station: StationIdentity, csr: str, days: int | None, out: str | None, *, supersede: bool
) -> None:
    """Issue the successor of a station's certificate; the former is revoked once the new one was in use for a while."""
    _valid_of(asked, station)
    _issue(asked, calls.IssueCertificate(str(station), _request(csr), days or 0), out, supersede=supersede)


def _request(csr: str) -> str:
    """Read a request, so that a wrong file is told before anything is asked."""
    from pki.request import read_request

    text = read_text(csr)
    read_request(text)
    return text


def _issue(asked: Asked, call: calls.IssueCertificate, out: str | None, *, supersede: bool) -> None:
    path = free_to_write(out, replace=asked.yes) if out else None
    if supersede and not call.station:
        raise InputError("usage", "only a station's older certificates are superseded", "Name it with --station.")
    issued = asked.change(call, calls.CertificateIssued)
    if supersede:
        former = _valid_of(asked, StationIdentity.parse(call.station))
        gone = [each for each in former if each != issued.certificate.serial]
        _revoke_each(asked, [calls.RevokeCertificate(each, SUPERSEDED) for each in gone])
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
@click.option("--purpose", default="", help="Only those for this: station, csms, v2g-secc-2, firmware-signer ...")
@click.option(
    "--expiring",
    type=SPAN,
    help="Only valid ones that end within this time, for example 30d; with --status, those in that state.",
)
@pass_asked
def list_(
    asked: Asked, station: StationIdentity | None, status: str | None, purpose: str, expiring: dt.timedelta | None
) -> None:
    """List certificates, soonest expiry first."""
    from pki.edge.clock import now

    before = now() + expiring if expiring else None
    call = calls.ListCertificates(str(station or ""), status or "", expiring_before=before, purpose=purpose)
    found = asked.ask(call, calls.Certificates).certificates
    asked.rows("certificates", [row_of(each, FIELDS) for each in found], COLUMNS)


@cert.command()
@click.argument("serial", type=CERTIFICATE_SERIAL)
@click.option("--pem", is_flag=True, help="Print the certificate itself, in PEM.")
@click.option("--out", help="File for the certificate in PEM.")
@pass_asked
def show(asked: Asked, serial: CertificateSerial, out: str | None, *, pem: bool) -> None:
    """Show one certificate."""
    if pem or out:
        return _show_text(asked, serial, out)
    found = asked.ask(calls.ListCertificates(serial=str(serial)), calls.Certificates).certificates
    return asked.record(row_of(one(found, "certificate.unknown", "certificate", str(serial)), FIELDS))


@cert.command()
@click.argument("serial", type=CERTIFICATE_SERIAL, required=False)
@click.option("--station", type=IDENTITY, help="Revoke every valid certificate of this station instead.")
@click.option(
    "--reason",
    default="unspecified",
    help="Why, in the words of RFC 5280 5.3.1, for example key_compromise, which may later replace another reason; "
    "'hold' can be lifted again.",
)
@click.option("--authority", is_flag=True, help="It may be one of our own CAs in use: nothing below it counts then.")
@pass_asked
def revoke(
    asked: Asked, serial: CertificateSerial | None, station: StationIdentity | None, reason: str, *, authority: bool
) -> None:
    """Revoke a certificate; a session that rests on it ends within a second."""
    from pki.revocation import Reason

    why = Reason.parse(reason)
    asked.confirm(f"{'Put on hold' if why.is_hold else 'Revoke for good'}: {serial or station}?")
    serials = [str(serial)] if serial else _valid_of(asked, station)
    if asked.dry_run:
        judged = all(asked.rehearse(calls.RevokeCertificate(each, why.value, authority)) for each in serials)
        asked.would({"call": "RevokeCertificate", "serials": [*serials], "reason": why.value}, judged=judged)
    indexes = _revoke_each(asked, [calls.RevokeCertificate(each, why.value, authority) for each in serials])
    asked.done(indexes[-1], {"held" if why.is_hold else "revoked": [*serials]})


@cert.command()
@click.argument("serial", type=CERTIFICATE_SERIAL)
@pass_asked
def release(asked: Asked, serial: CertificateSerial) -> None:
    """Lift the hold on a certificate: it is valid again."""
    done = asked.change(calls.ReleaseCertificate(str(serial)), calls.Done)
    asked.done(done.audit_index, {"released": str(serial)})


cert.add_command(reissue)


def _names(words: dict[str, str]) -> dict[str, str]:
    """A SECCID is the name of what it stands in; both at once would be two."""
    if words["seccid"] and words["name"]:
        raise InputError("usage", "a SECCID and another name were given", "Give one of them.")
    return {"profile": words["profile"], "name": words["seccid"] or words["name"], "vendor": words["vendor"]}


def _show_text(asked: Asked, serial: CertificateSerial, out: str | None) -> None:
    path = free_to_write(out, replace=asked.yes) if out else None
    found = asked.ask(calls.FetchCertificate(str(serial)), calls.CertificateText)
    if path:
        write_out(path, found.pem, replace=asked.yes)
    elif asked.output is Output.TABLE:
        write(found.pem)
    if path or asked.output is not Output.TABLE:
        asked.record({**row_of(found.certificate, FIELDS), "pem": found.pem})


def _valid_of(asked: Asked, station: StationIdentity | None) -> list[str]:
    if station is None:
        raise InputError("usage", "neither a serial nor a station was given", "Name a serial, or --station IDENTITY.")
    call = calls.ListCertificates(str(station), CertificateStatus.VALID.value)
    found = asked.ask(call, calls.Certificates).certificates
    if not found:
        one(found, "certificate.unknown", "valid certificate of", str(station))
    return [each.serial for each in found]


def _revoke_each(asked: Asked, each: list[calls.RevokeCertificate]) -> list[int]:
    """Revoke one after the other; when one fails after others were done, say which."""
    indexes: list[int] = []
    for call in each:
        try:
            indexes.append(asked.change(call, calls.Done).audit_index)
        except BollardError as failed:
            if not indexes:
                raise
            done = ", ".join(before.serial for before in each[: len(indexes)])
            says = f"revoked {done}; stopped at {call.serial}: {failed.cause}"
            raise PartialError("revoke.partial", says, failed.advice) from failed
    return indexes


def _tell_issued(asked: Asked, issued: calls.CertificateIssued) -> None:
    record = row_of(issued.certificate, FIELDS)
    note(f"issued {issued.certificate.serial}, valid until {record['not_after']}")
    if asked.output is Output.TABLE:
        return asked.done(issued.audit_index, findings=issued.findings)
    return asked.done(issued.audit_index, {"certificate": {**record}, "chain": issued.chain}, issued.findings)
