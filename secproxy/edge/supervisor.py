"""``bollard up``: every process of one home is started in order, kept running, and ended in order.

Rules this file keeps:

* One supervisor per home, by ``run/up.lock``. It holds no key and reads no message; it keeps the claims of the workers,
  because it is the one process that outlives each of them.
* Order: authority, then workers and web, then ``bollard ready``; and back: workers, web, authority.
* A process that gives up while all is being started (a wrong passphrase, an address that is taken) ends the start, with
  its exit code. Later on a process that dies is started again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import socket
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import uvloop

from pki.edge import hardening, log
from pki.edge.client import Authority
from pki.edge.lock import locked
from pki.errors import BollardError, ConflictError, InputError, UnreachableError
from secproxy.config import reachable
from secproxy.edge import births, succession
from secproxy.edge.children import WHO
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.claim_estate import Kept
from secproxy.edge.claim_wire import BEQUEST_FORM, Process, UpgradeDone
from secproxy.edge.crew import Crew
from secproxy.edge.descriptors import allow_descriptors, tell_of_descriptors
from secproxy.edge.effective import config_in_force, in_force
from secproxy.edge.export.lines import refuse_unfit
from secproxy.edge.journal import Journal
from secproxy.edge.lockout_file import keeping, present, read_lockouts
from secproxy.edge.policies import read_policies
from secproxy.edge.races import any_of, comes_first
from secproxy.edge.reloading import Reloader
from secproxy.edge.sockets import WEB, Sockets, hand, places, refuse_taken
from secproxy.edge.upgrading import Upgrader
from secproxy.reload import Reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from pki.edge.home import Home
    from secproxy.config import Config
    from secproxy.edge.children import Child
    from secproxy.edge.claim_wire import Mate, Reloaded
    from secproxy.edge.sockets import Place
    from secproxy.events import Note

WATCH_SECONDS: Final = 1.0  # seconds between two looks at whether the settings' file was changed
RELOAD_SECONDS: Final = 10.0  # seconds a worker has to take new settings; it opens sockets and reads files, no more
SETTLE_SECONDS: Final = 1.0  # seconds that a worker has to take what it was told, before the code is exchanged
LOOK_SECONDS: Final = 0.05  # seconds between two tries to reach a process that is starting


def run_up(
    home: Home, read: Callable[[], Config], *, authority: bool = True, web: bool = True, version: str = ""
) -> int:
    """Run until SIGTERM or SIGINT and return the exit code. ``read`` reads the settings, now and whenever they change.

    ``ConflictError("up.running")`` when this home is up already, ``ConflictError("up.address")`` when an address to
    listen on is taken, ``InputError("up.upstream")`` when no CSMS is named,
    ``InputError("sink.file")`` when a file that events are sent on with is unfit.
    """
    rehearsal, left = succession.rehearsed(), succession.inherited()
    hardening.begin(home.path)
    config = config_in_force(home) if left else _whole(read())
    if rehearsal is not None:
        return _rehearse(home, config, version)
    with locked(home.run / "up.lock", left.lock if left else -1) as lock:
        if lock < 0:
            raise ConflictError("up.running", "this home is up already", "Stop the other 'bollard up' first.")
        if left is None:
            refuse_unfit(home, config)
            refuse_taken((place.host, place.port) for place in places(config, 1, web=web))
        tell_of_descriptors(allow_descriptors())
        with in_force(home, None if left else config), closing(Journal(home.journal, "supervisor")) as journal:
            parts = Parts(authority=authority, web=web, version=version, lock=lock)
            supervisor = Supervisor(home, config, lambda: _whole(read()), journal, parts, left)
            return uvloop.run(supervisor.run())


def _rehearse(home: Home, config: Config, version: str) -> int:
    """All that was handed over could be read, and so could the settings: say who would take over."""
    read_policies(home, config.policies)
    sys.stdout.write(msgspec.json.encode(succession.Successor(sys.executable, version)).decode() + "\n")
    return 0


def _whole(config: Config) -> Config:
    """Settings with a number of workers: one for each core, where they name none. ``InputError`` without any CSMS."""
    if not config.upstreams:
        raise InputError(
            "up.upstream", "no CSMS is named", "Give --upstream ws://HOST:PORT, or set [csms].upstream in bollard.toml."
        )
    return dataclasses.replace(config, workers=config.workers or len(os.sched_getaffinity(0)))


@dataclass(frozen=True, slots=True)
class Parts:
    """What is brought up besides workers, by which version, and the descriptor of the lock that is held on the home."""

    authority: bool
    web: bool
    version: str
    lock: int


class Supervisor:
    """The processes of one home, from start to end. ``left`` is what the code before left to this."""

    def __init__(
        self,
        home: Home,
        config: Config,
        read: Callable[[], Config],
        journal: Journal,
        parts: Parts,
        left: succession.Estate | None,
    ) -> None:
        self._home, self._journal, self._parts, self._left = home, journal, parts, left
        self._config = config
        held = {each.place: socket.socket(fileno=each.descriptor) for each in left.sockets} if left else {}
        self._sockets = Sockets(held)
        self._crew = Crew(config, self._sockets, self._make_worker, self._tell_to_retire)
        python, ended = sys.executable, self._ended
        self._authority = [births.authority(home, python, ended)] if parts.authority else []
        transfers = config.limits.transfer_end_seconds
        self._web = [births.web(home, python, transfers, ended, self._hand_web)] if parts.web else []
        self._since = left.since if left else time.time()
        in_force = (left.settings, left.policies) if left else None
        self._reloader = Reloader(home, config, read, self, in_force)
        turn, version = self._reloader.turn, parts.version
        self._upgrader = Upgrader(home, self, self._crew, turn, version, authority=parts.authority)
        self._gave_up: asyncio.Future[int] | None = None  # the exit code of a process that ended during the start
        self._asked: asyncio.Future[int]
        self._desk = ClaimDesk(
            config.limits.probe_seconds,
            self._crew.has_opened,
            self._reloader.reload,
            processes=self._processes,
            prepared=self._crew.is_prepared,
            shut=self._crew.has_shut,
            upgrade=self._upgrader.upgrade,
            judge=self._reloader.judge,
            kept=left.desk if left else Kept(lockouts=read_lockouts(home, present())),
        )

    async def run(self) -> int:
        """Start, keep and end all; return the exit code."""
        hung_up, upgraded = asyncio.Event(), asyncio.Event()
        self._asked = asked = _signalled(hung_up, upgraded)
        succession.hear_signals()
        gave_up: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self._left is None:
            self._gave_up = gave_up
            self._sockets.keep(self._places(self._config))
        else:
            self._adopt(self._left)
        async with self._desk.open(self._home.claims_socket), keeping(self._home, self._desk.lockouts):
            try:
                if self._left is not None:
                    self._upgrader.finish(self._left)
                elif await comes_first(self._start(), asked, gave_up):
                    self._gave_up = None
                    log.say("process.ready", "bollard ready")
                if not asked.done() and not gave_up.done():
                    await comes_first(self._follow(hung_up, upgraded), asked)
            finally:
                await self._stop()
        return gave_up.result() if gave_up.done() else 0

    async def _start(self) -> None:
        for child in self._authority:
            child.start()
            await _until_authority(self._home)
        self._crew.resize(self._config)
        for child in self._web:
            child.start()
        for sock in self._sockets.of("web", {0}).values():  # which knows its port, also one of the system's choosing
            await _until_open(*sock.getsockname()[:2])
        await self._crew.all_open()

    async def _follow(self, hung_up: asyncio.Event, upgraded: asyncio.Event) -> None:
        """Upgrade at SIGUSR2, reload at SIGHUP, and whenever the settings' file was changed, for ever."""
        while True:
            await any_of(hung_up, upgraded, seconds=WATCH_SECONDS)
            if upgraded.is_set():
                upgraded.clear()
                await self._upgrader.upgrade_unasked()
            if hung_up.is_set() or self._reloader.touched():
                hung_up.clear()
                done = await self._reloader.reload()
                if done.code:
                    log.complain(BollardError(done.code, done.cause, done.advice), who=WHO)
                else:
                    changed = ", ".join(done.changed) or "no change"
                    log.say("settings.reloaded", f"settings reloaded: {changed}", who=WHO)

    # -- what a reload needs (``reloading.World``) -----------------------------------------------------------------

    def record(self, note: Note) -> None:
        """Write a security event; a journal that cannot be written stops nothing."""
        try:
            self._journal.write(note)
        except BollardError as lost:
            log.complain(lost, who=WHO)

    def look_for_room(self, config: Config) -> None:
        """``ConflictError`` when an address that these settings add is taken."""
        held = {place[:3] for place in self._sockets.all()}
        refuse_taken({place[1:3] for place in self._places(config) if place[:3] not in held})

    async def try_authority(self) -> None:
        """``ConflictError`` when an authority of ours could not start with the settings that the file has now."""
        if self._parts.authority:
            words = births.authority_rehearsal(self._home, sys.executable)
            await succession.try_out(words, os.environ, (), _no_authority)

    def make_room(self, config: Config) -> None:
        """Hand out sockets for these settings beside those there are; ``ConflictError`` when an address is taken."""
        self.look_for_room(config)
        self._sockets.keep([*self._places(self._config), *self._places(config)])
        self._crew.deal()

    def settle(self, config: Config) -> None:
        """Go on with these settings: take back the sockets that they do not name, have as many workers as they say."""
        self._config = config
        self._sockets.keep(self._places(config))
        self._crew.deal()
        self._crew.resize(config)

    async def tell_workers(self) -> list[Reloaded]:
        """Have every worker take the settings in force."""
        return await self._desk.reload_workers(RELOAD_SECONDS)

    def renew(self, readers: frozenset[Reader]) -> None:
        """Start the authority or the web process again; workers go on without either meanwhile."""
        for reader, children in ((Reader.AUTHORITY, self._authority), (Reader.WEB, self._web)):
            for child in children if reader in readers else ():
                child.renew()

    # -- what an upgrade needs besides (``upgrading.World``) -------------------------------------------------------

    def is_ending(self) -> bool:
        """Whether everything is about to end."""
        return self._asked.done()

    async def fall_silent(self) -> None:
        """Have all that was said taken by whoever it was said to, and write no more."""
        await self._desk.settled(SETTLE_SECONDS)
        self._journal.close()

    def answer_upgrade(self, done: UpgradeDone) -> None:
        """Answer those who asked the code before for what has come about."""
        self._desk.answer_upgrade(done)

    def estate(self, candidates: int) -> succession.Estate:
        """All that is left to the code after this; ``candidates`` is the generation that waits for its sockets."""
        workers = [(mate, child, False) for mate, child in self._crew.children.items()]
        workers += [(mate, child, True) for mate, child in self._crew.leaving.items()]
        sockets = [succession.KeptSocket(place, sock.fileno()) for place, sock in self._sockets.all().items()]
        return succession.Estate(
            lock=self._parts.lock,
            since=self._since,
            generation=self._crew.generation,
            candidates=candidates,
            settings=self._reloader.text,
            policies=dict(self._reloader.policies),
            children=[
                *(_kept(child) for child in (*self._authority, *self._web)),
                *(_kept(child, mate, leaving=leaving) for mate, child, leaving in workers),
            ],
            sockets=sockets,
            desk=self._desk.hand_over(),
            bequests=self._bequests(self._crew.generation),
        )

    def _adopt(self, left: succession.Estate) -> None:
        succession.keep_from_heirs(left)
        self._crew.generation = left.generation
        mates: list[tuple[Mate, Child]] = []
        leaving: list[tuple[Mate, Child]] = []
        for each in left.children:
            if each.mate is None:
                children = [child for child in (*self._authority, *self._web) if child.name == each.name]
            else:
                children = [self._make_worker(each.mate)]
                (leaving if each.leaving else mates).append((each.mate, children[0]))
            for child in children:
                line = socket.socket(fileno=each.line) if each.line >= 0 else None
                child.adopt(each.pid, each.since, each.starts, line)
        self._crew.adopt(mates, leaving, left.desk.open.values())

    # -- the processes ---------------------------------------------------------------------------------------------

    async def _stop(self) -> None:
        await self._upgrader.stop()
        await self._crew.stop()
        for children in (self._web, self._authority):
            await asyncio.gather(*(child.stop() for child in children))
        self._sockets.close()

    def _processes(self) -> list[Process]:
        generation = self._crew.generation
        myself = Process("supervisor", os.getpid(), self._since, 0, generation)
        first, last = ([child.seen(generation) for child in children] for children in (self._authority, self._web))
        return [myself, *first, *self._crew.processes(), *last]

    def _make_worker(self, mate: Mate) -> Child:
        def ended(code: int) -> None:
            self._crew.has_ended(mate)
            self._ended(code)

        executable = self._upgrader.executable(mate.generation)
        spread = self._config.limits.close_spread_seconds
        return births.worker(self._home, executable, mate, spread, ended, lambda _: self._crew.started(mate))

    def _tell_to_retire(self, mate: Mate) -> None:
        self._desk.retire(mate, BEQUEST_FORM if self._bequests(mate.generation) else 0)

    def _bequests(self, generation: int) -> int:
        """The form in which workers of a generation hand on what they know; older code is not to be asked for it."""
        return self._left.bequests if self._left and generation <= self._left.generation else BEQUEST_FORM

    def _hand_web(self, child: Child) -> None:
        pages = {place: sock for duty in WEB for place, sock in self._sockets.of(duty, {0}).items()}
        if child.line is not None:
            hand(child.line, pages)

    def _places(self, config: Config) -> list[Place]:
        """Those for stations are as many as there were workers at most: whoever waits in one waits for somebody."""
        most = max((number + 1 for number in self._sockets.numbers()), default=0)
        return places(config, max(config.workers, most), web=self._parts.web)

    def _ended(self, code: int) -> None:
        if code > 0 and self._gave_up is not None and not self._gave_up.done():
            self._gave_up.set_result(code)


