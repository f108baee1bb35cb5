"""Lists of revoked certificates: see them, sign them now, write them out for others to serve."""

from __future__ import annotations

import click

from cli.asked import Asked, pass_asked
from cli.files import free_to_write, write_bytes
from cli.render import note, row_of
from pki.edge import calls
from pki.errors import BollardError, PartialError

FIELDS = ("issuer", "shard", "number", "this_update", "next_update", "entries", "url")


@click.group()
def crl() -> None:
    """Show and publish the lists of revoked certificates."""


@crl.command()
@click.argument("issuer", default="")
@pass_asked
def show(asked: Asked, issuer: str) -> None:
    """Show the newest list of each shard of ISSUER, or of every CA of ours; shard -1 is a list of all."""
    found = asked.ask(calls.ListCrls(issuer), calls.Crls).crls
    asked.rows("crls", [row_of(each, FIELDS) for each in found], FIELDS)


@crl.command()
@click.argument("issuer", default="")
@click.option("--out", help="Folder to write the lists to, in DER, as ISSUER-SHARD.crl; those there are replaced.")
@click.option("--now", is_flag=True, help="Sign every list anew, not only those that are due.")
@click.option("--whole", is_flag=True, help="Sign one list of all certificates in place of shards: ISSUER.crl.")
@pass_asked
def publish(asked: Asked, issuer: str, out: str | None, *, now: bool, whole: bool) -> None:
    """Sign the lists of ISSUER, or of every CA of ours, that are due; the running authority does so by itself.

    Ends with 8 when some issuer's lists could not be signed or written; the others' were.
    """
    if out:
        free_to_write(f"{out}/any.crl", replace=True)
    signed = asked.change(calls.SignCrls(issuer, now, whole), calls.Crls)
    failed = {each.what: each for each in signed.failed}
    for each in signed.crls if out else ():
        try:
            _write(asked, each, str(out))
        except BollardError as problem:  # the other issuers' lists are written all the same
            failed.setdefault(each.issuer, calls.FailedRow(each.issuer, problem.code, problem.cause, problem.advice))
    asked.rows("crls", [row_of(each, FIELDS) for each in signed.crls], FIELDS)
    _refuse_failed([*failed.values()])


def _write(asked: Asked, row: calls.CrlRow, folder: str) -> None:
    """Lists that were written before are replaced whole: a web server sees the old one or the new one."""
    name = f"{row.issuer}.crl" if row.shard < 0 else f"{row.issuer}-{row.shard}.crl"
    path = free_to_write(f"{folder}/{name}", replace=True)
    write_bytes(path, asked.ask(calls.FetchCrl(row.issuer, row.shard), calls.Crl).der, replace=True)
    note(f"wrote {path}")


def _refuse_failed(failed: list[calls.FailedRow]) -> None:
    if failed:
        says = "; ".join(f"{each.what}: {each.code}: {each.cause}" for each in failed)
        raise PartialError("crl.partly", f"not every issuer's lists were signed and written: {says}", failed[0].advice)
