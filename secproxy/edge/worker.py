"""One proxy worker, put together: what the ledger says, the doors, the live connections.

Rules this file keeps:

* Every change the authority tells of is applied at once and each live connection it touches is judged again before the
  next news is read.
* While the authority is away the worker goes on with what it knows; nothing that needs a decision of the authority's
  is allowed meanwhile.
* The worker lives no longer than its supervisor's claim line.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import random
import signal
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import uvloop
from cryptography import x509

from pki.edge import calls, hardening, log
from pki.errors import BollardError, ConflictError, ForbiddenError, UnreachableError
from pki.station import SecurityProfile
from secproxy import transactions
from secproxy.assertion import Signer
from secproxy.config import TransactionIds, Unknown, parse_config, unsafe_listeners, write_address
from secproxy.edge import memory, reading
from secproxy.edge.arrival import Reception, receive
from secproxy.edge.authority_line import AuthorityLine
from secproxy.edge.claim_line import ClaimLine
from secproxy.edge.claim_wire import Record, Recorded
from secproxy.edge.fence import fence_in
from secproxy.edge.journal import Journal
from secproxy.edge.links import Links
from secproxy.edge.listener import Doorway, Listener, Slots
from secproxy.edge.passwords import PasswordDesk
from secproxy.edge.policies import Policies, read_policies_in_force
from secproxy.edge.recordings import Recordings
from secproxy.edge.relay import Link
from secproxy.edge.reporter import Reporter
from secproxy.edge.schema_files import SchemaFiles
from secproxy.edge.sockets import Hatch, close_all
from secproxy.edge.staples import staples_by
from secproxy.edge.switchboard import Switchboard
from secproxy.edge.tls_context import server_context
from secproxy.edge.turns import Turns
from secproxy.edge.waiting_room import Waiting, WaitingRoom
from secproxy.events import Note
from secproxy.frames import POLICY_VIOLATION
from secproxy.inspection import inspect
from secproxy.reachability import spread
from secproxy.renewal import Certified, Certify
from secproxy.schemas import Schemas
from secproxy.session import Ask, Declined, Granted, Learn, Session
from secproxy.tally import Tally

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sized

    from OpenSSL import SSL

    from pki.edge.home import Home
    from secproxy.admission import Admitted
    from secproxy.config import Config, Limits, ListenerConfig
    from secproxy.edge.sockets import Place
    from secproxy.edge.tls import TlsLeg
    from secproxy.edge.upstream import UpstreamLeg
    from secproxy.station_view import View


COLLECT: Final = (20_000, 50, 50)  # objects between collections: connections make few cycles and many objects
WHO: Final = "bollard"  # what a worker calls itself to people
HEAD_START: Final = 1.0  # seconds until the first is let go: by then no worker that was replaced accepts any more
FAULT_LENGTH: Final = 500  # characters of the line that tells of a fault of ours


def run_worker(home: Home, number: int, generation: int = 1) -> None:
    """Run one worker until SIGTERM, or until its supervisor is gone."""
    hatch = Hatch.inherited()
    hardening.begin(home.path)
    config = _in_force(home)
    if config.fenced:
        _fence_in(home, config, number)
    gc.freeze()
    gc.set_threshold(*COLLECT)
    uvloop.run(_run(home, config, Post(number, generation, hatch)))


def _in_force(home: Home) -> Config:
    return parse_config(home.run.joinpath("config.toml").read_text())


def _fence_in(home: Home, config: Config, number: int) -> None:
    """Give up what no worker needs, before anything of a stranger's is read."""
    try:
        version = fence_in(home, config)
    except OSError as refused:
        raise ForbiddenError(
            "worker.fence",
            f"the kernel does not fence this worker in: {refused.strerror}",
            "Allow the landlock_ calls where it runs, or set unsafe_no_landlock = true in [proxy].",
        ) from None
    if not version and number == 0:
        says = "this kernel has no Landlock: a worker that is taken over could read what its user can"
        _tell_operator("worker.unfenced", says)


