"""The supervisor's end of the claim lines: workers ask here who may have which station's connection, and whether one
who offers a password may be heard.

Rules this file keeps:

* It decides nothing: every line becomes a fact for ``secproxy.claims`` or ``secproxy.lockout`` and every order of
  theirs becomes a line.
* Each connection is a worker of its own, numbered by the desk: a worker that was started again is not mistaken for the
  one that died.
* A probe that is not answered in time counts as dead; an answer that comes later, or unasked, counts for nothing.
* What else comes over the lines is handed on: what workers report (``reports``), what commands ask (``errands``).
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

from pki.edge.wire import LEFT_ALONE, admit_peer, bind, read_peer
from pki.errors import ForbiddenError
from secproxy import claims
from secproxy.edge import claim_wire as wire
from secproxy.edge.claim_estate import Kept, Line
from secproxy.edge.errands import Errands
from secproxy.edge.line_end import Wire
from secproxy.edge.reports import Reports
from secproxy.lockout import Lockouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

UNREAD_BYTES: Final = 1024 * 1024  # bytes that may wait for a worker; about 20,000 orders
BEQUEST_BYTES: Final = 512 * 1024  # unread bytes from which a worker is told no more of what another knew
SETTLE_SECONDS: Final = 0.01  # between two looks at whether everybody has taken what was said

_decoder = msgspec.json.Decoder(wire.FromWorker)


class ClaimDesk:
    """The desk of one supervisor. ``ready`` is called with a worker when its listeners are open, ``prepared`` when it
    waits for its sockets, ``shut`` when it accepts no more or is gone; ``reload`` and ``upgrade`` when asked so,
    ``judge`` when asked what a reload would come to; ``processes`` names those that the supervisor keeps. ``kept`` is
    what the desk before it knew."""

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
        judge: Callable[[], Awaitable[wire.ReloadDone]] | None = None,
    ) -> None:
        self._clock = clock
        self._prepared, self._shut = prepared, shut
        self._kept = kept or Kept()
        self._lockouts = Lockouts(self._kept.lockouts)
        self._probe_seconds = probe_seconds
        self._ready = ready
        self._server: asyncio.Server | None = None
        self._processes = processes
        self._reports = Reports(self._kept.totals)
        self._open: dict[int, wire.Mate] = dict(self._kept.open)  # by connection: those whose listeners are open
        self._claims = self._kept.claims
        self._lines: dict[int, Wire] = {}
        self._silent: dict[int, Wire] = {}  # those that have not said a word
        self._connections = count(self._kept.connections)
        self._numbers: dict[int, wire.Mate] = dict(self._kept.mates)  # which worker is at the other end of a line
        self._errands = Errands(self._say, self._numbers, reload, upgrade, self._kept.tickets, judge=judge)
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
        self._server = await loop.create_unix_server(self._answer, sock=listening, **LEFT_ALONE)
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
        self._reports.drop()
        errands = self._errands.under_way()
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
            totals=self._reports.totals,
            probes={leg: identity for leg, (identity, _) in self._probes.items()},
            connections=next(self._connections),
            tickets=self._errands.ticket(),
            errands=[errand for errand in errands if not isinstance(errand[1], wire.AskUpgrade)],
            upgrades=[number for number, word in errands if isinstance(word, wire.AskUpgrade)],
        )

    def answer_upgrade(self, done: wire.UpgradeDone) -> None:
        """Answer those who asked the desk before us for what has come about."""
        for connection in self._kept.upgrades:
            self._say(connection, done)

    def retire(self, mate: wire.Mate, heir: int = 0) -> None:
        """Tell a worker to let its stations go; ``heir`` is the form in which another reads what it knows, if any."""
        for connection, each in self._numbers.items():
            if each == mate:
                self._say(connection, wire.Retire(heir))

    def _hand_on(self, connection: int, word: wire.Bequeath) -> None:
        """To the worker of the same number and a later generation; one that has not read for long goes without."""
        mate = self._numbers.get(connection, wire.Mate(-1))
        for heir, each in self._numbers.items():
            if each.number == mate.number and each.generation > mate.generation and self._unread(heir) < BEQUEST_BYTES:
                self._say(heir, word)

    def _unread(self, connection: int) -> int:
        return self._lines[connection].unread if connection in self._lines else 0

    def _answer(self) -> Wire:
        """Make the desk's end of a new line. Until its first word has been heard it belongs to nobody."""
        connection = next(self._connections)
        made = self._silent[connection] = self._wire(connection)
        return made

    def _wire(self, connection: int) -> Wire:
        def hear(line: bytes) -> None:
            if connection not in self._lines:
                _admit(made)
                self._lines[connection] = self._silent.pop(connection)
            self.hear(connection, _decoder.decode(line))

        made = Wire(hear, lambda: self._gone(connection))
        return made

    def _gone(self, connection: int) -> None:
        self._errands.gone(connection)
        self._silent.pop(connection, None)
        self._open.pop(connection, None)
        self._reports.gone(connection)
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
            case wire.Report():
                self._reports.take(connection, word)
            case wire.Spans():
                self._reports.keep(word)
            case wire.Bequeath():
                self._hand_on(connection, word)
            case wire.TakeSpans():
                self._say(connection, self._reports.give_out(word))
            case wire.Look():
                self._say(connection, self.seen())
            case wire.Reloaded() | wire.Recorded():
                self._errands.hear(connection, word)
            case wire.AskReload() | wire.AskUpgrade() | wire.AskRecord():
                self._errands.run(connection, word)
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

    def seen(self) -> wire.Seen:
        """Tell how the house stands."""
        ready = sorted({mate.number for mate in self._open.values()})
        return wire.Seen(self._processes(), ready, *self._reports.figures())

    async def reload_workers(self, seconds: float) -> list[wire.Reloaded]:
        """Tell every worker to take the settings in force; return what each says, or that it said nothing in time."""
        return await self._errands.reload_workers(seconds)

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


def _admit(line: Wire) -> None:
    """Raise ``ValueError`` for a process of another user's."""
    try:
        admit_peer(read_peer(line.peer), os.geteuid())
    except (OSError, ForbiddenError) as stranger:
        raise ValueError("not one of ours") from stranger


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
