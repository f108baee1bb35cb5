"""Evidence about the audit log for others: what an export begins with, and proofs that stand by themselves."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import audit, proof
from pki.checkpoint import open_checkpoint
from pki.edge import calls
from pki.edge.ledger import audit as log
from pki.edge.office.records import LIST_LIMIT
from pki.errors import InputError

if TYPE_CHECKING:
    from sqlite_utils import Database

    from pki.edge.office.desk import Desk


async def describe(desk: Desk, call: calls.DescribeAudit, who: str) -> calls.AuditDescribed:  # noqa: ARG001 - one shape
    """Sign the log as it stands, and say what an export of it begins with."""
    signed = await desk.ledger.write(desk.checkpoint)
    if not 0 <= call.first <= signed.size:
        raise InputError("audit.range", f"the log has {signed.size} entries", "Begin with one of them, from 0 on.")
    return await desk.ledger.read_apart(partial(_describe, desk, call.first, signed.size))


def _describe(desk: Desk, first: int, size: int, database: Database) -> calls.AuditDescribed:
    return calls.AuditDescribed(
        origin=desk.origin,
        public_key=public_key(desk),
        first=first,
        size=size,
        checkpoints=_count_within(database, first, size),
        frontier=audit.frontier_of(log.stored_leaves(database), first).hashes,
    )


def _count_within(database: Database, first: int, size: int) -> int:
    """Count the checkpoints over ``first`` to ``size`` entries: they were all signed before any over more."""
    return log.count_checkpoints(database, first) - log.count_checkpoints(database, size + 1)


async def checkpoints(desk: Desk, call: calls.ListCheckpoints, who: str) -> calls.Checkpoints:  # noqa: ARG001 - one shape
    """List checkpoints in the order in which they were signed."""
    if not (1 <= call.limit <= LIST_LIMIT and 0 <= call.first < 2**63 and 0 <= call.least < 2**63):
        raise InputError("audit.range", f"{call.limit} checkpoints", f"Ask for 1 to {LIST_LIMIT} from 0 on.")
    look = partial(log.checkpoints_from, least=call.least, first=call.first, limit=call.limit)
    return calls.Checkpoints(tuple(await desk.ledger.read(look)))


async def prove_entry(desk: Desk, call: calls.ProveEntry, who: str) -> calls.AuditProof:  # noqa: ARG001 - one shape
    """Prove that an entry is in the log; what cannot be proved is refused, not handed out."""
    text, size = await _signed(desk, call.checkpoint)
    proved = await desk.ledger.read_apart(partial(_prove_entry, desk, text, size, call.index))
    proved.check(desk.audit_public_key)
    return calls.AuditProof(proof.write_proof(proved))


def _prove_entry(desk: Desk, text: str, size: int, index: int, database: Database) -> proof.Inclusion:
    listed = log.listed(database, index, 1) if 0 <= index < size else []
    entry = (index, listed[0].entry if listed else "")
    leaves = log.stored_leaves(database)
    with log.as_altered():
        return proof.prove_entry(desk.origin, public_key(desk), text, size, entry, leaves)


async def prove_growth(desk: Desk, call: calls.ProveGrowth, who: str) -> calls.AuditProof:  # noqa: ARG001 - one shape
    """Prove that the log only grew between two checkpoints."""
    older = (call.older, open_checkpoint(call.older, desk.origin, desk.audit_public_key)[0])
    newer = await _signed(desk, call.newer)
    proved = await desk.ledger.read_apart(partial(_prove_growth, desk, older, newer))
    proved.check(desk.audit_public_key)
    return calls.AuditProof(proof.write_proof(proved))


def _prove_growth(desk: Desk, older: tuple[str, int], newer: tuple[str, int], database: Database) -> proof.Consistency:
    leaves = log.stored_leaves(database)
    with log.as_altered():
        return proof.prove_growth(desk.origin, public_key(desk), older, newer, leaves)


def public_key(desk: Desk) -> str:
    """Write the key that checkpoints verify under, in PEM."""
    raw = desk.audit_public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return raw.decode("ascii")


async def _signed(desk: Desk, text: str) -> tuple[str, int]:
    """Open a checkpoint of ours; without one, sign the log as it stands."""
    if text:
        return text, open_checkpoint(text, desk.origin, desk.audit_public_key)[0]
    signed = await desk.ledger.write(desk.checkpoint)
    return signed.text, signed.size
