"""One worker as a process, from its start to its end: fenced in, put together, its doors opened when it is its turn.

Rules this file keeps:

* What no worker needs is given up before anything of a stranger's is read.
* It lives no longer than its supervisor's claim line.
* Asked to end, it lets its stations go one after the other; before it has doors it ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import uvloop

from pki.edge import calls, hardening, log
from pki.errors import BollardError, ForbiddenError
from secproxy.config import parse_config
from secproxy.edge import reading
from secproxy.edge.authority_line import AuthorityLine
from secproxy.edge.claim_line import ClaimLine
from secproxy.edge.claim_wire import Record, Recorded
from secproxy.edge.fence import fence_in
from secproxy.edge.journal import Journal
from secproxy.edge.links import Links
from secproxy.edge.policies import read_policies_in_force
from secproxy.edge.races import first_end
from secproxy.edge.recordings import Recordings
from secproxy.edge.reporter import Reporter
from secproxy.edge.sockets import Hatch
from secproxy.edge.surroundings import WHO, Surroundings, tell_operator
from secproxy.edge.worker import Worker
from secproxy.events import Note
from secproxy.tally import Tally
from secproxy.weakening import weakened

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from pki.edge.home import Home
    from secproxy.config import Config

COLLECT: Final = (
    2_000,
    500,
    50,
)  # objects between collections, the youngest often and so in less than a millisecond, all
# together once in a million: connections make few cycles and many objects
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
        tell_operator("worker.unfenced", says)


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
        _tell_weakened(config, surroundings.record)
    try:
        await first_end(
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
        worker.doors.open()
        supervisor.ready()
    else:
        supervisor.prepared()
        given, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(hatch.fileno(), given.set)
        await given.wait()
        loop.remove_reader(hatch.fileno())
        worker.doors.open(hatch)
        supervisor.ready()
        loop.add_reader(hatch.fileno(), worker.doors.take_sockets)
    await supervisor.closed()


async def _reload(home: Home, worker: Worker) -> None:
    config = _in_force(home)
    await worker.reload(config, read_policies_in_force(home, config))


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


def _tell_weakened(config: Config, record: Callable[[Note], None]) -> None:
    """Say which listeners weaken security, and for whom: on record at every start, by one worker for all."""
    for each in weakened(config):
        if each.stations:
            evidence = {"listener": each.address, "stations": ", ".join(each.stations)}
            record(Note("tls.legacy", evidence=evidence))
            tell_operator("tls.unsafe", f"{each.setting}: {each.address} {each.lets()}")
        else:
            record(Note("listener.unsafe", evidence={"listener": each.address, "setting": each.setting}))
            says = f"{each.setting}: {each.address} weakens security for whoever comes to it"
            tell_operator("listener.unsafe", says)


def _tell_fault(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A fault of ours that nobody foresaw costs the one connection it happened in, and is told in one line."""
    says = f"a fault in this program: {context.get('message')}: {context.get('exception')!r}"[:FAULT_LENGTH]
    log.say("process.fault", says, who=WHO, level=log.Level.ERROR)
