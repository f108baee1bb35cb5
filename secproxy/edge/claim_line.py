"""A worker asks the supervisor here before it lets a station in, so that no station is ever connected twice, and before
it looks at a password, so that nobody has more guesses for going from worker to worker.

Rules this file keeps:

* A granted leg is released exactly by its number, also when whoever asked for it has given up meanwhile.
* When the line ends the supervisor is gone, and with it the knowledge of who is connected where: every claim fails, and
  the worker ends (``closed``). It does not reconnect.
* A probe that fails in any way is an answer: not alive. Who comes back sooner than a release is told meets none of it.
* A leg that was dropped is held no more, also when its connection is still being made (``holds``).
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Final, Self, TypeVar, assert_never

import msgspec

from pki.edge.wire import short_path
from pki.errors import BollardError, ConflictError, UnreachableError
from secproxy.edge import claim_wire as wire
from secproxy.edge.line_end import LINE_BYTES, Wire
from secproxy.events import CAUSES
from secproxy.lockout import Scope, Wait

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from pki.edge.home import Home
    from secproxy.spans import Waiting
    from secproxy.tally import Tally

RELEASE_SECONDS: Final = 0.05  # how long a release may wait for a claim to travel with; each line wakes the supervisor
SPANS_BYTES: Final = LINE_BYTES // 2  # of spans on one line; the commas between them are less than the rest

T = TypeVar("T")

_decoder = msgspec.json.Decoder(wire.FromDesk)


class DeniedError(ConflictError):
    """Somebody else has the station's connection; ``evidence`` are an event's facts."""

    def __init__(self, cause: str, evidence: Mapping[str, str]) -> None:
        super().__init__(cause, CAUSES[cause].says, CAUSES[cause].advice)
        self.evidence = evidence


class ClaimLine:
    """One worker's line to the supervisor. Made by ``connect``."""

    def __init__(self, probe: Callable[[int], Awaitable[bool]], drop: Callable[[int], None]) -> None:
        self._wire: Wire
        self._over = asyncio.Event()
        self._probe = probe
        self._drop = drop
        self._tickets = count(1)
        self._asked: dict[int, asyncio.Future[int]] = {}
        self._attempts: dict[int, asyncio.Future[Wait | None]] = {}
        self._held: set[int] = set()
        self._released: list[wire.Release] = []
        self._telling = False  # whether releases are told in a moment, if no claim takes them along before
        self._tasks: set[asyncio.Task[None]] = set()
        self.record: Callable[[wire.Record], wire.Recorded] = lambda word: wire.Recorded(word.ticket)
        """Begins or ends a recording. Set before ``ready``."""
        self.reload: Callable[[], Awaitable[None]] = _nothing_to_take
        """Takes the settings in force; may raise a ``BollardError``. Set before ``ready``."""
        self.retire: Callable[[], None] = _nothing
        """Lets the stations go and ends. Set before ``ready``."""
        self.heir = 0
        """Once to retire: the form in which the worker that takes this one's place reads what is known here, or 0."""
        self.inherit: Callable[[wire.Bequeath], None] = lambda _: None
        """Takes in what the worker before knew. Set before ``ready``."""

    @classmethod
    async def connect(
        cls,
        home: Home,
        worker: int,
        probe: Callable[[int], Awaitable[bool]],
        drop: Callable[[int], None],
        generation: int = 1,
    ) -> Self:
        """Reach the supervisor. ``probe`` says whether a leg's station is alive, ``drop`` ends a leg at once."""
        made = cls(probe, drop)
        made._wire = end = Wire(made._hear, made._hang_up)
        try:
            with short_path(home.claims_socket) as path:
                await asyncio.get_running_loop().create_unix_connection(lambda: end, path)
        except OSError:
            raise _gone() from None
        end.say(wire.Hello(worker, generation))
        return made

    async def claim(self, identity: str, credential: bytes) -> int:
        """Ask for a station's connection and return its leg; ``DeniedError`` when it is held."""
        ticket, answer = self._ask(self._asked)
        self._tell_released(wire.Want(ticket, identity, credential))
        return await answer

    async def attempt(self, identity: str, network: str) -> Wait | None:
        """Ask whether a password that this network offers for a station may be looked at; a ``Wait`` when not yet."""
        ticket, answer = self._ask(self._attempts)
        self._wire.say(wire.Attempt(ticket, identity, network))
        return await answer

    def tried(self, identity: str, network: str, *, right: bool) -> None:
        """Tell how an attempt came out."""
        self._wire.say(wire.Proved(identity, network) if right else wire.Failed(network))

    def _ask(self, waiting: dict[int, asyncio.Future[T]]) -> tuple[int, asyncio.Future[T]]:
        """Draw a ticket for a question whose answer is waited for."""
        if self._over.is_set():
            raise _gone()
        ticket = next(self._tickets)
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        waiting[ticket] = answer
        return ticket, answer

    def release(self, leg: int) -> None:
        """Tell that a leg's connection has ended."""
        if leg in self._held:
            self._held.remove(leg)
            self._released.append(wire.Release(leg))
            if not self._telling:
                self._telling = True
                asyncio.get_running_loop().call_later(RELEASE_SECONDS, self._tell_late)

    def _tell_late(self) -> None:
        self._telling = False
        self._tell_released()

    def _tell_released(self, *words: wire.Word) -> None:
        """Tell what was released and, with it, these words."""
        self._wire.say(*self._released, *words)
        self._released.clear()

    def holds(self, leg: int) -> bool:
        """Whether a granted leg is still ours: neither released nor dropped."""
        return leg in self._held

    @property
    def held(self) -> int:
        """How many granted legs are ours."""
        return len(self._held)

    def prepared(self) -> None:
        """Tell that this worker waits for its sockets alone."""
        self._wire.say(wire.Prepared())

    def ready(self) -> None:
        """Tell that this worker's listeners are open."""
        self._wire.say(wire.Ready())

    def shut(self) -> None:
        """Tell that this worker's listeners are open no more."""
        self._wire.say(wire.Shut())

    def report(self, tally: Tally) -> None:
        """Tell what this worker has counted, and how things stand."""
        self._wire.say(wire.Report(tally.counters, tally.gauges))

    def bequeath(self, word: wire.Bequeath) -> None:
        """Tell the worker that takes this one's place what is known here."""
        self._wire.say(word)

    def pass_on(self, spans: Waiting) -> None:
        """Hand over spans, unless the supervisor has yet to read what it was told before: then they go on waiting."""
        if spans and self._wire.unread < LINE_BYTES:
            self._wire.say(wire.Spans([msgspec.Raw(each) for each in spans.take(SPANS_BYTES)]))

    async def closed(self) -> None:
        """Wait until the supervisor is gone."""
        await self._over.wait()

    async def close(self) -> None:
        """Hang up; the supervisor frees every leg of this worker."""
        self._wire.close()
        await self._over.wait()

    def _hear(self, line: bytes) -> None:
        self._heard(_decoder.decode(line))

    def _heard(self, word: wire.FromDesk) -> None:
        match word:
            case wire.Granted(ticket, leg):
                self._granted(self._asked.pop(ticket), leg)
            case wire.Denied(ticket, cause, evidence):
                _refuse(self._asked.pop(ticket), DeniedError(cause, evidence))
            case wire.Tried(ticket):
                _answer(self._attempts.pop(ticket), _wait(word))
            case wire.Probe(leg) if leg not in self._held:  # it has ended, and waits to be told with others
                self._tell_released(wire.Probed(leg, alive=False))
            case wire.Probe(leg):
                self._begin(self._answer_probe(leg))
            case wire.Drop(leg):
                self._held.discard(leg)
                self._drop(leg)
            case wire.Reload():
                self._begin(self._take_settings())
            case wire.Retire(heir):
                self.heir = heir
                self.retire()
            case wire.Bequeath():
                self.inherit(word)
            case wire.Record():
                self._wire.say(self.record(word))
            case wire.ReloadDone() | wire.UpgradeDone() | wire.RecordDone():
                pass  # said to commands alone
            case wire.Seen() | wire.SpansTaken():
                pass  # a worker looks at nothing but itself
            case _:
                assert_never(word)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_settings(self) -> None:
        """Answer once they hold for everybody. After a fault of ours nobody knows for whom: the worker begins anew."""
        try:
            await self.reload()
        except BollardError as problem:
            self._wire.say(wire.Reloaded(problem.code, problem.cause, problem.advice))
        except Exception:
            self._wire.abort()
            raise
        else:
            self._wire.say(wire.Reloaded())

    def _granted(self, answer: asyncio.Future[int], leg: int) -> None:
        self._held.add(leg)
        if answer.done():  # whoever asked was cancelled: nobody would ever release this leg
            self.release(leg)
        else:
            answer.set_result(leg)

    async def _answer_probe(self, leg: int) -> None:
        [alive] = await asyncio.gather(self._probe(leg), return_exceptions=True)
        self._tell_released(wire.Probed(leg, alive is True))  # a leg that had ended is free, not taken from anybody

    def _hang_up(self) -> None:
        self._over.set()
        for answer in self._asked.values():
            _refuse(answer, _gone())
        for attempt in self._attempts.values():
            _refuse(attempt, _gone())
        for task in self._tasks:
            task.cancel()


def _nothing() -> None:
    return


async def _nothing_to_take() -> None:
    return


def _wait(word: wire.Tried) -> Wait | None:
    return Wait(word.seconds, Scope(word.scope), word.locks, word.begun) if word.scope else None


def _answer(waiting: asyncio.Future[T], answer: T) -> None:
    if not waiting.done():
        waiting.set_result(answer)


def _refuse(answer: asyncio.Future[T], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _gone() -> UnreachableError:
    return UnreachableError("claims.unreachable", "the supervisor does not answer", "Start 'bollard up'.")
