"""How a command asks the authority: over its socket when it runs, or by becoming it for as long as it asks.

The lock decides who is the authority, so of many commands at once each becomes it in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar

from pki.edge import calls, lock, wire
from pki.edge.client import Authority
from pki.edge.office.front import Office
from pki.errors import BollardError, ConflictError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from pki.edge.home import Home

PATIENCE: Final = 10.0  # seconds to wait for an authority that is just starting or stopping
PAUSE: Final = 0.05  # seconds between tries
AT_ONCE: Final = 50  # questions under way when many are asked: enough to share each trip to the disk

T = TypeVar("T", bound=calls.Row)
R = TypeVar("R")


class Asker(Protocol):
    """Whoever answers: the running authority, or this process in its place."""

    async def ask(self, call: calls.Call, answer: type[T]) -> T:
        """Ask one question; ``answer`` is the call's ``Answer``."""


class Ask(Protocol):
    """Asks one question of many; ``answer`` is the call's ``Answer``."""

    def __call__(self, call: calls.Call, answer: type[T]) -> T:
        """Ask and wait."""


def ask_once(home: Home, call: calls.Call, answer: type[T]) -> T:
    """Ask one question and wait: of the running authority, or, when none runs, as the authority for this one call."""
    return asyncio.run(_converse(home, lambda asker: asker.ask(call, answer)))


def ask_many(
    home: Home, questions: Sequence[calls.Call], answer: type[T], take: Callable[[calls.Call, T | BollardError], None]
) -> None:
    """Ask many questions of one kind, some at once; ``take`` gets each answer or refusal as it comes, in no order."""

    async def all_of_them(asker: Asker) -> None:
        waiting = iter(questions)

        async def some() -> None:
            for call in waiting:
                try:
                    take(call, await asker.ask(call, answer))
                except UnreachableError:
                    raise
                except BollardError as refused:
                    take(call, refused)

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))

    asyncio.run(_converse(home, all_of_them))


@contextlib.contextmanager
def conversation(home: Home) -> Iterator[Ask]:
    """Ask one question after the other of one authority; where none runs, be it, and let nobody else, until the end."""
    with contextlib.ExitStack() as held, asyncio.Runner() as runner:
        asker = runner.run(_open(home, held))

        def ask(call: calls.Call, answer: type[T]) -> T:
            return runner.run(asker.ask(call, answer))

        try:
            yield ask
        finally:
            runner.run(asker.close())


async def _converse(home: Home, talk: Callable[[Asker], Awaitable[R]]) -> R:
    with contextlib.ExitStack() as held:
        asker = await _open(home, held)
        try:
            return await talk(asker)
        finally:
            await asker.close()


async def _open(home: Home, held: contextlib.ExitStack) -> Authority | _Myself:
    for _ in range(int(PATIENCE / PAUSE)):
        try:
            return await Authority.connect(home)
        except UnreachableError:
            with contextlib.suppress(_Taken):
                return await _Myself.open(home, held)
            await asyncio.sleep(PAUSE)  # another process starts or stops just now: it answers, or its lock goes
    raise ConflictError(
        "authority.silent",
        f"another process holds the authority's lock, yet answers nobody for {PATIENCE:.0f} seconds",
        "See which process it is with 'fuser' on run/lock in the home folder; end it if it hangs.",
    )


class _Taken(Exception):  # noqa: N818 - a turn of events, not an error
    """Somebody else became the authority first."""


class _Myself:
    """This process as the authority."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._who = str(wire.own_peer())

    @classmethod
    async def open(cls, home: Home, held: contextlib.ExitStack) -> Self:
        """Take the lock, for as long as ``held`` lasts, and open the office."""
        try:
            held.enter_context(lock.hold(home.lock))
        except ConflictError:
            raise _Taken from None
        return cls(await Office.open(home))

    async def ask(self, call: calls.Call, answer: type[T]) -> T:
        """Answer as the authority would over its socket."""
        row = await self._office.handle(call, self._who)
        if not isinstance(row, answer):
            raise TypeError(f"{type(call).__name__} is answered by {type(row).__name__}, not by {answer.__name__}")
        return row

    async def close(self) -> None:
        """Close the office."""
        await self._office.close()
