"""The live connections of one worker, and the end of each that is no longer allowed.

Rules this file keeps:

* Whenever something is learned about a station, its live connection is judged again, by the same core that admitted it:
  at once, and where many are concerned within a second, so that what they say meanwhile does not wait for it.
* A certificate that runs out ends its session within a second (A00.FR.407).
* A connection is taken out by its leg's number, never by identity, so that a retiring one cannot take its replacement
  with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from typing import TYPE_CHECKING, Final

from pki.edge.clock import now
from secproxy.admission import still_allowed
from secproxy.edge.soon import Soon
from secproxy.edge.tls import LINGER_SECONDS
from secproxy.edge.turns import a_few_at_a_time
from secproxy.errors import AdmissionRefused
from secproxy.events import Note
from secproxy.frames import POLICY_VIOLATION, SERVICE_RESTART

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from secproxy.config import Limits
    from secproxy.edge.relay import Link
    from secproxy.station_view import View

EXPIRY_SECONDS: Final = 0.5  # how often the earliest expiry is looked at
EXPIRIES_SPARE: Final = 1_024  # expiries of legs that have gone, kept before the list is cleaned; 100 bytes each


class Links:
    """The registry. ``record`` writes a security event."""

    def __init__(self, view: View, limits: Limits, record: Callable[[Note], None]) -> None:
        self._view = view
        self._limits = limits
        self._record = record
        self._by_leg: dict[int, Link] = {}
        self._by_identity: dict[str, Link] = {}
        self._judging = Soon(self._judge)
        self._expiries: list[tuple[float, int]] = []
        self._none_left: asyncio.Event | None = None
        self._delays: Callable[[], float] | None = None  # once all are let go
        self._last_due = 0.0

    def add(self, link: Link) -> None:
        """Take in a connection and let its bytes flow; it may end while that is done.

        It is judged once more: something may have changed while the CSMS was dialled.
        """
        self._by_leg[link.leg] = self._by_identity[link.identity] = link
        if link.admitted.certificate is not None:
            self._watch_expiry(link.admitted.certificate.not_after.timestamp(), link.leg)
        link.open()
        self.judge([link.identity])
        if self._delays is not None:
            self._let_go(link, self._delays())

    def __len__(self) -> int:
        """How many there are."""
        return len(self._by_leg)

    def __contains__(self, link: Link) -> bool:
        """Whether it has not ended."""
        return link.leg in self._by_leg

    def all(self) -> list[Link]:
        """Every live connection."""
        return list(self._by_leg.values())

    def of(self, identity: str) -> Link | None:
        """The live connection of a station, where it has one here."""
        return self._by_identity.get(identity)

    def remove(self, link: Link) -> None:
        """Forget a connection that has ended."""
        self._by_leg.pop(link.leg, None)
        if self._by_identity.get(link.identity) is link:
            del self._by_identity[link.identity]
        if self._none_left is not None and not self._by_leg:
            self._none_left.set()

    def judge(self, identities: Iterable[str] | None = None) -> None:
        """Close each connection, of these identities or of all, that is no longer allowed; the event says why."""
        known = self._by_identity
        if identities is None:
            concerned = list(known)
        elif isinstance(identities, frozenset) and len(identities) > len(known):
            concerned = [identity for identity in known if identity in identities]
        else:
            concerned = [identity for identity in identities if identity in known]
        self._judging.ask(concerned)

    def _judge(self, identity: str) -> None:
        link = self._by_identity.get(identity)
        if link is None:
            return
        try:
            still_allowed(link.admitted, self._view, now())
        except AdmissionRefused as refused:
            self._record(refused.note)
            link.close(POLICY_VIOLATION, refused.cause)

    def _watch_expiry(self, moment: float, leg: int) -> None:
        """Remember when a leg's certificate ends, and forget those of legs that have gone once they are the most."""
        if len(self._expiries) > 2 * len(self._by_leg) + EXPIRIES_SPARE:
            self._expiries = [entry for entry in self._expiries if entry[1] in self._by_leg]
            heapq.heapify(self._expiries)
        heapq.heappush(self._expiries, (moment, leg))

    async def expire(self) -> None:
        """Watch the clock for ever."""
        while True:
            await asyncio.sleep(EXPIRY_SECONDS)
            moment = now().timestamp()
            while self._expiries and self._expiries[0][0] <= moment:
                link = self._by_leg.get(heapq.heappop(self._expiries)[1])
                if link is not None:
                    self.judge([link.identity])

    async def probe(self, leg: int) -> bool:
        """Whether that connection's station still answers; one that is just being made, and so not known here, does."""
        link = self._by_leg.get(leg)
        return link is None or await link.answers(self._limits.probe_seconds)

    def drop(self, leg: int) -> None:
        """End a connection that a newer one of the same station replaces."""
        link = self._by_leg.get(leg)
        if link is not None:
            self._record(Note("session.replaced", link.identity, link.admitted.remote))
            link.close(POLICY_VIOLATION, "replaced by a newer connection of the same station")

    async def drain(self, delays: Callable[[], float]) -> None:
        """Let every connection go, each after a delay of its own, so that not all stations come back at once.

        Returns when none is left, at the latest when ``delays`` has been waited for and a farewell's time after it.
        Until its turn has come a connection goes on as before.
        """
        await self.let_go(delays)
        await self.gone()

    async def let_go(self, delays: Callable[[], float]) -> None:
        """Let every connection go in its turn, also those that are still to come."""
        self._delays = delays
        async for link in a_few_at_a_time(self.all()):
            self._let_go(link, delays())

    async def gone(self) -> None:
        """Wait until all that were let go have gone, at the latest until a farewell's time after the last turn."""
        loop = asyncio.get_running_loop()
        while self._by_leg and loop.time() < self._last_due + LINGER_SECONDS:
            self._none_left = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._last_due + LINGER_SECONDS):
                    await self._none_left.wait()

    def _let_go(self, link: Link, delay: float) -> None:
        loop = asyncio.get_running_loop()
        self._last_due = max(self._last_due, loop.time() + delay)
        loop.call_later(delay, link.close, SERVICE_RESTART, "the proxy is restarting")

    def leave(self) -> None:
        """End every connection, because this worker ends."""
        for link in self.all():
            link.close(SERVICE_RESTART, "the proxy is restarting")
