"""What one worker tells the supervisor of itself, once a second: what it has counted, and how things stand.

Rules this file keeps:

* Nothing is paid for a message: what was counted anyway is summed up over the live connections. The kernel's counts of
  bytes take a call for each of them, so they are asked for less often, and when a connection ends.
* A counter never falls: what a connection has counted is added in for good when it ends.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from secproxy.edge.tracing import Tracer
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

_DIRECTIONS: Final = ("received", "sent")


class Reporter:
    """The reporter of one worker. ``tally`` is counted into by whoever lets stations in, ``tracer`` follows them,
    ``supervisor`` is told."""

    def __init__(self, number: int, tally: Tally, journal: Journal, supervisor: ClaimLine) -> None:
        self._process = f"worker-{number}"
        self.tally, self._journal, self.supervisor = tally, journal, supervisor
        self.tracer = Tracer(tally)
        self._open_files = 0
        self._carried: dict[int, tuple[int, int]] = {}  # by leg, of live connections: what was seen of them last
        self._lag = 0.0

    def opened(self, link: Link) -> None:
        """Count a connection that begins."""
        self.tally.shift("connections", f"{link.admitted.profile:d}", link.upstream.subprotocol, by=1)

    def ended(self, link: Link) -> None:
        """Count a connection that has ended, once, with all it was."""
        self.tally.shift("connections", f"{link.admitted.profile:d}", link.upstream.subprotocol, by=-1)
        self.tally.count("sessions_closed_total", link.by or "station")
        for speaker, messages in zip(("station", "csms"), link.messages, strict=True):
            self.tally.count("messages_total", speaker, by=messages)
        self.tracer.ended(link.leg, link.by or "station", link.messages)
        self._carried.pop(link.leg, None)
        for direction, count in zip(_DIRECTIONS, link.station.carried, strict=True):
            self.tally.count("bytes_total", direction, by=count)

    async def run(self, links: Links, csms: Switchboard, passwords: PasswordDesk, claims: ClaimLine) -> None:
        """Report for ever."""
        clock, turn = asyncio.get_running_loop().time, 0
        while True:
            if turn % BYTES_EVERY == 0:
                self._open_files = sum(1 for _ in OPEN_FILES.iterdir())  # nobody else may look into a worker
                self._carried = {link.leg: link.station.carried for link in links.all()}
            self.report(links, csms, passwords, claims)
            due, turn = clock() + REPORT_SECONDS, turn + 1
            await asyncio.sleep(REPORT_SECONDS)
            self._lag = max(0.0, clock() - due)

    def report(self, links: Links, csms: Switchboard, passwords: PasswordDesk, claims: ClaimLine) -> None:
        """Report now."""
        told = Tally(dict(self.tally.counters), dict(self.tally.gauges))
        for speaker, messages in zip(("station", "csms"), links.messages(), strict=True):
            told.count("messages_total", speaker, by=messages)
        for place, direction in enumerate(_DIRECTIONS):
            told.count("bytes_total", direction, by=sum(counts[place] for counts in self._carried.values()))
        told.count("events_lost_total", by=self._journal.lost)
        for upstream, url, state in csms.standings():
            told.shift("upstream_workers", upstream, str(url), state, by=1)
        gauges = {"passwords_waiting": passwords.waiting, "claims": claims.held}
        gauges[series("process_open_fds", self._process)] = self._open_files
        told.gauges.update({**gauges, series("loop_lag_seconds", self._process): round(self._lag, 6)})
        self.supervisor.report(told)
        self.supervisor.pass_on(self.tracer.waiting)
