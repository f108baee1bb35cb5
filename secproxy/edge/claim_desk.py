"""The supervisor's end of the claim lines: workers ask here who may have which station's connection, and whether one
who offers a password may be heard.

Rules this file keeps:

* It decides nothing: every line becomes a fact for ``secproxy.claims`` or ``secproxy.lockout`` and every order of
  theirs becomes a line.
* Each connection is a worker of its own, numbered by the desk: a worker that was started again is not mistaken for the
  one that died.
* A probe that is not answered in time counts as dead; an answer that comes later, or unasked, counts for nothing.
* What workers report is kept as a sum that outlives each of them, and told to whoever looks.
* Spans wait here, a bounded number of bytes, for whoever sends them on; they end with the code that runs.
* Only processes of our own user, or root's, may talk to it. A line that cannot be read ends the connection, and so does
  a worker that does not read what it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from itertools import count
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from pki.edge.wire import admit_peer, bind, read_peer
from pki.errors import ConflictError, ForbiddenError, NotFoundError
from secproxy import claims, lockout
from secproxy.edge import claim_wire as wire
from secproxy.lockout import Lockouts
from secproxy.spans import Waiting
from secproxy.tally import Tally, Totals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

UNREAD_BYTES: Final = 1024 * 1024  # bytes that may wait for a worker; about 20,000 orders
SPANS_BYTES: Final = 4 * 1024 * 1024  # bytes of spans that wait to be sent; about 12,000 of them
OURS: Final = 0  # in place of a connection's number: what the desk itself counts

ERRANDS_MOST: Final = 8  # commands that wait for an answer at a time; more are not answered
RELOAD: Final = 0  # the ticket of the one reload that is under way; each recording has one of its own
SETTLE_SECONDS: Final = 0.01  # between two looks at whether everybody has taken what was said
RECORD_SECONDS: Final = 5.0  # for every worker to say whether it records; it opens a file, no more

_SILENT: Final = ConflictError("reload.silent", "a worker did not say in time whether it took the new settings")
_decoder = msgspec.json.Decoder(wire.FromWorker)


class Line(msgspec.Struct, frozen=True):
    """A line of a desk that was: its number, its descriptor, what was heard of a word, and whether one was heard."""

    connection: int
    descriptor: int
    rest: bytes
    known: bool


class Kept(msgspec.Struct, frozen=True):
    """All that a desk knows, for the code that takes over from its own; a claim lives as long as its connection."""

    listening: int = -1
    lines: list[Line] = []
    mates: dict[int, wire.Mate] = {}
    open: dict[int, wire.Mate] = {}
    claims: claims.Claims = msgspec.field(default_factory=claims.Claims)
    lockouts: lockout.Kept = lockout.Kept()
    totals: Totals = msgspec.field(default_factory=Totals)
    probes: dict[int, str] = {}
    """By leg: whose sign of life is waited for."""
    connections: int = 1
    tickets: int = RELOAD + 1
    errands: list[tuple[int, wire.Errand]] = []
    """What commands wait for, by the line they asked on."""
    upgrades: list[int] = []
    """The lines of those that wait for the very thing that comes about."""


class ClaimDesk:
    """The desk of one supervisor. ``ready`` is called with a worker when its listeners are open, ``prepared`` when it
    waits for its sockets, ``shut`` when it accepts no more or is gone; ``reload`` and ``upgrade`` when asked so;
    ``processes`` names those that the supervisor keeps. ``kept`` is what the desk before it knew."""

    def __init__(
        self,
        probe_seconds: float,
        ready: Callable[[wire.Mate], None],
        reload: Callable[[], Awaitable[wire.ReloadDone]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        processes: Callable[[], list[wire.Process]] = list,
        *,
        prepared: Callable[[wire.Mate], None] = lambda _: None,
        shut: Callable[[wire.Mate], None] = lambda _: None,
        upgrade: Callable[[wire.AskUpgrade], Awaitable[wire.UpgradeDone]] | None = None,
        kept: Kept | None = None,
    ) -> None:
        self._clock = clock
        self._prepared, self._shut, self._upgrade = prepared, shut, upgrade
        self._kept = kept or Kept()
        self._lockouts = Lockouts(self._kept.lockouts)
        self._probe_seconds = probe_seconds
        self._ready = ready
        self._reload = reload
        self._asked: dict[tuple[int, int], asyncio.Future[wire.Reloaded | wire.Recorded]] = {}  # by ticket, connection
        self._tickets = count(self._kept.tickets)
        self._errands: dict[asyncio.Task[None], tuple[int, wire.Errand]] = {}
        self._server: asyncio.Server | None = None
        self._processes = processes
        self._totals = self._kept.totals
        self._totals.gone(OURS)  # what the desk before us counted is kept; we begin anew
        self._spans, self._tally = Waiting(SPANS_BYTES), Tally()
        self._open: dict[int, wire.Mate] = dict(self._kept.open)  # by connection: those whose listeners are open
        self._claims = self._kept.claims
        self._lines: dict[int, wire.Wire] = {}
        self._silent: dict[int, wire.Wire] = {}  # those that have not said a word
        self._connections = count(self._kept.connections)
        self._numbers: dict[int, wire.Mate] = dict(self._kept.mates)  # which worker is at the other end of a line
        self._probes: dict[int, tuple[str, asyncio.TimerHandle]] = {}  # by leg: whose it is, and when it counts as dead

    @property
    def lockouts(self) -> Lockouts:
        """What is held against those who offered wrong passwords."""
        return self._lockouts

    @contextlib.asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator[None]:
        """Listen at ``path`` for the length of the block; a socket file left behind by an earlier run is replaced."""
        loop = asyncio.get_running_loop()
        for leg, identity in self._kept.probes.items():
            self._await_probe(identity, leg)
        for line in self._kept.lines:
            await self._resume(line)
        listening = socket.socket(fileno=self._kept.listening) if self._kept.listening >= 0 else bind(path)
        self._server = await loop.create_unix_server(self._answer, sock=listening)
        for connection, word in self._kept.errands:
            self.hear(connection, word)
        try:
            yield
        finally:
            self._server.close()
            for each in (*self._lines.values(), *self._silent.values()):
                each.close()
            await self._server.wait_closed()
            _remove(path)

    async def _resume(self, line: Line) -> None:
        """Go on with a line that the desk before us had."""
        made = self._wire(line.connection)
        made.rest = line.rest
        (self._lines if line.known else self._silent)[line.connection] = made
        sock = socket.socket(fileno=line.descriptor)
        sock.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: made, sock)

    async def settled(self, seconds: float) -> None:
        """Wait until every word has been taken; hang up on those who do not read."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (unread := [line for line in self._lines.values() if line.unread]) and loop.time() < end:  # noqa: ASYNC110 (see below)
            await asyncio.sleep(SETTLE_SECONDS)  # the transport tells nobody that it is empty
        for line in unread:
            line.abort()

    def hand_over(self) -> Kept:
        """Tell all that is known, for another desk to go on with in this process' place; nothing may be heard after."""
        assert self._server is not None  # noqa: S101 (it is open)
        self._count_spans("dropped", len(self._spans.take(SPANS_BYTES)))
        lines = [
            Line(number, line.peer.fileno(), line.rest, known)
            for held, known in ((self._lines, True), (self._silent, False))
            for number, line in held.items()
            if line.open
        ]
        return Kept(
            listening=self._server.sockets[0].fileno(),
            lines=lines,
            mates=self._numbers,
            open=self._open,
            claims=self._claims,
            lockouts=self._lockouts.kept(),
            totals=self._totals,
            probes={leg: identity for leg, (identity, _) in self._probes.items()},
            connections=next(self._connections),
            tickets=next(self._tickets),
            errands=[errand for errand in self._errands.values() if not isinstance(errand[1], wire.AskUpgrade)],
            upgrades=[number for number, word in self._errands.values() if isinstance(word, wire.AskUpgrade)],
        )

    def answer_upgrade(self, done: wire.UpgradeDone) -> None:
        """Answer those who asked the desk before us for what has come about."""
        for connection in self._kept.upgrades:
            self._say(connection, done)

    def retire(self, mate: wire.Mate) -> None:
        """Tell a worker to let its stations go."""
        for connection, each in self._numbers.items():
            if each == mate:
                self._say(connection, wire.Retire())

    def _answer(self) -> wire.Wire:
        """Make the desk's end of a new line. Until its first word has been heard it belongs to nobody."""
        connection = next(self._connections)
        made = self._silent[connection] = self._wire(connection)
        return made

    def _wire(self, connection: int) -> wire.Wire:
        def hear(line: bytes) -> None:
            if connection not in self._lines:
                _admit(made)
                self._lines[connection] = self._silent.pop(connection)
            self.hear(connection, _decoder.decode(line))

        made = wire.Wire(hear, lambda: self._gone(connection))
        return made

    def _gone(self, connection: int) -> None:
        self._answered(RELOAD, connection, wire.Reloaded())  # whoever is started in its place reads the new ones
        self._silent.pop(connection, None)
        self._open.pop(connection, None)
        self._totals.gone(connection)
        mate = self._numbers.pop(connection, None)
        if mate is not None and mate not in self._numbers.values():
            self._shut(mate)
        if self._lines.pop(connection, None) is not None:
            self._tell(claims.WorkerGone(connection))

    def hear(self, connection: int, word: wire.FromWorker) -> None:
        """Hear what a worker asks or tells."""
        match word:
            case wire.Hello(number, generation):
                self._numbers[connection] = wire.Mate(number, generation)
            case wire.Prepared() | wire.Ready() | wire.Shut():
                self._hear_worker(connection, word)
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
            case wire.Spans() | wire.TakeSpans():
                self._hear_of_spans(connection, word)
            case wire.Look():
                self._say(connection, self.seen())
            case wire.Reloaded():
                self._answered(RELOAD, connection, word)
            case wire.AskReload() | wire.AskUpgrade() | wire.AskRecord():
                self._run(connection, word)
            case wire.Recorded(ticket):
                self._answered(ticket, connection, word)
            case _:
                assert_never(word)

    def _hear_worker(self, connection: int, word: wire.Prepared | wire.Ready | wire.Shut) -> None:
        mate = self._numbers.get(connection, wire.Mate(-1))
        match word:
            case wire.Prepared():
                self._prepared(mate)
            case wire.Ready():
                self._open[connection] = mate
                self._ready(mate)
            case wire.Shut():
                self._open.pop(connection, None)
                self._shut(mate)

    def _hear_of_spans(self, connection: int, word: wire.Spans | wire.TakeSpans) -> None:
        if isinstance(word, wire.Spans):
            self._count_spans("dropped", self._spans.put([bytes(each) for each in word.spans]))
            return
        self._count_spans("sent", word.sent)
        self._count_spans("dropped", word.dropped)
        taken = self._spans.take(wire.LINE_BYTES // 2)
        self._say(connection, wire.SpansTaken([msgspec.Raw(each) for each in taken]))

    def _count_spans(self, outcome: str, many: int) -> None:
        if many > 0:
            self._tally.count("spans_total", outcome, by=many)
            self._totals.take(OURS, self._tally.counters, {})

    def seen(self) -> wire.Seen:
        """Tell how the house stands."""
        ready = sorted({mate.number for mate in self._open.values()})
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

    def _run(self, connection: int, word: wire.Errand) -> None:
        """Do what a command asks, and answer it."""
        if len(self._errands) < ERRANDS_MOST and (work := self._errand(word)) is not None:
            errand = asyncio.ensure_future(self._answer_command(connection, work))
            self._errands[errand] = connection, word
            errand.add_done_callback(self._errands.pop)

    def _errand(self, word: wire.Errand) -> Awaitable[wire.Done] | None:
        match word:
            case wire.AskReload():
                return self._reload() if self._reload else None
            case wire.AskUpgrade():
                return self._upgrade(word) if self._upgrade else None
            case wire.AskRecord():
                return self._record(word)

    async def _answer_command(self, connection: int, done: Awaitable[wire.Done]) -> None:
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
                    assert isinstance(fact, claims.Wanted)  # noqa: S101 (only a newcomer makes the holder be probed)
                    self._await_probe(fact.identity, leg)
                    self._say(connection, wire.Probe(leg))
                case _:
                    assert_never(order)

    def _await_probe(self, identity: str, leg: int) -> None:
        late = asyncio.get_running_loop().call_later(self._probe_seconds, lambda: self._probed(leg, alive=False))
        self._probes[leg] = (identity, late)

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