@dataclass(frozen=True, slots=True)
class Post:
    """Which of the workers this is, of which generation, and by what it is handed its sockets; None where by nobody."""

    number: int
    generation: int = 1
    hatch: Hatch | None = None


async def _run(home: Home, config: Config, post: Post) -> None:
    asyncio.get_running_loop().set_exception_handler(_tell_fault)
    end = End()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, end.asked.set)
    with contextlib.closing(Journal(home.journal, f"worker-{post.number}")) as journal:
        work = asyncio.ensure_future(_work(home, config, post, journal, end))
        stopped = asyncio.ensure_future(end.asked.wait())
        await asyncio.wait([work, stopped], return_when=asyncio.FIRST_COMPLETED)
        if not end.begun:
            work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


@dataclass(slots=True)
class End:
    """How a worker ends: ``asked`` to; ``begun`` once it has doors to close first, so that it is not cut off;
    ``replaced`` where others accept from its sockets already."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    begun: bool = False
    replaced: asyncio.Event = field(default_factory=asyncio.Event)

    async def by_and_by(self, worker: Worker) -> None:
        """When asked to end, let the stations go one after the other."""
        self.begun = True
        await self.asked.wait()
        await worker.drain()

    async def when_replaced(self, worker: Worker) -> None:
        """When others have taken its place, see in who is on the way, and let the stations go as well."""
        await self.replaced.wait()
        await worker.retire()


async def _work(home: Home, config: Config, post: Post, journal: Journal, end: End) -> None:
    line = AuthorityLine(home)
    async with contextlib.aclosing(line.news()) as news:
        await _work_on(home, config, post, Surroundings(line, journal, config.limits), news, end)


async def _work_on(
    home: Home,
    config: Config,
    post: Post,
    surroundings: Surroundings,
    news: AsyncGenerator[calls.News, None],
    end: End,
) -> None:
    snapshot = await anext(news)
    assert isinstance(snapshot, calls.Snapshot)  # noqa: S101 - the authority's first news is always that
    credentials = await surroundings.line.ask(calls.FetchCredentials(), calls.Credentials)
    view = reading.view_of(snapshot)
    reading.present(view, credentials)
    links = surroundings.links = Links(view, config.limits, surroundings.record)
    supervisor = await ClaimLine.connect(home, post.number, links.probe, links.drop, post.generation)
    policies = read_policies_in_force(home, config)
    reporter = Reporter(post.number, Tally(), surroundings.journal, supervisor)
    worker = Worker(config, view, (credentials, snapshot), links, supervisor, surroundings, policies, reporter)
    supervisor.reload = lambda: _reload(home, worker)
    recordings = Recordings(home.recordings, surroundings.record)
    supervisor.record = lambda word: _record(links, recordings, word)
    supervisor.retire = end.replaced.set
    if post.number == 0:
        surroundings.tell_unsafe(config)
    try:
        await _first_end(
            _open(worker, post.hatch, supervisor),
            worker.follow(news),
            links.expire(),
            supervisor.closed(),
            worker.staples.keep(),
            worker.end_when_outgrown(),
            worker.report(),
            end.by_and_by(worker),
            end.when_replaced(worker),
        )
    finally:
        worker.leave()


async def _open(worker: Worker, hatch: Hatch | None, supervisor: ClaimLine) -> None:
    """Open the doors once it is this worker's turn, and accept ever after from the sockets that are handed over."""
    if hatch is None:
        worker.open()
        supervisor.ready()
    else:
        supervisor.prepared()
        given, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(hatch.fileno(), given.set)
        await given.wait()
        loop.remove_reader(hatch.fileno())
        worker.open(hatch)
        supervisor.ready()
        loop.add_reader(hatch.fileno(), worker.take_sockets)
    await supervisor.closed()


def _reload(home: Home, worker: Worker) -> None:
    config = _in_force(home)
    worker.reload(config, read_policies_in_force(home, config))


