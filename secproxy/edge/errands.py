"""What commands ask of a home that is up: asked over its socket, done by the supervisor or its workers, and answered.

Rules this file keeps:

* Of errands a bounded number is under way; who asks for more is not answered, and gives up in its time.
* A worker that says nothing in time holds nobody up.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Final

import msgspec

from pki.errors import ConflictError, NotFoundError, UnreachableError
from secproxy.edge import claim_wire as wire
from secproxy.edge.line_end import ask

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pki.edge.home import Home

ANSWER_SECONDS: Final = 30.0  # seconds a command waits for a reload, which may wait for another and for every worker
JUDGE_SECONDS: Final = 90.0  # the same of settings that are only judged: an authority may be rehearsed with them
UPGRADE_SECONDS: Final = 240.0  # the same of an upgrade: two rehearsals, a generation prepared, and opened
ERRANDS_MOST: Final = 8  # commands that wait for an answer at a time; more are not answered
RELOAD: Final = 0  # the ticket of the one reload that is under way; each recording has one of its own
RECORD_SECONDS: Final = 5.0  # for every worker to say whether it records; it opens a file, no more

_SILENT: Final = ConflictError("reload.silent", "a worker did not say in time whether it took the new settings")
_decoder: Final = msgspec.json.Decoder(wire.Done)

# -- a command's end ---------------------------------------------------------------------------------------------------


async def ask_reload(home: Home, *, dry: bool = False) -> wire.ReloadDone:
    """Have the home that is up read its settings again, or only judge them; hear what became of it.

    Raises ``UnreachableError`` when nothing is up there.
    """
    seconds = JUDGE_SECONDS if dry else ANSWER_SECONDS
    answer = await _ask(home, wire.AskReload(dry), "reload.unreachable", seconds)
    assert isinstance(answer, wire.ReloadDone)  # noqa: S101 (what was asked for is what is answered)
    return answer


async def ask_upgrade(home: Home, *, dry: bool) -> wire.UpgradeDone:
    """Have the code that is installed take over in the home that is up, or only rehearse it; hear what became of it.

    Raises ``UnreachableError`` when nothing is up there.
    """
    answer = await _ask(home, wire.AskUpgrade(dry), "upgrade.unreachable", UPGRADE_SECONDS)
    assert isinstance(answer, wire.UpgradeDone)  # noqa: S101 (as above)
    return answer


async def ask_record(home: Home, identity: str, minutes: int, *, plain: bool) -> wire.RecordDone:
    """Have a station recorded for some minutes, or, with 0, no longer; hear what became of it.

    Raises ``UnreachableError`` when nothing is up there.
    """
    answer = await _ask(home, wire.AskRecord(identity, minutes, plain), "recording.unreachable")
    assert isinstance(answer, wire.RecordDone)  # noqa: S101 (as above)
    return answer


async def _ask(home: Home, word: wire.Errand, code: str, seconds: float = ANSWER_SECONDS) -> wire.Done:
    try:
        async with asyncio.timeout(seconds):
            answer: wire.Done = _decoder.decode(await ask(home.claims_socket, word))
            return answer
    except (OSError, msgspec.MsgspecError):  # nobody listens, or hung up; a timeout is an OSError as well
        raise UnreachableError(code, "nothing is up here that answers", "Start 'bollard up'.") from None


# -- the supervisor's end ----------------------------------------------------------------------------------------------


class Errands:
    """The errands of one desk. ``say`` says a word on a line, ``workers`` are those at the other end of the lines that
    are theirs; ``reload`` and ``upgrade`` are called when asked so, ``judge`` for a reload that is not to be done.
    ``tickets`` is the first number that is free."""

    def __init__(
        self,
        say: Callable[[int, wire.FromDesk], None],
        workers: Mapping[int, wire.Mate],
        reload: Callable[[], Awaitable[wire.ReloadDone]] | None,
        upgrade: Callable[[wire.AskUpgrade], Awaitable[wire.UpgradeDone]] | None,
        tickets: int = RELOAD + 1,
        *,
        judge: Callable[[], Awaitable[wire.ReloadDone]] | None = None,
    ) -> None:
        self._say, self._workers = say, workers
        self._reload, self._judge, self._upgrade = reload, judge, upgrade
        self._asked: dict[tuple[int, int], asyncio.Future[wire.Reloaded | wire.Recorded]] = {}  # by ticket, connection
        self._tickets = count(tickets)
        self._under_way: dict[asyncio.Task[None], tuple[int, wire.Errand]] = {}

    def under_way(self) -> list[tuple[int, wire.Errand]]:
        """What commands wait for, by the line they asked on."""
        return list(self._under_way.values())

    def ticket(self) -> int:
        """Draw a number that nobody had."""
        return next(self._tickets)

    def run(self, connection: int, word: wire.Errand) -> None:
        """Do what a command asks, and answer it."""
        if len(self._under_way) < ERRANDS_MOST and (work := self._errand(word)) is not None:
            errand = asyncio.ensure_future(self._answer(connection, work))
            self._under_way[errand] = connection, word
            errand.add_done_callback(self._under_way.pop)

    def _errand(self, word: wire.Errand) -> Awaitable[wire.Done] | None:
        match word:
            case wire.AskReload(dry):
                asked = self._judge if dry else self._reload
                return asked() if asked else None
            case wire.AskUpgrade():
                return self._upgrade(word) if self._upgrade else None
            case wire.AskRecord():
                return self._record(word)

    async def _answer(self, connection: int, done: Awaitable[wire.Done]) -> None:
        self._say(connection, await done)

    async def _record(self, word: wire.AskRecord) -> wire.RecordDone:
        """Have whoever holds a station record it: all are asked, since a claim may be older than its connection."""
        ticket = self.ticket()
        asked = wire.Record(ticket, word.identity, word.minutes, word.plain)
        answers = await self._ask_workers(ticket, asked, RECORD_SECONDS)
        heard = [said for said in answers if isinstance(said, wire.Recorded)]
        holder = next((said for said in heard if said.file or said.code), None)
        if holder is not None:
            return wire.RecordDone(holder.file, holder.code, holder.cause, holder.advice)
        says = f"{word.identity} is not connected here"
        absent = NotFoundError("recording.absent", says, "Look at 'bollard station list', and try again.")
        return wire.RecordDone("", absent.code, absent.cause, absent.advice)

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
        told = {connection: loop.create_future() for connection in self._workers}
        self._asked |= {(ticket, connection): said for connection, said in told.items()}
        for connection in told:
            self._say(connection, word)
        if told:
            await asyncio.wait(told.values(), timeout=seconds)
        for connection in told:
            self._asked.pop((ticket, connection), None)
        return [said.result() if said.done() else None for said in told.values()]

    def hear(self, connection: int, word: wire.Reloaded | wire.Recorded) -> None:
        """Hear what a worker says that was asked."""
        said = self._asked.pop((word.ticket if isinstance(word, wire.Recorded) else RELOAD, connection), None)
        if said is not None:
            said.set_result(word)

    def gone(self, connection: int) -> None:
        """A line has ended: whoever is started in the place of its worker reads the new settings."""
        self.hear(connection, wire.Reloaded())
