"""Has the code that is installed take over in a home that is up, or leaves all as it is.

Rules this file keeps:

* One upgrade at a time, and none while settings are put in force.
* What is to take over has rehearsed, and its workers are prepared, before anything is exchanged; whatever fails before
  that is told, and what runs goes on.
* The code that took over lets the workers before it go only when all of the new ones serve.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Final, Protocol

from pki.edge import log
from pki.errors import BollardError, ConflictError
from secproxy.edge import births, succession
from secproxy.edge.children import WHO
from secproxy.edge.claim_wire import AskUpgrade, UpgradeDone
from secproxy.events import Note
from secproxy.reload import Reader

if TYPE_CHECKING:
    from pki.edge.home import Home
    from secproxy.edge.crew import Crew

HEARD_SECONDS: Final = 0.02  # seconds for signals that came before they had to wait
RUNNING: Final = ConflictError("upgrade.running", "an upgrade is under way already", "Wait for its end.")


class World(Protocol):
    """What an upgrade needs of the supervisor."""

    def record(self, note: Note) -> None:
        """Write a security event."""

    def renew(self, readers: frozenset[Reader]) -> None:
        """Start those again that are not exchanged as workers are."""

    def is_ending(self) -> bool:
        """Whether everything is about to end."""

    def estate(self, candidates: int) -> succession.Estate:
        """All that is left to the code after this; ``candidates`` is the generation that waits for its sockets."""

    async def fall_silent(self) -> None:
        """Have all that was said taken by whoever it was said to, and write no more."""

    def answer_upgrade(self, done: UpgradeDone) -> None:
        """Answer those who asked the code before for what has come about."""


class Upgrader:
    """The upgrades of a home that is up, which runs code of this ``version``. ``turn`` is had by whoever changes what
    runs; ``authority`` says whether there is one of ours, which has to rehearse as well."""

    def __init__(
        self, home: Home, world: World, crew: Crew, turn: asyncio.Lock, version: str, *, authority: bool
    ) -> None:
        self._home, self._world, self._crew, self._turn = home, world, crew, turn
        self._version = version
        self._authority = authority
        self._executables: dict[int, str] = {}
        self._under_way: asyncio.Task[UpgradeDone] | None = None

    def executable(self, generation: int) -> str:
        """The interpreter of a generation of workers."""
        return self._executables.get(generation, sys.executable)

    async def upgrade(self, word: AskUpgrade) -> UpgradeDone:
        """Have the code that is installed take over. Comes back when it did not; else the new code answers."""
        if self._under_way is not None and not self._under_way.done():
            return UpgradeDone(0, "", RUNNING.code, RUNNING.cause, RUNNING.advice)
        self._under_way = asyncio.ensure_future(self._try(dry=word.dry))
        return await asyncio.shield(self._under_way)

    async def upgrade_unasked(self) -> None:
        """Do so where nobody waits for an answer."""
        done = await self.upgrade(AskUpgrade())
        if done.code == RUNNING.code:
            log.complain(RUNNING, who=WHO)

    def finish(self, left: succession.Estate) -> None:
        """Begin to finish what the code before has begun."""
        self._under_way = asyncio.ensure_future(self._finish(left))

    async def stop(self) -> None:
        """Give up what is under way."""
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.wait({self._under_way})

    # -- the code before -------------------------------------------------------------------------------------------

    async def _try(self, *, dry: bool) -> UpgradeDone:
        async with self._turn:
            candidates = self._crew.generation + 1
            try:
                authority = self._rehearse_authority if self._authority else None
                successor = await succession.rehearse(self._world.estate(candidates), authority)
                if dry:
                    return UpgradeDone(candidates, successor.version)
                self._executables[candidates] = successor.executable
                await self._crew.prepare(candidates)
                await self._hand_over(candidates)
            except Exception as failure:  # noqa: BLE001 - whatever it is, what runs goes on
                return await self._refused(candidates, failure, told=not dry)
        raise AssertionError("another program runs in this process")

    def _rehearse_authority(self, successor: succession.Successor) -> tuple[str, ...]:
        return births.authority_rehearsal(self._home, successor.executable)

    async def _hand_over(self, candidates: int) -> None:
        with succession.signals_waiting():
            await asyncio.sleep(HEARD_SECONDS)  # for what came before they had to wait
            if self._world.is_ending():
                raise ConflictError("upgrade.ended", "everything is about to end", "It is upgraded when it starts.")
            await self._world.fall_silent()
            succession.become(self._world.estate(candidates))

    # -- the code after --------------------------------------------------------------------------------------------

    async def _finish(self, left: succession.Estate) -> UpgradeDone:
        """The code before has handed over: have the new workers serve, and let the former go."""
        async with self._turn:
            try:
                await self._crew.exchange(left.candidates)
            except Exception as failure:  # noqa: BLE001 - as above
                done = await self._refused(left.candidates, failure)
            else:
                done = UpgradeDone(left.candidates, self._version)
                self._world.renew(frozenset({Reader.AUTHORITY, Reader.WEB}))
                note = Note("upgrade.done", evidence={"generation": done.generation, "version": done.version})
                self._world.record(note)
                says = f"upgraded: generation {done.generation}, version {done.version}, serves"
                log.say("process.upgraded", says, who=WHO)
        self._world.answer_upgrade(done)
        return done

    # -- both ------------------------------------------------------------------------------------------------------

    async def _refused(self, candidates: int, failure: Exception, *, told: bool = True) -> UpgradeDone:
        problem = failure if isinstance(failure, BollardError) else succession.refused(f"a fault: {failure!r}")
        await self._crew.dismiss(candidates)
        if told:
            self._world.record(Note("upgrade.refused", evidence={"code": problem.code, "says": problem.cause}))
            log.complain(problem, who=WHO)
        return UpgradeDone(0, "", problem.code, problem.cause, problem.advice)
