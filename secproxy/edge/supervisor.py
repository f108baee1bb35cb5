"""``bollard up``: every process of one home is started in order, kept running, and ended in order.

Rules this file keeps:

* One supervisor per home, by ``run/up.lock``. It holds no key and reads no message; it keeps the claims of the workers,
  because it is the one process that outlives each of them.
* Order: authority, then workers and web, then ``bollard ready``; and back: workers, web, authority.
* A process that gives up while all is being started (a wrong passphrase, an address that is taken) ends the start, with
  its exit code. Later on a process that dies is started again.
* The passphrase, and the PIN of a hardware token, go to the authority alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import resource
import signal
import socket
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

import uvloop

from pki.edge import hardening, log
from pki.edge.client import Authority
from pki.edge.lock import exclusive
from pki.edge.policies import FOLDER
from pki.errors import BollardError, ConflictError, InputError, UnreachableError
from secproxy.edge.children import GRACE_SECONDS, WHO, Child
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.claim_wire import Process
from secproxy.edge.effective import in_force
from secproxy.edge.journal import Journal
from secproxy.edge.reloading import Reloader
from secproxy.reload import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from pki.edge.home import Home
    from secproxy.config import Config, ListenerConfig
    from secproxy.edge.claim_wire import Reloaded
    from secproxy.events import Note

WATCH_SECONDS: Final = 1.0  # seconds between two looks at whether the settings' file was changed
RELOAD_SECONDS: Final = 10.0  # seconds a worker has to take new settings; it opens sockets and reads files, no more
LOOK_SECONDS: Final = 0.05  # seconds between two tries to reach a process that is starting
FOR_TLS: Final = {"OPENSSL_CONF": str(FOLDER / "tls" / "openssl.cnf")}
FOR_WORKERS: Final = FOR_TLS | {
    "MALLOC_TRIM_THRESHOLD_": str(64 * 1024 * 1024),  # bytes; glibc would give the heap's top back at every TLS read,
    "MALLOC_MMAP_THRESHOLD_": str(4 * 1024 * 1024),  # bytes; and map each larger buffer anew
}
"""What OpenSSL and the C library read from a process' environment, and no call of ours can set."""
DESCRIPTORS_WANTED: Final = 20_000  # files that a worker may open; two for each of 10,000 stations
DESCRIPTORS_SPARE: Final = 100  # of them for everything else
SECRETS: Final = (
    "BOLLARD_PASSPHRASE",
    "BOLLARD_HSM_PIN",
    "BOLLARD_KEY_PASSWORD",
)  # how variables begin that only the authority may see


def run_up(home: Home, read: Callable[[], Config], *, authority: bool = True, web: bool = True) -> int:
    """Run until SIGTERM or SIGINT and return the exit code. ``read`` reads the settings, now and whenever they change.

    ``ConflictError("up.running")`` when this home is up already, ``ConflictError("up.address")`` when an address to
    listen on is taken, ``InputError("up.upstream")`` when no CSMS is named.
    """
    hardening.begin(home.path)
    config = read()
    if not config.upstreams:
        raise InputError(
            "up.upstream", "no CSMS is named", "Give --upstream ws://HOST:PORT, or set [csms].upstream in bollard.toml."
        )
    with exclusive(home.run / "up.lock") as mine:
        if not mine:
            raise ConflictError("up.running", "this home is up already", "Stop the other 'bollard up' first.")
        _refuse_taken(_addresses(config, web=web))
        _tell_of_descriptors(_allow_descriptors())
        with in_force(home, _counted(config)), closing(Journal(home.journal, "supervisor")) as journal:
            supervisor = Supervisor(home, lambda: _counted(read()), journal, authority=authority, web=web)
            return uvloop.run(supervisor.run())


def _counted(config: Config) -> Config:
    """Settings with a number of workers: one for each core, where they name none."""
    return dataclasses.replace(config, workers=config.workers or len(os.sched_getaffinity(0)))


