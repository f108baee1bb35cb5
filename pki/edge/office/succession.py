"""A station's former certificates are revoked once it has lived with a newer one for long enough (A02.FR.10).

Only what was seen counts: the newer was used at a boot at least ``issuing.keep_old_days`` ago, the former not since.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Final

from pki.edge import calls, clock
from pki.edge.ledger import successions
from pki.edge.office import revoking
from pki.revocation import Reason

if TYPE_CHECKING:
    from pki.edge.office.desk import Desk

WHO: Final = "authority"  # who acts, in the audit log
EACH_ROUND: Final = 500  # revocations in one round at most, so that a fleet's worth does not hold up everybody else


async def supersede(desk: Desk) -> int:
    """Revoke what has been superseded; return how many that were."""
    moment = clock.now()
    since = clock.stamp(moment - dt.timedelta(days=desk.settings.keep_old_days))
    look = partial(successions.superseded, used_since=since, now=clock.stamp(moment), limit=EACH_ROUND)
    found = await desk.ledger.read(look)
    for each in found:
        await revoking.revoke(desk, calls.RevokeCertificate(each.serial, Reason.SUPERSEDED.value), WHO)
    return len(found)
