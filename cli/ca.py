"""Certificate authorities: our own, and those of others that we trust."""

from __future__ import annotations

import click

from cli.asked import Asked, one, pass_asked
from cli.ceremony import ceremony
from cli.files import free_to_write, read_text, write_out
from cli.render import row_of, write
from cli.words import PURPOSE
from pki.edge import calls

FIELDS = ("name", "purpose", "state", "subject", "not_after", "key_id", "slot")
COLUMNS = ("name", "purpose", "state", "subject", "not_after")
TRUST_FIELDS = ("purpose", "vendor", "subject", "not_after", "key_id")


@click.group()
def ca() -> None:
    """Show our certificate authorities and say whose we trust."""


ca.add_command(ceremony)


@ca.command("list")
@pass_asked
def list_(asked: Asked) -> None:
    """List our own CAs, the root first."""
    found = asked.ask(calls.ListIssuers(), calls.Issuers).issuers
    asked.rows("issuers", [row_of(each, FIELDS) for each in found], COLUMNS)


@ca.command()
@click.argument("name")
@pass_asked
def show(asked: Asked, name: str) -> None:
    """Show one of our CAs."""
    asked.record(row_of(_issuer(asked, name), (*FIELDS, "pem")))


@ca.command()
@click.argument("name")
@click.option("--out", help="File for the PEM certificate, in place of stdout.")
@pass_asked
def export(asked: Asked, name: str, out: str | None) -> None:
    """Print a CA's certificate in PEM, to be installed in stations."""
    path = free_to_write(out, replace=asked.yes) if out else None
    pem = _issuer(asked, name).pem
    if path:
        write_out(path, pem, replace=asked.yes)
    else:
        write(pem)


@ca.group()
def trust() -> None:
    """Trust certificates of others, for one purpose each."""


@trust.command("add")
@click.argument("file")
@click.option("--purpose", type=PURPOSE, required=True, help="What it is trusted for.")
@click.option("--vendor", default="", help="For firmware: the vendor whose images it may sign.")
@pass_asked
def trust_add(asked: Asked, file: str, purpose: str, vendor: str) -> None:
    """Trust a certificate of somebody else's."""
    from pki.certificate import read_certificates

    pem = read_text(file)
    read_certificates(pem)
    asked.done(asked.change(calls.AddAnchor(pem, purpose, vendor), calls.Done).audit_index)


@trust.command("list")
@pass_asked
def trust_list(asked: Asked) -> None:
    """List the certificates of others that are trusted."""
    found = asked.ask(calls.ListAnchors(), calls.Anchors).anchors
    asked.rows("anchors", [row_of(each, TRUST_FIELDS) for each in found], TRUST_FIELDS)


@trust.command("remove")
@click.argument("keyid")
@click.option("--purpose", type=PURPOSE, required=True, help="What it is trusted for no longer.")
@pass_asked
def trust_remove(asked: Asked, keyid: str, purpose: str) -> None:
    """Trust a certificate no longer; KEYID as 'ca trust list' prints it, or its beginning."""
    asked.confirm(f"Trust {keyid} no longer for {purpose}?")
    asked.done(asked.change(calls.RemoveAnchor(keyid, purpose), calls.Done).audit_index)


def _issuer(asked: Asked, name: str) -> calls.IssuerRow:
    found = asked.ask(calls.ListIssuers(), calls.Issuers).issuers
    return one([each for each in found if each.name == name], "ca.unknown", "CA", name)
