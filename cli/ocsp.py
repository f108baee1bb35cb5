"""Answers about single certificates: who signs them."""

from __future__ import annotations

import click

from cli.asked import Asked, pass_asked
from cli.render import note, row_of
from pki.edge import calls

FIELDS = ("issuer", "signer", "not_after", "answers")


@click.group()
def ocsp() -> None:
    """Show who answers whether a certificate was revoked."""


@ocsp.command()
@pass_asked
def show(asked: Asked) -> None:
    """Show the signers of OCSP answers, when they end, and how many answers are kept ready."""
    found = asked.ask(calls.ListSigners(), calls.Signers)
    note(f"asked at {found.url}" if found.url else "asked nowhere: [web] status_url is not set")
    asked.rows("signers", [row_of(each, FIELDS) for each in found.signers], FIELDS)