def _record(links: Links, recordings: Recordings, word: Record) -> Recorded:
    link = links.of(word.identity)
    if link is None:
        return Recorded(word.ticket)
    try:
        if word.minutes:
            return Recorded(word.ticket, recordings.begin(link, word.minutes * 60.0, plain=word.plain))
        return Recorded(word.ticket, recordings.stop(word.identity))
    except BollardError as problem:
        return Recorded(word.ticket, "", problem.code, problem.cause, problem.advice)


async def _first_end(*works: Coroutine[object, object, None]) -> None:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Surroundings:
    """What live connections need of the world (``relay.Surroundings``): the journal and the authority."""

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

    def tell_unsafe(self, config: Config) -> None:
        """Say which listeners take old TLS, and for whom: on record at every start, by one worker for all."""
        for problem in unsafe_listeners(config):
            self.record(Note("listener.unsafe", evidence=problem))
            says = f"{problem['setting']}: {problem['listener']} weakens security for whoever comes to it"
            _tell_operator("listener.unsafe", says)
        for door in config.listeners:
            if door.legacy:
                address, stations = write_address(door.host, door.port), ", ".join(door.legacy)
                self.record(Note("tls.legacy", evidence={"listener": address, "stations": stations}))
                says = f"unsafe_legacy_tls: {address} takes TLS 1.0 and 1.1, which are broken, from {stations}"
                _tell_operator("tls.unsafe", says)

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
            _tell_operator("station.unrecorded", f"{call.identity}: what it showed was not recorded: {failure}")

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
            _tell_operator("boot.unrecorded", f"{link.identity}: boot not recorded: {failure}")

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Worker:
    """The doors of one worker and the way from there to a live connection.

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
        self._credentials, self._anchors = trust[0], _station_anchors(trust[1])
        self._links, self._surroundings = links, surroundings
        self._claims = claims
        self.staples = staples_by(surroundings.line)
        self.staples.present(self._credentials)
        self._transactions: dict[str, transactions.Transactions] = {}
        self._passwords = PasswordDesk()
        self._schemas = Schemas(SchemaFiles())
        self._room = WaitingRoom(config.limits, surroundings.record, surroundings.certify)
        self._reporter, reporter.tracer.settings = reporter, config.traces
        self._csms = Switchboard(config, surroundings.record, partial(log.complain, who=WHO))
        self._csms.signer, self._csms.tally = _signer(trust[0]), reporter.tally
        self._policies = policies
        self._slots = Slots(config.limits.handshakes_at_once)
        self._doorway = Doorway(config.limits.arrivals_of_one, config.limits.arrivals_queued, self._crowded)
        self._turns = Turns(asyncio.get_running_loop())
        self._reception = self._receive()
        self._listeners: list[Listener] = []
        self._hatch: Hatch | None = None
        self._sockets: dict[Place, socket.socket] = {}  # handed over, and of no door that is open
        self.opened = False

    def open(self, hatch: Hatch | None = None) -> None:
        """Open the doors, on the sockets that come through the hatch; without one, each on a socket of its own."""
        self._hatch = hatch
        self.take_sockets()
        self._listeners = [self._open(address) for address in self._config.listeners]
        self.opened = True

    def take_sockets(self) -> None:
        """Accept from the sockets that were handed over last, and from no other."""
        if self._hatch is None:
            return
        try:
            given = self._hatch.take()
        except EOFError:  # nobody is left to hand over any
            asyncio.get_running_loop().remove_reader(self._hatch.fileno())
            return
        if given is None:
            return
        close_all(self._sockets)
        self._sockets = given
        for door in self._listeners:
            with contextlib.suppress(OSError):  # a door that is about to be closed
                door.accept_from(self._claim(door.config))

    def _claim(self, address: ListenerConfig) -> dict[int, socket.socket]:
        """Take those of one address out of the sockets that were handed over."""
        mine = [place for place in self._sockets if (place.host, place.port) == (address.host, address.port)]
        if not mine:
            raise OSError(errno.EADDRNOTAVAIL, "no socket was handed over for it")
        return {place.number: self._sockets.pop(place) for place in mine}

    def _sockets_for(self, address: ListenerConfig) -> dict[int, socket.socket]:
        """Those that a new door accepts from: those of the one whose place it takes, whose settings were others."""
        for door in self._listeners:
            if (door.config.host, door.config.port) == (address.host, address.port):
                return door.lend()
        return self._claim(address)

    def _receive(self) -> Reception:
        return Reception(
            self._config,
            self._view,
            self._slots,
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

    def _open(self, address: ListenerConfig) -> Listener:
        return Listener(
            address,
            self._context(address),
            self._slots,
            self._doorway,
            lambda *arrival: receive(self._reception, *arrival),
            self._surroundings.record,
            self._config.limits,
            self._sockets_for(address) if self._hatch else None,
        )

    def reload(self, config: Config, policies: Policies) -> None:
        """Go on by other settings; no live connection is touched that they allow.

        Doors that stay as they were stay open. Raises a ``BollardError``, and changes nothing, when a new door cannot
        be opened or a CSMS not be reached with the files it names.
        """
        self.take_sockets()  # handed over before the word came
        doors = self._reopen(config) if self.opened else set[Listener]()
        try:
            self._csms.reload(config)
        except BollardError:
            for door in doors - set(self._listeners):
                door.close()
            raise
        for door in set(self._listeners) - doors:
            door.close()
        self._config, self._listeners, self._policies = config, list(doors), policies
        self._reception = replace(self._reception, config=config)
        self._reporter.tracer.settings = config.traces
        for link in self._links.all():
            link.obey(policies.of)
        self._let_strangers_go(config)
        self._links.judge()

    def _let_strangers_go(self, config: Config) -> None:
        """Whoever is here because a listener let strangers in comes back, and is judged by what it says now."""
        self._room.leave("the settings have changed")
        if not any(door.unknown is Unknown.OBSERVE for door in config.listeners):
            for link in self._links.all():
                if link.admitted.observed:
                    link.close(POLICY_VIOLATION, "nobody registered this station")

    def _reopen(self, config: Config) -> set[Listener]:
        """The doors of these settings, those that are open already among them."""
        kept = {door.config: door for door in self._listeners}
        found: set[Listener] = set()
        try:
            for address in config.listeners:
                found.add(kept.get(address) or self._open(address))
        except OSError as problem:
            for door in found - set(self._listeners):
                door.close()
            raise ConflictError(
                "up.address", f"a new listener: {problem.strerror}", "Choose another address."
            ) from None
        return found

    async def follow(self, news: AsyncIterator[calls.News]) -> None:
        """Apply the authority's news for ever."""
        async for told in news:
            late = bool(self._view.late)
            if not isinstance(told, calls.CredentialsChanged):
                touched = reading.apply(self._view, told)
                self._links.judge(touched)
                self._room.judge(touched, self._view)
            if isinstance(told, calls.TrustChanged):
                self._room.leave("what is trusted has changed")
            if isinstance(told, calls.Snapshot | calls.TrustChanged):
                self._anchors = _station_anchors(told)
            if isinstance(told, calls.Snapshot | calls.CredentialsChanged):
                await self._fetch_credentials()
                self.staples.present(self._credentials)
            if isinstance(told, calls.StatusChanged):
                self.staples.forget(told.issuer_key_id, told.serial)
            anew = isinstance(told, calls.Snapshot | calls.CredentialsChanged | calls.TrustChanged)
            if anew or bool(self._view.late) is not late:
                for listener in self._listeners:
                    listener.context = self._context(listener.config)

    async def _fetch_credentials(self) -> None:
        """Whatever is wrong with new ones, the ones at hand are presented on."""
        try:
            self._credentials = await self._surroundings.line.ask(calls.FetchCredentials(), calls.Credentials)
            self._csms.signer = _signer(self._credentials)
            reading.present(self._view, self._credentials)
        except UnreachableError:
            pass  # gone again: its return is the next Snapshot
        except BollardError as problem:
            log.complain(problem, who=WHO)

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
        doors, self._listeners, self.opened = self._listeners, [], False
        self._reporter.supervisor.shut()
        for door in doors:
            door.shut()
        self._links.let_go(lambda: HEAD_START + self._surroundings.grace())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.limits.arrival_seconds):
                await asyncio.gather(*(door.emptied() for door in doors))
        for door in doors:
            door.close()
        await self._links.gone()

    async def report(self) -> None:
        """Tell the supervisor for ever what was counted, and how things stand."""
        await self._reporter.run(self._links, self._csms, self._passwords, self._claims)

    def leave(self) -> None:
        """Accept no more and end what is open."""
        self._shut()
        self._links.leave()
        self._room.leave()
        self._reporter.report(self._links, self._csms, self._passwords, self._claims)
        self._csms.close()
        self._passwords.close()

    def _shut(self) -> None:
        listeners, self._listeners, self.opened = self._listeners, [], False
        for listener in listeners:
            listener.close()
        close_all(self._sockets)
        self._sockets = {}
        self._reporter.supervisor.shut()

    def _context(self, listener: ListenerConfig) -> SSL.Context | None:
        if listener.profile is SecurityProfile.BASIC:
            return None
        return server_context(
            self._credentials,
            self._anchors,
            mutual=listener.profile is SecurityProfile.MUTUAL_TLS,
            legacy=bool(listener.legacy),
            late=bool(self._view.late),
            staple=self.staples.of,
        )

    def _crowded(self, address: str) -> None:
        self._surroundings.record(Note("door.crowded", remote=address))

    def _connect(self, number: int, admitted: Admitted, leg: TlsLeg, upstream: UpstreamLeg, deflate: int) -> None:
        policy = self._policies.of(admitted.station, upstream.subprotocol)
        inspection = inspect(self._schemas.book(upstream.subprotocol), self._config.messages)
        watch = self._watch(admitted, upstream.csms)
        session = Session(admitted, upstream.subprotocol, self._view, policy.plan, policy, inspection, watch)
        surroundings, limits = self._surroundings, self._config.limits
        link = Link(number, admitted, session, leg, upstream, limits, surroundings, self._ended, deflate)
        self._reporter.opened(link)  # it may end while it is added
        self._links.add(link)
        self._surroundings.pin(admitted)

    def _watch(self, admitted: Admitted, csms: str) -> transactions.Watch:
        """Each CSMS numbers transactions for itself."""
        known = self._transactions.setdefault(csms, transactions.Transactions())
        unique = self._config.transaction_ids is TransactionIds.UNIQUE
        return transactions.Watch(known, admitted.station.identity.text, refuses=unique)

    def _ended(self, link: Link) -> None:
        self._links.remove(link)
        self._reporter.ended(link)
        self._claims.release(link.leg)


def _signer(credentials: calls.Credentials) -> Signer | None:
    return Signer.read(credentials.assertion_key) if credentials.assertion_key else None


def _station_anchors(told: calls.Snapshot | calls.TrustChanged) -> list[x509.Certificate]:
    """What a station's certificate may end in: our issuers for stations and the anchors given for stations, no root."""
    issuers, anchors = reading.trusted(told.issuers, told.anchors)
    ours = [row.pem for row in issuers if row.purpose == "station"]
    others = [row.pem for row in anchors if row.purpose == "station"]
    return [x509.load_pem_x509_certificate(pem.encode()) for pem in ours + others]


def _tell_fault(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A fault of ours that nobody foresaw costs the one connection it happened in, and is told in one line."""
    says = f"a fault in this program: {context.get('message')}: {context.get('exception')!r}"[:FAULT_LENGTH]
    log.say("process.fault", says, who=WHO, level=log.Level.ERROR)


def _tell_operator(kind: str, says: str) -> None:
    log.say(kind, says, who=WHO, level=log.Level.WARNING)
