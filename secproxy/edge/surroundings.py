"""What connections need of the world and do not reach for themselves: the journal, and the authority, asked and told.

Rules this file keeps:

* Nobody waits: an answer comes back as a fact, and what cannot be told now is told to the operator.
* Of a station that nobody registered the authority is told nothing.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

from pki.edge import calls, log
from pki.errors import BollardError
from secproxy.orders import Ask, Declined, Granted, Learn
from secproxy.reachability import spread
from secproxy.renewal import Certified, Certify

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sized

    from secproxy.admission import Admitted
    from secproxy.config import Limits
    from secproxy.edge.authority_line import AuthorityLine
    from secproxy.edge.journal import Journal
    from secproxy.edge.relay import Link
    from secproxy.edge.waiting_room import Waiting
    from secproxy.events import Note

WHO: Final = "bollard"  # what a worker calls itself to people


class Surroundings:
    """The surroundings of one worker's connections (``relay.Surroundings``). ``links`` are those there are."""

    def __init__(self, line: AuthorityLine, journal: Journal, limits: Limits) -> None:
        self.line = line
        self._limits = limits
        self.journal = journal
        self.links: Sized = ()
        self._tasks: set[asyncio.Task[None]] = set()

    def record(self, note: Note) -> None:
        """Write a security event; a journal that cannot be written is told to the operator, and stops nothing."""
        try:
            self.journal.write(note)
        except BollardError as lost:
            log.complain(lost, who=WHO, level=log.Level.ERROR)

    def grace(self) -> float:
        """Draw when a station is let go whose CSMS has died, out of a time that grows with the stations there are."""
        return random.SystemRandom().uniform(0, spread(len(self.links), self._limits))

    def grant(self, link: Link, ask: Ask) -> None:
        """Ask the authority for a download URL of the image that the gate has cleared."""
        self._start(self._grant(link, ask))

    async def _grant(self, link: Link, ask: Ask) -> None:
        call = calls.GrantDownload(link.identity, ask.digest, ask.message_id)
        try:
            granted = await self.line.ask(call, calls.DownloadGranted)
        except BollardError as refused:
            link.tell(Declined(ask.ticket, refused.code))
        else:
            link.tell(Granted(ask.ticket, granted.url))

    def learn(self, link: Link, learned: Learn) -> None:
        """Tell the authority what a station said of itself; of one that nobody registered nothing is kept."""
        if not link.admitted.observed:
            self._start(self._learn(link, learned))

    def settle(self, admitted: Admitted) -> None:
        """Tell the authority that a station came with the password that was to follow (A01.FR.03)."""
        call = calls.SettlePassword(admitted.station.identity.text, taken=True, digest=admitted.credential.hex())
        self._start(self._tell(call))

    def pin(self, admitted: Admitted) -> None:
        """Tell the authority that a station is connected with more than it was registered with (A05.FR.09)."""
        station = admitted.station
        if not admitted.observed and admitted.profile > max(station.profile, station.seen_profile):
            self._start(self._tell(calls.ReportProfile(station.identity.text, int(admitted.profile))))

    async def _tell(self, call: calls.SettlePassword | calls.ReportProfile) -> None:
        """What cannot be told now is told when the station next connects."""
        try:
            await self.line.ask(call, calls.Done)
        except BollardError as failure:
            tell_operator("station.unrecorded", f"{call.identity}: what it showed was not recorded: {failure}")

    def certify(self, waiting: Waiting, asked: Certify) -> None:
        """Have the authority certify what a station with an expired certificate asks for (A00.FR.429)."""
        self._start(self._certify(waiting, asked))

    async def _certify(self, waiting: Waiting, asked: Certify) -> None:
        guest = waiting.guest
        call = calls.RenewExpired(guest.identity.text, asked.csr, waiting.chain, guest.remote)
        try:
            renewed = await self.line.ask(call, calls.LateRenewed)
        except BollardError as refused:
            waiting.tell(Declined(asked.ticket, refused.code))
        else:
            chain = renewed.chain
            waiting.tell(Certified(asked.ticket, chain) if chain else Declined(asked.ticket, "enrolment.waiting"))

    async def _learn(self, link: Link, learned: Learn) -> None:
        shown = link.admitted.certificate
        said = (learned.vendor, learned.model, learned.serial, learned.firmware_version, learned.protocol)
        certificate, tls = shown.serial.hex if shown else "", link.admitted.agreed.version
        call = calls.ReportBoot(link.identity, *said, certificate=certificate, tls=tls)
        try:
            await self.line.ask(call, calls.Done)
        except BollardError as failure:
            tell_operator("boot.unrecorded", f"{link.identity}: boot not recorded: {failure}")

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def tell_operator(kind: str, says: str) -> None:
    """Say something that somebody should look at."""
    log.say(kind, says, who=WHO, level=log.Level.WARNING)
