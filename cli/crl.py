"""Lists of revoked certificates: see them, sign them now, write them out for others to serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.asked import Asked, pass_asked
from cli.files import free_to_write, write_bytes
from cli.render import note, row_of
from pki.edge import calls

if TYPE_CHECKING:
    from pathlib import Path

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
@click.option("--out", help="Folder to write the lists to, in DER, as ISSUER-SHARD.crl.")
@click.option("--now", is_flag=True, help="Sign every list anew, not only those that are due.")
@click.option("--whole", is_flag=True, help="Sign one list of all certificates in place of shards: ISSUER.crl.")
@pass_asked
def publish(asked: Asked, issuer: str, out: str | None, *, now: bool, whole: bool) -> None:
    """Sign the lists of ISSUER, or of every CA of ours, that are due; the running authority does so by itself."""
    signed = asked.change(calls.SignCrls(issuer, now, whole), calls.Crls).crls
    for each in signed if out else ():
        _write(asked, each, str(out))
    asked.rows("crls", [row_of(each, FIELDS) for each in signed], FIELDS)


def _write(asked: Asked, row: calls.CrlRow, folder: str) -> None:
    name = f"{row.issuer}.crl" if row.shard < 0 else f"{row.issuer}-{row.shard}.crl"
    path: Path = free_to_write(f"{folder}/{name}", replace=asked.yes)
    write_bytes(path, asked.ask(calls.FetchCrl(row.issuer, row.shard), calls.Crl).der, replace=asked.yes)
    note(f"wrote {path}")
