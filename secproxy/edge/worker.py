"""One proxy worker, put together: what the ledger says, the doors, the live connections.

Rules this file keeps:

* Every change the authority tells of is applied at once, and each live connection it touches is judged again: at once,
  or, where it touches many, within a second.
* Settings hold at once for whoever comes, and a little later for all who are here; only then is it said that they do.
* While the authority is away the worker goes on with what it knows; nothing that needs a decision of the authority's
  is allowed meanwhile.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from pki.edge import calls, log
from pki.errors import BollardError, UnreachableError
from secproxy.assertion import Signer
from secproxy.config import TransactionIds, Unknown
from secproxy.edge import memory, reading
from secproxy.edge.arrival import Reception, receive
from secproxy.edge.bequest import Knowledge
from secproxy.edge.doors import Doors
from secproxy.edge.passwords import PasswordDesk
from secproxy.edge.relay import Link
from secproxy.edge.schema_files import SchemaFiles
from secproxy.edge.soon import Soon
from secproxy.edge.staples import staples_by
from secproxy.edge.surroundings import WHO
from secproxy.edge.switchboard import Switchboard
from secproxy.edge.turns import Turns
from secproxy.edge.waiting_room import WaitingRoom
from secproxy.events import Note
from secproxy.frames import POLICY_VIOLATION, SERVICE_RESTART
from secproxy.inspection import inspect
from secproxy.policy import carried
from secproxy.schemas import Schemas
from secproxy.session import Session
from secproxy.transactions import Watch

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable

    from secproxy.admission import Admitted
    from secproxy.config import Config
    from secproxy.edge.claim_line import ClaimLine
    from secproxy.edge.claim_wire import Bequeath
    from secproxy.edge.links import Links
    from secproxy.edge.listener import Listener
    from secproxy.edge.policies import Policies
    from secproxy.edge.reporter import Reporter
    from secproxy.edge.surroundings import Surroundings
    from secproxy.edge.tls import TlsLeg
    from secproxy.edge.upstream import UpstreamLeg
    from secproxy.station_view import View

HEAD_START: Final = 1.0  # seconds until the first is let go: by then no worker that was replaced accepts any more


class Worker:
    """What one worker has, and the way from its doors to a live connection.

    ``claims`` is where it asks who may have a station's connection, and where passwords that were tried are counted.
    """

    def __init__(
        self,
        config: Config,
        view: View,
        trust: tuple[calls.Credentials, calls.Snapshot],
        links: Links,
        claims: ClaimLine,
        surroundings: Surroundings,
        policies: Policies,
        reporter: Reporter,
    ) -> None:
        self._config, self._view = config, view
        self._links, self._surroundings = links, surroundings
        self._claims = claims
        self.staples = staples_by(surroundings.line)
        self.doors = Doors(config, view, trust, self.staples, self._arrive, surroundings.record)
        self._knowledge = Knowledge(claims.bequeath)
        claims.inherit = self._inherit
        self._passwords = PasswordDesk()
        self._schemas = Schemas(SchemaFiles())
        self._room = WaitingRoom(config.limits, surroundings.record, surroundings.certify)
        self._reporter, reporter.tracer.settings = reporter, config.traces
        self._csms = Switchboard(config, surroundings.record, partial(log.complain, who=WHO))
        self._csms.signer, self._csms.tally = _signer(trust[0]), reporter.tally
        self._policies = policies
        self._settling = Soon(self._settle)
        self._turns = Turns(asyncio.get_running_loop())
        self._reception = self._receive()

    def _arrive(self, *arrival: *tuple[Listener, socket.socket, str]) -> Awaitable[None]:
        return receive(self._reception, *arrival)

    def _receive(self) -> Reception:
        return Reception(
            self._config,
            self._view,
            self.doors.slots,
            self._passwords,
            self._claims,
            self._csms,
            self._surroundings.record,
            self._connect,
            self._surroundings.settle,
            self._room,
            self._turns,
            self._reporter.tally,
            self._reporter.tracer,
        )

    async def reload(self, config: Config, policies: Policies) -> None:
        """Go on by other settings; no live connection is touched that they allow.

        Doors that stay as they were stay open. Comes back when everybody goes by them, or by others that have come
        since. Raises a ``BollardError``, and changes nothing, when a new door cannot be opened or a CSMS not be reached
        with the files it names.
        """
        with self.doors.changing(config):
            self._csms.reload(config)
        policies.fleet.follow(self._policies.fleet)
        self._config, self._policies = config, policies
        self._reception = replace(self._reception, config=config)
        self._reporter.tracer.settings = config.traces
        self._room.send_away("the settings have changed")
        self._settling.ask(self._links.all())
        await self._settling.done()

    def _settle(self, link: Link) -> None:
        """Have one who is here go by the settings in force; by none at all rather than by others."""
        try:
            link.obey(self._policies.of)
        except BaseException:
            link.close(SERVICE_RESTART, "the proxy is restarting")
            raise
        self._let_stranger_go(link)
        self._links.judge([link.identity])

    def _let_stranger_go(self, link: Link) -> None:
        """Whoever is here because a listener let strangers in comes back, and is judged by what it says now."""
        if link.admitted.observed and not any(door.unknown is Unknown.OBSERVE for door in self._config.listeners):
            link.close(POLICY_VIOLATION, "nobody registered this station")

    async def follow(self, news: AsyncIterator[calls.News]) -> None:
        """Apply the authority's news for ever."""
        async for told in news:
            late = bool(self._view.late)
            if not isinstance(told, calls.CredentialsChanged):
                touched = reading.apply(self._view, told)
                self._links.judge(touched)
                self._room.judge(touched, self._view)
            if isinstance(told, calls.TrustChanged):
                self._room.send_away("what is trusted has changed")
            if isinstance(told, calls.Snapshot | calls.TrustChanged):
                self.doors.trust(told)
            if isinstance(told, calls.Snapshot | calls.CredentialsChanged):
                await self._fetch_credentials()
            if isinstance(told, calls.StatusChanged):
                self.staples.forget(told.issuer_key_id, told.serial)
            anew = isinstance(told, calls.Snapshot | calls.CredentialsChanged | calls.TrustChanged)
            if anew or bool(self._view.late) is not late:
                self.doors.renew()

    async def _fetch_credentials(self) -> None:
        """Whatever is wrong with new ones, the ones at hand are presented on."""
        credentials = self.doors.credentials
        try:
            credentials = await self._surroundings.line.ask(calls.FetchCredentials(), calls.Credentials)
            self._csms.signer = _signer(credentials)
            reading.present(self._view, credentials)
        except UnreachableError:
            pass  # gone again: its return is the next Snapshot
        except BollardError as problem:
            log.complain(problem, who=WHO)
        self.doors.present(credentials)

    async def end_when_outgrown(self) -> None:
        """Once it has too much memory, let the stations go; the supervisor starts another."""
        used = await memory.outgrown(self._config.worker_mib * memory.MIB)
        evidence = {"mib": used // memory.MIB, "worker_mib": self._config.worker_mib, "stations": len(self._links)}
        self._surroundings.record(Note("worker.outgrown", evidence=evidence))
        await self.drain()

    async def drain(self) -> None:
        """Accept no more, and let the stations go in the time that their number takes; what they say still goes on."""
        self._shut()
        await self._links.drain(self._surroundings.grace)

    async def retire(self) -> None:
        """Accept no more; whoever was accepted still comes in, and goes in its turn as those do who are here."""
        self._reporter.supervisor.shut()
        self.doors.shut()
        await self._links.let_go(lambda: HEAD_START + self._surroundings.grace())
        await self._knowledge.hand_on(self._claims.heir, self._policies.fleet)
        await self.doors.emptied(self._config.limits.arrival_seconds)
        await self._links.gone()

    async def report(self) -> None:
        """Tell the supervisor for ever what was counted, and how things stand."""
        await self._reporter.run(self._links, self._csms, self._passwords, self._claims)

    def leave(self) -> None:
        """Accept no more and end what is open."""
        self._shut()
        self._links.leave()
        self._room.leave()
        for link in self._links.all():
            self._reporter.look(link, carried=True)
        self._reporter.report(self._csms, self._passwords, self._claims)
        self._csms.close()
        self._passwords.close()

    def _shut(self) -> None:
        self.doors.close()
        self._reporter.supervisor.shut()

    def _connect(self, number: int, admitted: Admitted, leg: TlsLeg, upstream: UpstreamLeg, deflate: int) -> None:
        policy = self._policies.of(admitted.station, upstream.subprotocol)
        book, inside = (self._schemas.book(version) for version in (upstream.subprotocol, carried.VERSION))
        inspection = inspect(book, self._config.messages, inside)
        watch = self._watch(admitted, upstream.csms)
        session = Session(admitted, upstream.subprotocol, self._view, policy.plan, policy, inspection, watch)
        surroundings, limits = self._surroundings, self._config.limits
        link = Link(number, admitted, session, leg, upstream, limits, surroundings, self._ended, deflate)
        self._reporter.opened(link)  # it may end while it is added
        self._links.add(link)
        self._let_stranger_go(link)  # the settings may have changed while the CSMS was dialled
        self._surroundings.pin(admitted)

    def _watch(self, admitted: Admitted, csms: str) -> Watch:
        unique = self._config.transaction_ids is TransactionIds.UNIQUE
        return Watch(self._knowledge.at(csms), admitted.station.identity.text, refuses=unique)

    def _inherit(self, word: Bequeath) -> None:
        self._knowledge.take(word, {upstream.name for upstream in self._config.upstreams}, self._policies.fleet)

    def _ended(self, link: Link) -> None:
        self._links.remove(link)
        self._reporter.ended(link)
        self._claims.release(link.leg)


def _signer(credentials: calls.Credentials) -> Signer | None:
    return Signer.read(credentials.assertion_key) if credentials.assertion_key else None