def _no_authority(says: str) -> BollardError:
    cause = f"the authority could not start with these settings: {says}"
    return ConflictError("reload.authority", cause, "What is up goes on as it was. Put right what it says.")


def _kept(child: Child, mate: Mate | None = None, *, leaving: bool = False) -> succession.KeptChild:
    line = child.line.fileno() if child.line else -1
    return succession.KeptChild(child.name, child.pid, child.since, child.starts, line, mate, leaving)


def _signalled(hung_up: asyncio.Event, upgraded: asyncio.Event) -> asyncio.Future[int]:
    """Come true with the first SIGTERM or SIGINT; those after it change nothing. SIGHUP and SIGUSR2 set events."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[int] = loop.create_future()

    def told(number: int) -> None:
        if not asked.done():
            asked.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told, number)
    loop.add_signal_handler(signal.SIGHUP, hung_up.set)
    loop.add_signal_handler(signal.SIGUSR2, upgraded.set)
    return asked


async def _until_authority(home: Home) -> None:
    while True:
        try:
            authority = await Authority.connect(home)
        except UnreachableError:
            await asyncio.sleep(LOOK_SECONDS)
        else:
            await authority.close()
            return


async def _until_open(host: str, port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(reachable(host), port)
        except OSError:
            await asyncio.sleep(LOOK_SECONDS)
        else:
            writer.close()
            return
