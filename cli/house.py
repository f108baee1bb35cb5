"""How the house stands, for ``bollard status``: its processes, its stations, its CSMSs, its events."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Final

from cli.render import note, to_plain
from pki.errors import UnreachableError

if TYPE_CHECKING:
    from cli.asked import Asked
    from cli.render import Plain
    from secproxy.edge.claim_wire import Process, Seen
    from secproxy.trace_settings import TraceSettings

SPAN: Final = dt.timedelta(hours=1)  # that events are counted over
NAMED_MOST: Final = 4  # workers of which the same is told that are named one by one; more would fill a screen
SEVERITIES: Final = ("critical", "high", "medium", "low", "info")


def seen(asked: Asked) -> Seen | None:
    """Ask the supervisor; None where none runs. ``UnreachableError`` when one is there and silent."""
    from secproxy.edge.overview import look

    try:
        return asyncio.run(look(asked.home()))
    except UnreachableError as problem:
        if problem.code == "supervisor.unreachable":
            return None
        raise


def rows(house: Seen) -> list[Plain]:
    """Write its processes as rows; ``open`` is told of workers."""
    found: list[Plain] = []
    for each in house.processes:
        since = to_plain(dt.datetime.fromtimestamp(each.since, dt.UTC)) if each.pid else None
        worker = each.name.startswith("worker ")
        number = int(each.name.removeprefix("worker ")) if worker else -1
        is_open = number in house.open and not each.leaving if worker else None
        row: dict[str, Plain] = {"name": each.name, "pid": each.pid, "since": since, "restarts": each.restarts}
        found.append({**row, "open": is_open, "generation": each.generation, "leaving": each.leaving})
    return found


def down(house: Seen) -> list[str]:
    """Name what should run and does not, and workers whose listeners are closed."""
    from secproxy.edge.overview import workers

    closed = (f"worker {number}" for number in workers(house) if number not in house.open)
    return list(dict.fromkeys([*(each.name for each in house.processes if not each.pid and not each.leaving), *closed]))


def connected(house: Seen) -> int:
    """Count the stations that are connected."""
    return int(sum(count for key, count in house.gauges.items() if key.startswith("connections ")))


def csms(house: Seen) -> dict[str, Plain]:
    """Say of each CSMS what workers found of its URLs, by their place: ``0 up``; where they differ, both."""
    from secproxy.edge.overview import standings

    found: dict[str, list[str]] = {}
    for (name, place), states in sorted(standings(house).items()):
        found.setdefault(name, []).extend(f"{place} {state}" for state in sorted(states))
    return {name: ", ".join(states) for name, states in found.items()}


def events(asked: Asked) -> tuple[dict[str, Plain], int]:
    """Count the events of the last hour by severity, and the bytes that wait in the journal."""
    from secproxy.edge.event_store import EventStore

    store = EventStore(asked.home())
    try:
        counts = Counter(store.severities(dt.datetime.now(dt.UTC) - SPAN))
        return {severity: counts[severity] for severity in SEVERITIES}, store.waiting()
    except UnreachableError as problem:  # the rest of the screen is not about events
        note(str(problem))
        return {}, 0


def traces(asked: Asked, settings: TraceSettings | None, house: Seen | None) -> dict[str, Plain]:
    """Say where spans go, of how many arrivals, and how the collector is doing; ``to`` is empty when they are off.

    ``sent`` and ``dropped`` count spans since the start of what is up.
    """
    from secproxy.edge.export.standing import read_standing
    from secproxy.tally import series

    if settings is None:
        return {"to": ""}
    found = read_standing(asked.home(), settings.sink)
    counters = house.counters if house else {}
    counted: dict[str, Plain] = {
        outcome: int(counters.get(series("spans_total", outcome), 0)) for outcome in ("sent", "dropped")
    }
    shares: dict[str, Plain] = {"ratio": settings.ratio, "refused_ratio": settings.refused_ratio}
    return {"to": found.to, **shares, **counted, "taken": found.taken, "trouble": found.trouble, "since": found.since}


def traces_line(told: dict[str, Plain]) -> str:
    """Write that for people."""
    if not told["to"]:
        return "off"
    how = f"took some last at {told['taken']}" if told["taken"] else "was sent nothing yet"
    if told["trouble"]:
        how = f"down since {told['since']}: {told['trouble']}"
    return f"{told['to']}: {told['sent']} spans sent, {told['dropped']} dropped, {how}"


def lines(house: Seen | None, now: float) -> dict[str, Plain]:
    """Write it for people, in a few lines; ``now`` is seconds since 1970."""
    if house is None:
        return {}
    alike = groupby(
        house.processes, lambda each: _standing(each, now) if each.name.startswith("worker ") else each.name
    )
    shown = ", ".join(_processes([*group], now) for _, group in alike)
    missing = down(house)
    told: dict[str, Plain] = {"processes": shown, "down": ", ".join(missing)} if missing else {"processes": shown}
    return {**told, "stations connected": connected(house), **{f"csms {name}": of for name, of in csms(house).items()}}


def _processes(alike: list[Process], now: float) -> str:
    """Workers of which the same is to be told are told of together when they are many; -o json has each."""
    if len(alike) <= NAMED_MOST:
        return ", ".join(_process(each, now) for each in alike)
    first, last = (alike[at].name.removeprefix("worker ") for at in (0, -1))
    return f"workers {first} to {last} ({_standing(alike[0], now)})"


def _process(process: Process, now: float) -> str:
    says = _standing(process, now)
    return f"{process.name} ({process.pid}, {says})" if process.pid else f"{process.name} ({says})"


def _standing(process: Process, now: float) -> str:
    """How one stands, but for its name and number."""
    if not process.pid:
        return "down"
    again = f", {process.restarts} restarts" if process.restarts else ""
    if process.generation > 1 or process.leaving:
        again += f", generation {process.generation}{' leaving' if process.leaving else ''}"
    return f"{_age(now - process.since)}{again}"


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
