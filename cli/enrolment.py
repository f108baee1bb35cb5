"""Enrolment over EST: the tokens that stations begin with, and a person's yes or no to what waits.

The commands stand below the nouns ``station`` and ``cert``, whose files hang them in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.asked import Asked, pass_asked
from cli.render import Output, note, row_of, to_plain, write
from cli.words import IDENTITY
from pki.edge import calls

if TYPE_CHECKING:
    from pki.names import StationIdentity

FIELDS = ("id", "station", "way", "state", "issuer", "asked", "expires", "subject", "key_id", "decided_by", "reason")
COLUMNS = ("id", "station", "way", "state", "issuer", "asked", "expires")


@click.command()
@click.argument("identity", type=IDENTITY)
@click.option("--hours", type=click.IntRange(1, 744), default=24, show_default=True, help="Hours it is good for.")
@click.option("--revoke", is_flag=True, help="End the station's token instead, before it is used.")
@pass_asked
def token(asked: Asked, identity: StationIdentity, hours: int, *, revoke: bool) -> None:
    """Make a station's one-time token for EST and print it, this once; an older one ends."""
    if revoke:
        return asked.done(asked.change(calls.RevokeToken(str(identity)), calls.Done).audit_index)
    minted = asked.change(calls.MintToken(str(identity), hours), calls.TokenMinted)
    note(f"user {identity}; good once, until {to_plain(minted.expires)}; shown this once and stored nowhere")
    if asked.output is Output.TABLE:
        write(minted.token)
        return asked.done(minted.audit_index)
    record = {"station": str(identity), "token": minted.token, "expires": to_plain(minted.expires)}
    return asked.done(minted.audit_index, record)


@click.command()
@pass_asked
def pending(asked: Asked) -> None:
    """List requests that wait for a decision, or for an external authority."""
    found = asked.ask(calls.ListWaiting(), calls.Waiting).requests
    asked.rows("requests", [row_of(each, FIELDS) for each in found], COLUMNS)


@click.command()
@click.argument("number", metavar="ID", type=click.IntRange(1))
@pass_asked
def approve(asked: Asked, number: int) -> None:
    """Say yes to a request that waits; the station has its certificate when it asks again."""
    asked.done(asked.change(calls.DecideRequest(number, True), calls.Done).audit_index)


@click.command()
@click.argument("number", metavar="ID", type=click.IntRange(1))
@click.option("--reason", default="", help="Why; the station is told.")
@pass_asked
def deny(asked: Asked, number: int, reason: str) -> None:
    """Say no to a request that waits, or to one that was approved and not yet fetched."""
    asked.done(asked.change(calls.DecideRequest(number, False, reason), calls.Done).audit_index)
