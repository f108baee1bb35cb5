"""How a command asks the authority: over its socket when it runs, or by becoming it for one question.

The lock decides who is the authority, so of many commands at once each becomes it in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, TypeVar

from pki.edge import calls, lock, wire
from pki.edge.client import Authority
from pki.edge.office.front import Office
from pki.errors import ConflictError, UnreachableError

if TYPE_CHECKING:
    from pki.edge.home import Home

PATIENCE: Final = 10.0  # seconds to wait for an authority that is just starting or stopping
PAUSE: Final = 0.05  # seconds between tries

T = TypeVar("T", bound=calls.Row)


def ask_once(home: Home, call: calls.Call, answer: type[T]) -> T:
    """Ask one question and wait: of the running authority, or, when none runs, as the authority for this one call."""
    return asyncio.run(_ask_once(home, call, answer))


async def _ask_once(home: Home, call: calls.Call, answer: type[T]) -> T:
    for _ in range(int(PATIENCE / PAUSE)):
        try:
            authority = await Authority.connect(home)
        except UnreachableError:
            with contextlib.suppress(_Taken):
                return await _ask_self(home, call, answer)
            await asyncio.sleep(PAUSE)  # another process starts or stops just now: it answers, or its lock goes
        else:
            try:
                return await authority.ask(call, answer)
            finally:
                await authority.close()
    raise ConflictError(
        "authority.silent",
        f"another process holds the authority's lock, yet answers nobody for {PATIENCE:.0f} seconds",
        "See which process it is with 'fuser' on run/lock in the home folder; end it if it hangs.",
    )


class _Taken(Exception):  # noqa: N818 - a turn of events, not an error
    """Somebody else became the authority first."""


async def _ask_self(home: Home, call: calls.Call, answer: type[T]) -> T:
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(lock.hold(home.lock))
        except ConflictError:
            raise _Taken from None
        office = await Office.open(home)
        try:
            row = await office.handle(call, str(wire.own_peer()))
        finally:
            await office.close()
    if not isinstance(row, answer):
        raise TypeError(f"{type(call).__name__} is answered by {type(row).__name__}, not by {answer.__name__}")
    return row
