"""Reading, proving and sealing the audit log."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from pki.edge import calls
from pki.edge.ledger import audit as log
from pki.edge.ledger import listed as signed
from pki.edge.ledger.replay import Replay
from pki.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from sqlite_utils import Database

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
    """Recompute the log, compare it with everything that was signed over it, and the tables with the log."""
    return await desk.ledger.read_apart(partial(proved, desk.origin, desk.audit_public_key, call.checkpoint))


def proved(origin: str, public_key: Ed25519PublicKey, held: str, database: Database) -> calls.AuditVerified:
    """Verify log and tables of an open ledger, in one pass over the log, and what was signed about the tables."""
    with Replay() as replay:
        frontier, agreed = log.verify(database, origin, public_key, held, replay.heed)
        compared = replay.prove(database)
    signed.prove(database)
    return calls.AuditVerified(frontier.size, frontier.root().hex(), agreed, compared.rows, compared.in_part)


async def checkpoint(desk: Desk, call: calls.MakeCheckpoint, who: str) -> calls.Checkpoint:  # noqa: ARG001 - one shape
    """Sign the log's present state."""
    return await desk.ledger.write(desk.checkpoint)
