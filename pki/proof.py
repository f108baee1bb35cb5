"""Proofs about the audit log that fit on a page: this entry is in it; this newer log only added to that older one.

A proof is one JSON text with all that a third person needs but trust: entry, checkpoint and hashes (RFC 6962 2.1.1,
2.1.2). The key in it is only named; a checker who has not got the key from elsewhere learns that the proof agrees with
itself, no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from pki import audit
from pki.checkpoint import open_checkpoint
from pki.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SCHEMA_VERSION: Final = 1  # of a proof's JSON; grows when a field changes its meaning
PROOF_BYTES: Final = 32 * 1024**2  # of a proof; one entry of a bulk import of 100,000 stations fits


class Inclusion(msgspec.Struct, frozen=True, tag="inclusion", tag_field="proof"):
    """This very entry is at ``index`` of the log that ``checkpoint`` was signed over. Hashes are hex."""

    origin: str
    public_key: str
    index: int
    entry: str
    checkpoint: str
    hashes: tuple[str, ...]
    schema_version: int = SCHEMA_VERSION

    def check(self, key: Ed25519PublicKey) -> tuple[int, bytes]:
        """Return the size and the root under which the entry is; ``RefusedError`` when the proof does not hold."""
        size, root = open_checkpoint(self.checkpoint, self.origin, key)
        leaf = audit.leaf_hash(self.entry.encode())
        audit.verify_inclusion(leaf, self.index, size, _bytes(self.hashes), root)
        return size, root


class Consistency(msgspec.Struct, frozen=True, tag="consistency", tag_field="proof"):
    """The log that ``newer`` was signed over begins with all that ``older`` was signed over. Hashes are hex."""

    origin: str
    public_key: str
    older: str
    newer: str
    hashes: tuple[str, ...]
    schema_version: int = SCHEMA_VERSION

    def check(self, key: Ed25519PublicKey) -> tuple[int, bytes]:
        """Return the newer size and root; ``RefusedError`` when the proof does not hold."""
        first, older = open_checkpoint(self.older, self.origin, key)
        second, newer = open_checkpoint(self.newer, self.origin, key)
        audit.verify_consistency(first, second, older, newer, _bytes(self.hashes))
        return second, newer


Proof: TypeAlias = Inclusion | Consistency


def prove_entry(
    origin: str, public_key: str, checkpoint: str, size: int, entry: tuple[int, str], leaves: Iterable[bytes]
) -> Inclusion:
    """Prove the ``entry`` (index and text) under a checkpoint over ``size`` entries; ``leaves`` are those of the log.

    ``InputError("audit.range")`` when the checkpoint was signed before the entry was written.
    """
    index, text = entry
    if not 0 <= index < size:
        raise InputError(
            "audit.range", f"there is no entry {index} among the {size} of the checkpoint", "Take a newer checkpoint."
        )
    roots = audit.range_roots(audit.inclusion_ranges(index, size), leaves)
    return Inclusion(origin, public_key, index, text, checkpoint, _hex(roots))


def prove_growth(
    origin: str, public_key: str, older: tuple[str, int], newer: tuple[str, int], leaves: Iterable[bytes]
) -> Consistency:
    """Prove that the log only grew between two checkpoints, each given as text and size."""
    if not 0 < older[1] <= newer[1]:
        raise InputError(
            "audit.range",
            f"a log of {newer[1]} entries cannot begin with one of {older[1]}",
            "Give the older checkpoint first, and one that was signed over some entries.",
        )
    roots = audit.range_roots(audit.consistency_ranges(older[1], newer[1]), leaves)
    return Consistency(origin, public_key, older[0], newer[0], _hex(roots))


def write_proof(proof: Proof) -> str:
    """Write a proof as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(proof), indent=2).decode() + "\n"


def read_proof(text: str) -> Proof:
    """Read a proof; ``InputError("audit.proof")`` when it is none."""
    try:
        proof = _PROOF.decode(text)
        _bytes(proof.hashes)
    except (msgspec.DecodeError, ValueError, RecursionError) as problem:
        raise InputError(
            "audit.proof", f"this is no proof about an audit log: {str(problem)[:120]!r}", "Give it as it was written."
        ) from None
    return proof


def _hex(hashes: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(each.hex() for each in hashes)


def _bytes(hashes: Iterable[str]) -> list[bytes]:
    return [bytes.fromhex(each) for each in hashes]


_PROOF: Final[msgspec.json.Decoder[Proof]] = msgspec.json.Decoder(Proof)
