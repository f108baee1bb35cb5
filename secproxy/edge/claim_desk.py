"""The supervisor's end of the claim lines: workers ask here who may have which station's connection, and whether one
who offers a password may be heard.

Rules this file keeps:

* It decides nothing: every line becomes a fact for ``secproxy.claims`` or ``secproxy.lockout`` and every order of
  theirs becomes a line.
* Each connection is a worker of its own, numbered by the desk: a worker that was started again is not mistaken for the
  one that died.
* A probe that is not answered in time counts as dead; an answer that comes later, or unasked, counts for nothing.
* What workers report is kept as a sum that outlives each of them, and told to whoever looks.
* Only processes of our own user, or root's, may talk to it. A line that cannot be read ends the connection, and so does
  a worker that does not read what it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from itertools import count
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from pki.edge.wire import admit_peer, bind, read_peer
from pki.errors import ConflictError, ForbiddenError, NotFoundError
from secproxy import claims
from secproxy.edge import claim_wire as wire
from secproxy.lockout import Lockouts
from secproxy.tally import Totals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

UNREAD_BYTES: Final = 1024 * 1024  # bytes that may wait for a worker; about 20,000 orders

ERRANDS_MOST: Final = 8  # commands that wait for an answer at a time; more are not answered
RELOAD: Final = 0  # the ticket of the one reload that is under way; each recording has one of its own
RECORD_SECONDS: Final = 5.0  # for every worker to say whether it records; it opens a file, no more

_SILENT: Final = ConflictError("reload.silent", "a worker did not say in time whether it took the new settings")
_decoder = msgspec.json.Decoder(wire.FromWorker)


class ClaimDesk:
    """The desk of one supervisor. ``ready`` is called with a worker's number when its listeners are open, ``reload``
    when a command asks that the settings be read again; ``processes`` names those that the supervisor keeps."""

    def __init__(
        self,
        probe_seconds: float,
        ready: Callable[[int], None],
        reload: Callable[[], Awaitable[wire.ReloadDone]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        processes: Callable[[], list[wire.Process]] = list,
    ) -> None:
        self._clock = clock
        self._lockouts = Lockouts()
        self._probe_seconds = probe_seconds
        self._ready = ready
        self._reload = reload
        self._asked: dict[tuple[int, int], asyncio.Future[wire.Reloaded | wire.Recorded]] = {}  # by ticket, connection
        self._tickets = count(RELOAD + 1)
        self._errands: set[asyncio.Task[None]] = set()
        self._processes = processes
        self._totals = Totals()
        self._open: dict[int, int] = {}  # by connection: the workers whose listeners are open
        self._claims = claims.Claims()
        self._lines: dict[int, wire.Wire] = {}
        self._connections = count(1)
        self._numbers: dict[int, int] = {}  # which worker is at the other end of a line
        self._probes: dict[int, tuple[str, asyncio.TimerHandle]] = {}  # by leg: whose it is, and when it counts as dead

    @contextlib.asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator[None]:
        """Listen at ``path`` for the length of the block; a socket file left behind by an earlier run is replaced."""
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(self._answer, sock=bind(path))
        try:
            yield
        finally:
            server.close()
            for line in tuple(self._lines.values()):
                line.close()
            await server.wait_closed()
            _remove(path)

    def _answer(self) -> wire.Wire:
        """Make the desk's end of a new line. Until its first word has been heard it belongs to nobody."""
        connection = next(self._connections)

        def hear(line: bytes) -> None:
            if connection not in self._lines:
                _admit(made)
                self._lines[connection] = made
            self.hear(connection, _decoder.decode(line))

        made = wire.Wire(hear, lambda: self._gone(connection))
        return made

    def _gone(self, connection: int) -> None:
        self._answered(RELOAD, connection, wire.Reloaded())  # whoever is started in its place reads the new ones
        self._numbers.pop(connection, None)
        self._open.pop(connection, None)
        self._totals.gone(connection)
        if self._lines.pop(connection, None) is not None:
            self._tell(claims.WorkerGone(connection))

    def hear(self, connection: int, word: wire.FromWorker) -> None:
        """Hear what a worker asks or tells."""
        match word:
            case wire.Hello(number):
                self._numbers[connection] = number
            case wire.Ready():
                self._open[connection] = number = self._numbers.get(connection, -1)
                self._ready(number)
            case wire.Shut():
                self._open.pop(connection, None)
            case wire.Want(ticket, identity, credential):
                self._tell(claims.Wanted(connection, ticket, identity, credential))
            case wire.Probed(leg, alive):
                if self._claims.holder_of(leg) == connection:
                    self._probed(leg, alive=alive)
            case wire.Release(leg):
                self._tell(claims.Released(connection, leg))
            case wire.Attempt():
                self._say(connection, self._attempt(word))
            case wire.Failed(network):
                self._lockouts.failed(network, self._clock())
            case wire.Proved(identity, network):
                self._lockouts.proved(identity, network)
            case wire.Report(counters, gauges):
                self._totals.take(connection, counters, gauges)
            case wire.Look():
                self._say(connection, self.seen())
            case wire.Reloaded():
                self._answered(RELOAD, connection, word)
            case wire.AskReload():
                if self._reload is not None:
                    self._run(connection, self._reload)
            case wire.AskRecord():
                self._run(connection, lambda: self._record(word))
            case wire.Recorded(ticket):
                self._answered(ticket, connection, word)
            case _:
                assert_never(word)

    def seen(self) -> wire.Seen:
        """Tell how the house stands."""
        ready = sorted(set(self._open.values()))
        return wire.Seen(self._processes(), ready, self._totals.counters(), self._totals.gauges())

    async def reload_workers(self, seconds: float) -> list[wire.Reloaded]:
        """Tell every worker to take the settings in force; return what each says, or that it said nothing in time."""
        silent = wire.Reloaded(_SILENT.code, _SILENT.cause)
        heard = await self._ask_workers(RELOAD, wire.Reload(), seconds)
        return [said if isinstance(said, wire.Reloaded) else silent for said in heard]

    async def _ask_workers(
        self, ticket: int, word: wire.Reload | wire.Record, seconds: float
    ) -> list[wire.Reloaded | wire.Recorded | None]:
        """Say this to every worker; return what each answers, None where it says nothing in time."""
        loop = asyncio.get_running_loop()
        told: dict[int, asyncio.Future[wire.Reloaded | wire.Recorded]]
        told = {connection: loop.create_future() for connection in self._numbers}
        self._asked |= {(ticket, connection): said for connection, said in told.items()}
        for connection in told:
            self._say(connection, word)
        if told:
            await asyncio.wait(told.values(), timeout=seconds)
        for connection in told:
            self._asked.pop((ticket, connection), None)
        return [said.result() if said.done() else None for said in told.values()]

    def _answered(self, ticket: int, connection: int, word: wire.Reloaded | wire.Recorded) -> None:
        said = self._asked.pop((ticket, connection), None)
        if said is not None:
            said.set_result(word)

    def _run(self, connection: int, work: Callable[[], Awaitable[wire.ReloadDone | wire.RecordDone]]) -> None:
        """Do what a command asks, and answer it."""
        if len(self._errands) < ERRANDS_MOST:
            errand = asyncio.ensure_future(self._answer_command(connection, work()))
            self._errands.add(errand)
            errand.add_done_callback(self._errands.discard)

    async def _answer_command(self, connection: int, done: Awaitable[wire.ReloadDone | wire.RecordDone]) -> None:
        self._say(connection, await done)

    async def _record(self, word: wire.AskRecord) -> wire.RecordDone:
        """Have whoever holds a station record it: all are asked, since a claim may be older than its connection."""
        ticket = next(self._tickets)
        asked = wire.Record(ticket, word.identity, word.minutes, word.plain)
        answers = await self._ask_workers(ticket, asked, RECORD_SECONDS)
        heard = [said for said in answers if isinstance(said, wire.Recorded)]
        holder = next((said for said in heard if said.file or said.code), None)
        if holder is not None:
            return wire.RecordDone(holder.file, holder.code, holder.cause, holder.advice)
        says = f"{word.identity} is not connected here"
        absent = NotFoundError("recording.absent", says, "Look at 'bollard station list', and try again.")
        return wire.RecordDone("", absent.code, absent.cause, absent.advice)

    def _attempt(self, word: wire.Attempt) -> wire.Tried:
        wait = self._lockouts.attempt(word.identity, word.network, self._clock())
        if wait is None:
            return wire.Tried(word.ticket)
        return wire.Tried(word.ticket, wait.seconds, wait.scope, wait.locks, wait.begun)

    def _probed(self, leg: int, *, alive: bool) -> None:
        if leg in self._probes:
            identity, timer = self._probes.pop(leg)
            timer.cancel()
            self._tell(claims.Probed(identity, leg, alive))

    def _tell(self, fact: claims.Fact) -> None:
        for order in self._claims.tell(fact, self._clock()):
            match order:
                case claims.Grant(connection, ticket, leg):
                    self._say(connection, wire.Granted(ticket, leg))
                case claims.Deny(connection, ticket, cause, evidence):
                    self._say(connection, wire.Denied(ticket, cause, dict(evidence)))
                case claims.Drop(connection, leg):
                    self._say(connection, wire.Drop(leg))
                case claims.Probe(connection, leg):
                    self._await_probe(fact, leg)
                    self._say(connection, wire.Probe(leg))
                case _:
                    assert_never(order)

    def _await_probe(self, fact: claims.Fact, leg: int) -> None:
        assert isinstance(fact, claims.Wanted)  # noqa: S101 (only a newcomer makes the holder be probed)
        late = asyncio.get_running_loop().call_later(self._probe_seconds, lambda: self._probed(leg, alive=False))
        self._probes[leg] = (fact.identity, late)

    def _say(self, connection: int, word: wire.FromDesk) -> None:
        line = self._lines.get(connection)
        if line is None:
            return  # its worker is gone, and what it held is free
        line.say(word)
        if line.unread > UNREAD_BYTES:
            line.abort()


def _admit(line: wire.Wire) -> None:
    """Raise ``ValueError`` for a process of another user's."""
    try:
        admit_peer(read_peer(line.peer), os.geteuid())
    except (OSError, ForbiddenError) as stranger:
        raise ValueError("not one of ours") from stranger


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
