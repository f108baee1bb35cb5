"""Reading, proving and sealing the audit log."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from pki.edge import calls
from pki.edge.ledger import audit as log
from pki.errors import InputError

if TYPE_CHECKING:
    from pki.edge.office.desk import Desk

LIST_LIMIT: Final = 1_000  # entries in one answer; the next call goes on from there


async def listed(desk: Desk, call: calls.ListAudit, who: str) -> calls.AuditRows:  # noqa: ARG001 - one shape for all
    """List entries in order."""
    if not 1 <= call.limit <= LIST_LIMIT or not -1 <= call.first < 2**63:
        raise InputError(
            "audit.range", f"{call.limit} entries from {call.first} on", f"Ask for 1 to {LIST_LIMIT} entries from 0 on."
        )
    look = partial(log.listed, first=call.first, limit=call.limit)
    return calls.AuditRows(tuple(await desk.ledger.read(look)))


async def verify(desk: Desk, call: calls.VerifyAudit, who: str) -> calls.AuditVerified:  # noqa: ARG001 - one shape
    """Recompute the log and compare it with everything that was signed over it."""
    look = partial(log.verify, origin=desk.origin, public_key=desk.audit_public_key, held=call.checkpoint)
    frontier, agreed = await desk.ledger.read_apart(look)
    return calls.AuditVerified(frontier.size, frontier.root().hex(), agreed)


async def checkpoint(desk: Desk, call: calls.MakeCheckpoint, who: str) -> calls.Checkpoint:  # noqa: ARG001 - one shape
    """Sign the log's present state."""
    return await desk.ledger.write(desk.checkpoint)
