"""Security events: what the proxy refused or noticed, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.asked import Asked, pass_asked
from cli.render import Output, show_lines, to_line, to_plain
from cli.words import SPAN
from secproxy.events import Severity

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from cli.render import Plain

COLUMNS = ("time", "severity", "type", "station", "cause", "says")

_FILTERS = (
    click.option("--station", help="Only events of this station."),
    click.option("--type", help="Only events of this type."),
    click.option("--cause", help="Only events with this cause."),
    click.option(
        "--severity", type=click.Choice([weight.value for weight in Severity]), help="This severity and worse."
    ),
)


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose events."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@click.group()
def event() -> None:
    """Read the security events."""


@event.command("list")
@filters
@click.option("--since", type=SPAN, help="Only events younger than this, for example 1h.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, help="At most so many, the newest.")
@pass_asked
def list_(asked: Asked, /, since: dt.timedelta | None, limit: int, **wanted: str | None) -> None:
    """List security events, the newest last."""
    from pki.edge.clock import now
    from secproxy.edge.event_store import EventStore

    store = EventStore(asked.home())
    found = store.list(**given(wanted), since=now() - since if since else None, limit=limit)
    asked.rows("events", [record(each) for each in found], COLUMNS)


@event.command()
@filters
@pass_asked
def tail(asked: Asked, /, **wanted: str | None) -> None:
    """Print security events as they happen, one a line, until interrupted."""
    from secproxy.edge.event_store import EventStore

    for each in EventStore(asked.home()).follow(**given(wanted)):
        if asked.output is Output.TABLE:
            click.echo(to_line(record(each), COLUMNS))
        else:
            show_lines([record(each)])


def given(wanted: Mapping[str, str | None]) -> dict[str, str]:
    """Keep the filters that were given."""
    return {name: value for name, value in wanted.items() if value}


def record(stored: Mapping[str, object]) -> dict[str, Plain]:
    """Turn a stored event into what can be printed."""
    return {name: to_plain(value) for name, value in stored.items()}