class Supervisor:
    """The processes of one home, from start to end."""

    def __init__(self, home: Home, read: Callable[[], Config], journal: Journal, *, authority: bool, web: bool) -> None:
        self._home, self._read, self._journal = home, read, journal
        self._config = read()
        numbers = range(self._config.workers)
        self._authority = [self._child("authority")] if authority else []
        self._web = [self._child("web")] if web else []
        self._workers = [self._child("worker", "--number", str(number)) for number in numbers]
        self._since = time.time()
        self._closed = set(numbers)  # workers whose listeners were not open yet
        self._open = asyncio.Event()  # all of them are now
        self._gave_up: asyncio.Future[int] | None = None  # the exit code of a process that ended during the start

    async def run(self) -> int:
        """Start, keep and end all; return the exit code."""
        asked = _signalled()
        self._gave_up = gave_up = asyncio.get_running_loop().create_future()
        reloader = Reloader(self._home, self._config, self._read, self)
        seconds = self._config.limits.probe_seconds
        self._desk = ClaimDesk(seconds, self._worker_ready, reloader.reload, processes=self._processes)
        async with self._desk.open(self._home.claims_socket):
            try:
                if await _comes_first(self._start(), asked, gave_up):
                    self._gave_up = None
                    log.say("process.ready", "bollard ready")
                    await _comes_first(_follow(reloader), asked)
            finally:
                await self._stop()
        return gave_up.result() if gave_up.done() else 0

    async def _start(self) -> None:
        for child in self._authority:
            child.start()
            await _until_authority(self._home)
        for child in (*self._workers, *self._web):
            child.start()
        for _ in self._web:
            await _until_open(self._config.web.host, self._config.web.port)
        await self._open.wait()

    # -- what a reload needs (``reloading.World``) -----------------------------------------------------------------

    def record(self, note: Note) -> None:
        """Write a security event; a journal that cannot be written stops nothing."""
        try:
            self._journal.write(note)
        except BollardError as lost:
            log.complain(lost, who=WHO)

    def refuse_taken(self, listeners: tuple[ListenerConfig, ...]) -> None:
        """Raise ``ConflictError("up.address")`` when one of these addresses cannot be listened on."""
        _refuse_taken((door.host, door.port) for door in listeners)

    async def tell_workers(self) -> list[Reloaded]:
        """Have every worker take the settings in force."""
        return await self._desk.reload_workers(RELOAD_SECONDS)

    def renew(self, readers: frozenset[Reader]) -> None:
        """Start the authority or the web process again; workers go on without either meanwhile."""
        for reader, children in ((Reader.AUTHORITY, self._authority), (Reader.WEB, self._web)):
            for child in children if reader in readers else ():
                child.renew()

    async def _stop(self) -> None:
        for children in (self._workers, self._web, self._authority):
            await asyncio.gather(*(child.stop() for child in children))

    def _processes(self) -> list[Process]:
        children = (*self._authority, *self._workers, *self._web)
        kept = (Process(each.name, each.pid, each.since, max(0, each.starts - 1)) for each in children)
        return [Process("supervisor", os.getpid(), self._since, 0), *kept]

    def _child(self, *noun: str) -> Child:
        written = ("--log-format", log.form().value) if log.form() is log.Form.JSON else ()
        argv = (sys.executable, "-P", "-m", "bollard", "--home", str(self._home.path.absolute()), *noun, *written)
        if noun[0] == "authority":
            return Child(noun[0], argv, os.environ, self._ended)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(SECRETS)}
        if noun[0] == "worker":
            grace = GRACE_SECONDS + self._config.limits.close_spread_seconds
            return Child(f"worker {noun[-1]}", argv, environment | FOR_WORKERS, self._ended, grace)
        return Child(noun[0], argv, environment | FOR_TLS, self._ended)

    def _ended(self, code: int) -> None:
        if code > 0 and self._gave_up is not None and not self._gave_up.done():
            self._gave_up.set_result(code)

    def _worker_ready(self, number: int) -> None:
        self._closed.discard(number)
        if not self._closed:
            self._open.set()


async def _follow(reloader: Reloader) -> None:
    """Reload at SIGHUP, and whenever the settings' file was changed, for ever."""
    hung_up = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up.set)
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WATCH_SECONDS):
                await hung_up.wait()
        if hung_up.is_set() or reloader.touched():
            hung_up.clear()
            done = await reloader.reload()
            if done.code:
                log.complain(BollardError(done.code, done.cause, done.advice), who=WHO)
            else:
                log.say("settings.reloaded", f"settings reloaded: {', '.join(done.changed) or 'no change'}", who=WHO)


async def _comes_first(work: Coroutine[object, object, None], *others: asyncio.Future[int]) -> bool:
    """Do the work unless one of the others comes first; tell whether it is done."""
    task = asyncio.ensure_future(work)
    rivals: set[asyncio.Future[int] | asyncio.Future[None]] = {task, *others}
    await asyncio.wait(rivals, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
        return True
    task.cancel()
    await asyncio.wait({task})
    return False


def _signalled() -> asyncio.Future[int]:
    """Come true with the first SIGTERM or SIGINT; those after it change nothing."""
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[int] = loop.create_future()

    def told(number: int) -> None:
        if not asked.done():
            asked.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told, number)
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
            _, writer = await asyncio.open_connection(_reachable(host), port)
        except OSError:
            await asyncio.sleep(LOOK_SECONDS)
        else:
            writer.close()
            return


def _reachable(host: str) -> str:
    """An address to knock at: the wildcard addresses are for listening alone."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (not bound, only looked up)


def _allow_descriptors() -> int:
    """Let our children open as many files as the system allows: a station takes two, the usual limit is 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def _tell_of_descriptors(most: int) -> None:
    if most < DESCRIPTORS_WANTED:
        stations = max(0, most - DESCRIPTORS_SPARE) // 2
        advice = "allow more with LimitNOFILE= of systemd or ulimit -Hn"
        says = f"each worker may open {most} files, enough for {stations} stations; {advice}"
        log.say("process.files", says, who=WHO, level=log.Level.WARNING)


def _addresses(config: Config, *, web: bool) -> list[tuple[str, int]]:
    doors = [(door.host, door.port) for door in config.listeners]
    pages = [(config.web.host, config.web.port), *(place for place in (config.web.status, config.metrics) if place)]
    return [*doors, *(pages if web else [])]


def _refuse_taken(addresses: Iterable[tuple[str, int]]) -> None:
    """Say so before anything starts: workers share their ports, so they would not notice another home's workers."""
    for host, port in addresses:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as problem:
                raise ConflictError(
                    "up.address",
                    f"{host} port {port} cannot be listened on: {problem.strerror}",
                    "Stop what uses it, or choose another address in bollard.toml.",
                ) from None
