"""What the authority does by itself while it runs: each duty looks at the ledger and the clock, and does what is due.

A duty that fails is said on stderr and tried again at the next round; it never stops the others, nor the authority.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from pki.edge.office import approvals, assertion_keys, external, rotation, settling, succession
from pki.edge.office.answers import presign
from pki.edge.office.crls import sign_due_crls
from pki.edge.office.signers import renew_due, renew_signers
from pki.edge.office.troubles import tell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pki.edge.office.desk import Desk

    Duty: TypeAlias = Callable[[Desk], Awaitable[object]]

ROUND_SECONDS: Final = 30.0  # seconds between two rounds; nothing that is done by itself is due to the second

DUTIES: Final[tuple[Duty, ...]] = (
    settling.settle,
    rotation.tend,
    rotation.watch,
    assertion_keys.tend,
    succession.supersede,
    renew_signers,
    sign_due_crls,
    presign,
    approvals.tidy,
    external.send_due,
)
"""In the order in which they are done."""


async def serve(desk: Desk, who: str) -> None:
    """Let an authority that has just come to be answer for itself, rather than at the next round."""
    await renew_due(desk, who)
    await sign_due_crls(desk, who)


async def tend(desk: Desk, duties: tuple[Duty, ...] = DUTIES) -> None:
    """Do one round."""
    for duty in duties:
        try:
            await duty(desk)
        except Exception as problem:  # noqa: BLE001 - the last net: a fault in one duty must not end the others
            tell(problem)
