"""Gives up what was recorded as intended and came to nothing: at once, or as soon as the ledger can be written again.

A signature that failed, or that could not be recorded, was never handed out. Its row says so from the moment the disk
takes it; until then every round of duties tries anew, and the next start would find it by itself.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pki.errors import BollardError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk


async def give_up(desk: Desk, act: Callable[[Tx], None]) -> None:
    """Have ``act`` record what is given up, now or later; never raises, since something else went wrong already."""
    desk.memory.lost.append(act)
    with contextlib.suppress(BollardError):
        await settle(desk)


async def settle(desk: Desk) -> None:
    """Record everything that waits to be given up; what cannot be recorded yet goes on waiting."""
    lost = [*desk.memory.lost]
    if not lost:
        return
    desk.memory.lost.clear()  # so that nobody else records them as well
    try:
        await desk.ledger.write(lambda tx: [act(tx) for act in lost])
    except BaseException:
        desk.memory.lost[:0] = lost
        raise
