"""What goes wrong in one part of a duty while its other parts go on: told on stderr once, remembered for ``doctor``.

An issuer whose token is away, or whose signer the lint refuses, must not keep the others from signing their lists.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, TypeVar

from pki.edge import calls, log
from pki.errors import BollardError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from pki.edge.office.desk import Desk

T = TypeVar("T")


async def alone(desk: Desk, what: str, work: Awaitable[T]) -> T | None:
    """Do one part of a duty; ``None`` when it failed, which is remembered under ``what`` until it works again."""
    try:
        done = await work
    except Exception as problem:  # noqa: BLE001 - a fault in one part must not end the others
        _remember(desk, what, problem)
        return None
    desk.memory.troubles.pop(what, None)
    return done


def listed(desk: Desk) -> list[calls.FailedRow]:
    """List what goes wrong at present."""
    found = list(desk.memory.troubles.items())
    return [calls.FailedRow(what, each.code, each.cause, each.advice) for what, each in found]


def tell(problem: Exception, what: str = "a duty") -> None:
    """Say on stderr what went wrong; of a fault of ours nothing but its kind and its place."""
    if isinstance(problem, BollardError):
        return log.complain(problem, who="authority")
    frames = "".join(traceback.format_tb(problem.__traceback__))  # no values, which might be secret
    says = f"unexpected {type(problem).__name__} in {what}; please report it"
    return log.say("process.fault", says, who="authority", level=log.Level.ERROR, detail=frames)


def _remember(desk: Desk, what: str, problem: Exception) -> None:
    """The same trouble, round after round, is told once."""
    known = problem if isinstance(problem, BollardError) else _fault(problem)
    before = desk.memory.troubles.get(what)
    if before is None or (before.code, before.cause) != (known.code, known.cause):
        tell(problem, what)
    desk.memory.troubles[what] = known


def _fault(problem: Exception) -> BollardError:
    says = f"an unexpected {type(problem).__name__}"
    return BollardError("authority.internal", says, "Please report it; stderr of the authority says where.")
