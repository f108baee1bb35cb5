"""What one worker tells the supervisor of itself, once a second: what it has counted, and how things stand.

Rules this file keeps:

* Nothing is paid for a message: what was counted anyway is summed up over the live connections. The kernel's counts of
  bytes take a call for each of them, so they are asked for less often, and when a connection ends.
* Nobody waits while ten thousand connections are looked at: a few at a time, and between them the loop goes on.
* A counter never falls: what a connection has counted is added in for good when it ends.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from secproxy.edge.tracing import Tracer
from secproxy.edge.turns import a_few_at_a_time
from secproxy.tally import Tally, series

if TYPE_CHECKING:
    from secproxy.edge.claim_line import ClaimLine
    from secproxy.edge.journal import Journal
    from secproxy.edge.links import Links
    from secproxy.edge.passwords import PasswordDesk
    from secproxy.edge.relay import Link
    from secproxy.edge.switchboard import Switchboard

REPORT_SECONDS: Final = 1.0  # between two reports; a kill -9 costs what was counted since the last
OPEN_FILES: Final = Path("/proc/self/fd")
BYTES_EVERY: Final = 10  # reports from one look at the kernel's counts to the next: 1.5 microseconds a connection

_NOTHING: Final = (0, 0)


class Sums:
    """Two counts of each live connection, and what they come to."""

    def __init__(self, name: str, *whose: str) -> None:
        self._name, self._whose = name, whose
        self._by_leg: dict[int, tuple[int, int]] = {}
        self._both = _NOTHING

    def see(self, leg: int, counts: tuple[int, int]) -> None:
        """Take note of how much a connection has counted by now."""
        if counts != (before := self._by_leg.get(leg, _NOTHING)):
            self._by_leg[leg] = counts
            self._add(counts, before)

    def count_live(self, into: Tally) -> None:
        """Count what all of them come to."""
        self._count(self._both, into)

    def count_ended(self, leg: int, counts: tuple[int, int], into: Tally) -> None:
        """Leave out a connection that has ended, and count for good what it was."""
        self._add(_NOTHING, self._by_leg.pop(leg, _NOTHING))
        self._count(counts, into)

    def _count(self, both: tuple[int, int], into: Tally) -> None:
        for whose, count in zip(self._whose, both, strict=True):
            into.count(self._name, whose, by=count)

    def _add(self, more: tuple[int, int], less: tuple[int, int]) -> None:
        self._both = self._both[0] + more[0] - less[0], self._both[1] + more[1] - less[1]


class Reporter:
    """The reporter of one worker. ``tally`` is counted into by whoever lets stations in, ``tracer`` follows them,
    ``supervisor`` is told."""

    def __init__(self, number: int, tally: Tally, journal: Journal, supervisor: ClaimLine) -> None:
        self._process = f"worker-{number}"
        self.tally, self._journal, self.supervisor = tally, journal, supervisor
        self.tracer = Tracer(tally)
        self._open_files = 0
        self._messages = Sums("messages_total", "station", "csms")
        self._bytes = Sums("bytes_total", "received", "sent")
        self._lag = 0.0

    def opened(self, link: Link) -> None:
        """Count a connection that begins."""
        self.tally.shift("connections", f"{link.admitted.profile:d}", link.upstream.subprotocol, by=1)

    def ended(self, link: Link) -> None:
        """Count a connection that has ended, once, with all it was."""
        self.tally.shift("connections", f"{link.admitted.profile:d}", link.upstream.subprotocol, by=-1)
        self.tally.count("sessions_closed_total", link.by or "station")
        self._messages.count_ended(link.leg, link.messages, self.tally)
        self._bytes.count_ended(link.leg, link.station.carried, self.tally)
        self.tracer.ended(link.leg, link.by or "station", link.messages)

    async def run(self, links: Links, csms: Switchboard, passwords: PasswordDesk, claims: ClaimLine) -> None:
        """Report for ever."""
        clock, turn = asyncio.get_running_loop().time, 0
        while True:
            await self._look_around(links, turn)
            self.report(csms, passwords, claims)
            due, turn = clock() + REPORT_SECONDS, turn + 1
            await asyncio.sleep(REPORT_SECONDS)
            self._lag = max(0.0, clock() - due)

    async def _look_around(self, links: Links, turn: int) -> None:
        """Look at every connection, and now and then at bytes and open files, for which the kernel is asked."""
        if turn % BYTES_EVERY == 0:
            self._open_files = _count_open_files()
        async for link in a_few_at_a_time(links.all()):
            if link in links:
                self.look(link, carried=link.leg % BYTES_EVERY == turn % BYTES_EVERY)

    def look(self, link: Link, *, carried: bool) -> None:
        """Look at how much a live connection has counted, and ``carried``: at its bytes as well."""
        self._messages.see(link.leg, link.messages)
        if carried:
            self._bytes.see(link.leg, link.station.carried)

    def report(self, csms: Switchboard, passwords: PasswordDesk, claims: ClaimLine) -> None:
        """Report now."""
        told = Tally(dict(self.tally.counters), dict(self.tally.gauges))
        self._messages.count_live(told)
        self._bytes.count_live(told)
        told.count("events_lost_total", by=self._journal.lost)
        for upstream, url, state in csms.standings():
            told.shift("upstream_workers", upstream, str(url), state, by=1)
        gauges = {"passwords_waiting": passwords.waiting, "claims": claims.held}
        gauges[series("process_open_fds", self._process)] = self._open_files
        told.gauges.update({**gauges, series("loop_lag_seconds", self._process): round(self._lag, 6)})
        self.supervisor.report(told)
        self.supervisor.pass_on(self.tracer.waiting)


def _count_open_files() -> int:
    """Of this process; nobody else may look into a worker. Linux tells it in one call since 6.2 (proc_pid_fd(5))."""
    return OPEN_FILES.stat().st_size or sum(1 for _ in OPEN_FILES.iterdir())
