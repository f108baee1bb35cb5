"""Security events: what the proxy refused or noticed, and why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypedDict, cast

import click

from cli.asked import Asked, pass_asked
from cli.files import free_to_write, write_parts
from cli.render import Output, note, show_csv_lines, show_lines, to_line, to_plain
from cli.words import WHEN
from pki.errors import InputError
from secproxy.events import Severity

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping

    from cli.render import Plain

COLUMNS = ("time", "severity", "type", "station", "cause", "says")
FORMATS = ("jsonl", "rfc5424", "cef", "ecs", "otlp")

_FILTERS = (
    click.option("--station", help="Only events of this station."),
    click.option("--type", help="Only events of this type."),
    click.option("--cause", help="Only events with this cause."),
    click.option(
        "--severity", type=click.Choice([weight.value for weight in Severity]), help="This severity and worse."
    ),
    click.option("--since", type=WHEN, help="Only events younger than this, for example 1h, or from this time on."),
    click.option("--until", type=WHEN, help="Only events older than this, or before this time."),
)


class Chosen(TypedDict, total=False):
    """The filters that were given."""

    station: str
    type: str
    cause: str
    severity: str
    since: dt.datetime
    until: dt.datetime


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
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, help="At most so many, the newest.")
@pass_asked
def list_(asked: Asked, /, limit: int, **wanted: object) -> None:
    """List security events, the newest last."""
    from secproxy.edge.event_store import EventStore

    found = EventStore(asked.home()).list(**given(wanted), limit=limit + 1)
    if len(found) > limit:
        note(f"these are the newest {limit}; --limit takes more, 'bollard event export' all")
    if not found:
        note(_nothing(wanted))
    asked.rows("events", [record(each) for each in found[-limit:]], COLUMNS)


@event.command()
@filters
@pass_asked
def tail(asked: Asked, /, **wanted: object) -> None:
    """Print security events as they happen, one a line, until interrupted."""
    from secproxy.edge.event_store import EventStore

    chosen = given(wanted)
    if doubt := _doubt(wanted):
        note(doubt)
    if not asked.home().claims_socket.exists():
        note("nothing is up here; events come once 'bollard up' runs")
    rows = map(record, EventStore(asked.home()).follow(**chosen))
    match asked.output:
        case Output.TABLE:
            for row in rows:
                click.echo(to_line(row, COLUMNS))
        case Output.CSV:
            show_csv_lines(rows, COLUMNS)
        case _:
            show_lines(rows)


@event.command()
@filters
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="How each event is written.")
@click.option("--out", help="The file to write; stdout unless said.")
@pass_asked
def export(asked: Asked, /, form: str, out: str | None, **wanted: object) -> None:
    """Write all the events that are stored and pass the filters, oldest first, one a line."""
    from secproxy.edge.event_store import EventStore, Filter

    path = free_to_write(out, replace=asked.yes or asked.dry_run) if out else None
    chosen = given(wanted)
    if doubt := _doubt(wanted):
        note(doubt)
    found = EventStore(asked.home()).read(Filter(**chosen))
    if path is None:
        sys.stdout.buffer.writelines(written(found, form, asked.version))
        sys.stdout.buffer.flush()
    elif asked.dry_run:
        asked.would({"call": "export", "format": form, "out": str(path)})
    else:
        counted = Counted(written(found, form, asked.version))
        write_parts(path, counted, replace=asked.yes, mode=0o600)
        note(f"wrote {counted.count} events to {out}")


class Counted:
    """Lines on their way, and how many have passed."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self.count += 1
            yield line


def written(lines: Iterator[bytes], form: str, version: str) -> Iterator[bytes]:
    """Write stored lines in a format; one that cannot be read is told and left out."""
    import socket

    from secproxy.export.event import Origin, read_event
    from secproxy.export.formats import FORMATS as WRITERS

    origin = Origin.of(socket.gethostname(), version)
    for line in lines:
        try:
            yield WRITERS[form](read_event(line), origin) + b"\n"
        except ValueError:
            note(f"an event cannot be read and was left out: {line[:80]!r}")


def given(wanted: Mapping[str, object]) -> Chosen:
    """Keep the filters that were given; a length of time becomes the moment that long ago."""
    import datetime as dt

    from pki.edge.clock import now

    kept = {name: value for name, value in wanted.items() if value not in (None, "")}
    moments = {name: now() - value if isinstance(value, dt.timedelta) else value for name, value in kept.items()}
    chosen = cast("Chosen", moments)
    if "since" in chosen and "until" in chosen and chosen["since"] >= chosen["until"]:
        says = "--since is not before --until, so that no event can be between them"
        raise InputError("usage", says, "Exchange the two; a length of time counts back from now.")
    return chosen


def _nothing(wanted: Mapping[str, object]) -> str:
    """Say why there is nothing to show, as far as that can be told."""
    return _doubt(wanted) or ("no event passes these filters" if any(wanted.values()) else "no event was recorded yet")


def _doubt(wanted: Mapping[str, object]) -> str:
    """Say that no event of ours can pass, where a filter names what there is not; with what may have been meant."""
    from pki.tables import meant
    from secproxy.causes import CAUSES
    from secproxy.event_settings import TYPES

    for name, known in (("cause", CAUSES), ("type", TYPES)):
        if (given := str(wanted.get(name) or "")) and given not in known:
            told = meant(given, known) or "; events.md lists all of them"
            return f"no event has the {name} {given[:60]!r}{told}"
    return ""


def record(stored: Mapping[str, object]) -> dict[str, Plain]:
    """Turn a stored event into what can be printed."""
    return {name: to_plain(value) for name, value in stored.items()}
