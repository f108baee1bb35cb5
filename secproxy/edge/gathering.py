"""Gathers every figure there is from whoever knows it: the supervisor, the authority, the events, the system.

Rules this file keeps:

* Whoever is away, or silent, takes his own figures along and no others; ``up`` says who could be asked.
* However many ask, it is gathered at most once a second.
"""

from __future__ import annotations

import asyncio
import os
import platform
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.backends.openssl import backend

from pki.edge import calls
from pki.errors import BollardError
from secproxy.causes import CAUSES
from secproxy.edge.event_store import EventStore
from secproxy.edge.overview import look, workers
from secproxy.metrics import METRICS, Source
from secproxy.tally import Series, series

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from pki.edge.home import Home
    from secproxy.edge.claim_wire import Seen

    Ask = Callable[[calls.Measure, type[calls.Measured]], Awaitable[calls.Measured]]

FRESH_SECONDS: Final = 1.0  # that figures are told again before they are gathered anew
PATIENCE: Final = 3.0  # seconds for the authority; a scrape is usually given up after ten
OURS: Final = ("our certificate", "revocation list of")  # kinds of what ends whose names are names of our own keys

_TICK: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Gathering:
    """The figures of one home. ``ask`` asks the authority; ``version`` is Bollard's own."""

    def __init__(self, home: Home, ask: Ask, version: str) -> None:
        self._home, self._ask, self._version = home, ask, version
        self._events = EventStore(home)
        self._lock = asyncio.Lock()
        self._found: Series = {}
        self._at = -FRESH_SECONDS

    async def figures(self) -> Series:
        """Every series there is."""
        async with self._lock:
            if time.monotonic() - self._at >= FRESH_SECONDS:
                self._found = await self._gather()
                self._at = time.monotonic()
            return self._found

    async def seen(self) -> Seen | None:
        """How the supervisor says that the house stands; None without a word of it."""
        try:
            return await look(self._home)
        except BollardError:
            return None

    async def measured(self) -> calls.Measured | None:
        """What the authority says; None without a word of it."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._ask(calls.Measure(), calls.Measured)
        except (BollardError, TimeoutError):
            return None

    async def _gather(self) -> Series:
        seen, measured = await asyncio.gather(self.seen(), self.measured())
        pids = (
            {each.name: each.pid for each in seen.processes if each.pid and not each.leaving}
            if seen
            else {"web": os.getpid()}
        )
        system, events = await asyncio.to_thread(_of_processes, pids), await asyncio.to_thread(self._of_events)
        known = {Source.SUPERVISOR: seen, Source.AUTHORITY: measured, Source.EVENTS: events}
        build = series("build_info", self._version, platform.python_version(), _openssl())
        asked = {series("up", source): float(found is not None) for source, found in known.items()}
        return {
            **system,
            **(events or {}),
            **(_of_house(seen) if seen else {}),
            **(_of_authority(measured) if measured else {}),
            **asked,
            build: 1,
        }

    def _of_events(self) -> Series | None:
        try:
            found: Counter[str] = Counter()
            for (cause, severity), total in self._events.tallies().items():  # a journal may have been edited
                found[series("events_total", cause if cause in CAUSES else "other", severity)] += total
            figures: Series = {**found, "journal_waiting_bytes": self._events.waiting()}
            for sink in self._events.sinks():
                figures[series("sink_waiting_events", sink.name)] = sink.waiting
                figures[series("sink_failing", sink.name)] = bool(sink.trouble)
        except BollardError:
            return None
        return figures


def _of_house(seen: Seen) -> Series:
    told = {key: value for key, value in {**seen.counters, **seen.gauges}.items() if key.split(" ")[0] in METRICS}
    for each in (process for process in seen.processes if not process.leaving):
        name = _label(each.name)
        told[series("process_up", name)] = bool(each.pid)
        told[series("process_restarts_total", name)] = each.restarts
        told[series("process_start_time_seconds", name)] = each.since
    for number in workers(seen):
        told[series("process_open", f"worker-{number}")] = number in seen.open
    return told


def _of_authority(measured: calls.Measured) -> Series:
    told: Series = {"audit_entries": measured.audit_size, "authority_troubles": measured.troubles}
    told |= {series("authority_acts_total", act): count for act, count in measured.acts.items()}
    for each in sorted(measured.expiring, key=lambda each: each.not_after, reverse=True):  # the first to end is last
        labels = (_label(each.kind), each.name if each.kind in OURS else "")
        told[series("expiry_timestamp_seconds", *labels)] = each.not_after.timestamp()
        told[series("valid_from_timestamp_seconds", *labels)] = each.not_before.timestamp()
    return told


def _of_processes(pids: dict[str, int]) -> Series:
    told: Series = {}
    for name, pid in pids.items():
        told.update(_of_process(_label(name), Path(f"/proc/{pid}")))
    return told


def _of_process(name: str, folder: Path) -> Iterable[tuple[str, float]]:
    """What proc(5) says of a process; nothing when it has ended meanwhile."""
    try:
        stat = (folder / "stat").read_text().rpartition(")")[2].split()  # begins with the third field
    except OSError:
        return ()
    return (
        (series("process_cpu_seconds_total", name), (int(stat[11]) + int(stat[12])) / _TICK),
        (series("process_resident_memory_bytes", name), int(stat[21]) * _PAGE),
    )


def _openssl() -> str:
    return backend.openssl_version_text().split()[1]


def _label(text: str) -> str:
    return text.replace(" ", "-")
