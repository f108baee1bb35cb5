"""A worker asks the supervisor here before it lets a station in, so that no station is ever connected twice.

Rules this file keeps:

* A granted leg is released exactly by its number, also when whoever asked for it has given up meanwhile.
* When the line ends the supervisor is gone, and with it the knowledge of who is connected where: every claim fails, and
  the worker ends (``closed``). It does not reconnect.
* A probe that fails in any way is an answer: not alive.
* A leg that was dropped is held no more, also when its connection is still being made (``holds``).
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Final, Self, assert_never

import msgspec

from pki.edge.wire import short_path
from pki.errors import BollardError, ConflictError, UnreachableError
from secproxy.edge import claim_wire as wire
from secproxy.events import CAUSES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pki.edge.home import Home
    from secproxy.edge.claim_desk import ClaimDesk

RELEASE_SECONDS: Final = 0.05  # how long a release may wait for a claim to travel with; each line wakes the supervisor

_decoder = msgspec.json.Decoder(wire.FromDesk)


class ClaimLine:
    """One worker's line to the supervisor. Made by ``connect``."""

    def __init__(self, probe: Callable[[int], Awaitable[bool]], drop: Callable[[int], None]) -> None:
        self._wire: wire.Wire | wire.Direct[wire.FromWorker]
        self._over = asyncio.Event()
        self._probe = probe
        self._drop = drop
        self._tickets = count(1)
        self._asked: dict[int, asyncio.Future[int]] = {}
        self._held: set[int] = set()
        self._released: list[wire.Release] = []
        self._probes: set[asyncio.Task[None]] = set()
        self.reload: Callable[[], None] = _nothing
        """Takes the settings in force; may raise a ``BollardError``. Set before ``ready``."""

    @classmethod
    async def connect(
        cls,
        home: Home,
        worker: int,
        probe: Callable[[int], Awaitable[bool]],
        drop: Callable[[int], None],
    ) -> Self:
        """Reach the supervisor. ``probe`` says whether a leg's station is alive, ``drop`` ends a leg at once."""
        made = cls(probe, drop)
        made._wire = end = wire.Wire(made._hear, made._hang_up)
        try:
            with short_path(home.claims_socket) as path:
                await asyncio.get_running_loop().create_unix_connection(lambda: end, path)
        except OSError:
            raise _gone() from None
        end.say(wire.Hello(worker))
        return made

    @classmethod
    def beside(cls, desk: ClaimDesk, probe: Callable[[int], Awaitable[bool]], drop: Callable[[int], None]) -> Self:
        """Sit at a desk in this very process: a worker that is alone has nobody else to agree with."""
        made = cls(probe, drop)
        seat = desk.seat(wire.Direct(made._heard))
        made._wire = wire.Direct(lambda word: desk.hear(seat, word))
        return made

    async def claim(self, identity: str, credential: bytes) -> int:
        """Ask for a station's connection and return its leg; ``ConflictError("session.duplicate")`` when it is held."""
        if self._over.is_set():
            raise _gone()
        ticket = next(self._tickets)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._asked[ticket] = answer
        self._wire.say(*self._released, wire.Want(ticket, identity, credential))
        self._released.clear()
        return await answer

    def release(self, leg: int) -> None:
        """Tell that a leg's connection has ended."""
        if leg in self._held:
            self._held.remove(leg)
            if not self._released:
                asyncio.get_running_loop().call_later(RELEASE_SECONDS, self._tell_released)
            self._released.append(wire.Release(leg))

    def _tell_released(self) -> None:
        self._wire.say(*self._released)
        self._released.clear()

    def holds(self, leg: int) -> bool:
        """Whether a granted leg is still ours: neither released nor dropped."""
        return leg in self._held

    def ready(self) -> None:
        """Tell that this worker's listeners are open."""
        self._wire.say(wire.Ready())

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
            case wire.Denied(ticket, cause):
                _refuse(self._asked.pop(ticket), ConflictError(cause, CAUSES[cause].says, CAUSES[cause].advice))
            case wire.Probe(leg):
                task = asyncio.create_task(self._answer_probe(leg))
                self._probes.add(task)
                task.add_done_callback(self._probes.discard)
            case wire.Drop(leg):
                self._held.discard(leg)
                self._drop(leg)
            case wire.Reload():
                self._take_settings()
            case wire.ReloadDone():
                pass  # said to commands alone
            case _:
                assert_never(word)

    def _take_settings(self) -> None:
        try:
            self.reload()
        except BollardError as problem:
            self._wire.say(wire.Reloaded(problem.code, problem.cause, problem.advice))
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
        self._wire.say(wire.Probed(leg, alive is True))

    def _hang_up(self) -> None:
        self._over.set()
        for answer in self._asked.values():
            _refuse(answer, _gone())
        for task in self._probes:
            task.cancel()


def _nothing() -> None:
    return


def _refuse(answer: asyncio.Future[int], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _gone() -> UnreachableError:
    return UnreachableError("claims.unreachable", "the supervisor does not answer", "Start 'bollard up'.")
