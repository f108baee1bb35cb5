"""The arithmetic of a log that cannot be altered unnoticed: a Merkle tree over its entries, and proofs about it.

Pure RFC 6962 (2.1): leaves and nodes are hashed apart, a proof is a handful of hashes, and anybody with the proof and a
signed checkpoint can verify it. Entries are canonical JSON; checkpoints are C2SP's text with one Ed25519 signature.
Everywhere
here a *leaf* is the 32-byte hash of an entry, as ``leaf_hash`` gives it, never the entry itself.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from pki.checkpoint import open_checkpoint, sign_checkpoint
from pki.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Frontier",
    "Json",
    "consistency_proof",
    "entry",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "open_checkpoint",
    "root_of",
    "sign_checkpoint",
    "verify_consistency",
    "verify_inclusion",
]

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"
"""What an entry may tell: no floats, whose text is not canonical."""


def entry(index: int, at: dt.datetime, act: str, who: str, what: Mapping[str, Json]) -> bytes:
    """Write one entry as canonical JSON in ASCII: sorted keys, no blanks, time in UTC with whole microseconds."""
    when = at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    fields = {"index": index, "at": when, "act": act, "who": who, "what": what}
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry into a leaf (RFC 6962 2.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into their parent (RFC 6962 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that is needed to go on appending: one hash per complete subtree, the largest first."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError("a frontier has one hash for each bit set in its size")

    def append(self, leaf: bytes) -> Frontier:
        """Return the frontier with one more leaf: like adding one to a binary number, carries merge subtrees."""
        hashes = [*self.hashes, leaf]
        carries = self.size
        while carries & 1:
            right = hashes.pop()
            hashes.append(node_hash(hashes.pop(), right))
            carries >>= 1
        return Frontier(self.size + 1, tuple(hashes))

    def root(self) -> bytes:
        """Return the root over all leaves; the empty log's is the hash of nothing."""
        if not self.hashes:
            return hashlib.sha256(b"").digest()
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over these leaves, from scratch."""
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    return frontier.root()


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the hashes that prove the leaf at ``index`` is under the root of all ``leaves`` (RFC 6962 2.1.1)."""
    if not 0 <= index < len(leaves):
        raise ValueError("there is no such leaf")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(index, leaves[:split]), root_of(leaves[split:])]
    return [*inclusion_proof(index - split, leaves[split:]), root_of(leaves[:split])]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise ``RefusedError("audit.inclusion")`` unless the proof shows the leaf at ``index`` of a log of ``size``."""
    try:
        computed = _climb(leaf, index, size, list(proof)) if 0 <= index < size else b""
    except IndexError:
        computed = b""
    if not hmac.compare_digest(computed, root):
        raise RefusedError("audit.inclusion", f"the proof does not show entry {index} in a log of {size}", _ADVICE)


def consistency_proof(first: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the hashes that prove the log of ``first`` leaves is the beginning of this one (RFC 6962 2.1.2)."""
    if not 0 < first <= len(leaves):
        raise ValueError("the older log has between one leaf and as many as the newer")
    return _consistency(first, leaves, whole=True)


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise ``RefusedError("audit.consistency")`` unless the newer log (``second``) only added to the older."""
    try:
        computed = _rebuild(first, second, first_root, list(proof))
    except (IndexError, ValueError):
        computed = (b"", b"")
    same = hmac.compare_digest(computed[0], first_root) & hmac.compare_digest(computed[1], second_root)
    if not same:
        raise RefusedError("audit.consistency", f"the log of {second} does not begin with the log of {first}", _ADVICE)


_ADVICE: Final = "Treat the log as altered: keep every copy, compare with the last checkpoint held elsewhere."


def _split(size: int) -> int:
    """Return the largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def _climb(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """Recompute the root; the proof's last hash is the topmost sibling. Leftover hashes make it fail."""
    if size == 1:
        if proof:
            raise IndexError
        return leaf
    sibling, split = proof.pop(), _split(size)
    if index < split:
        return node_hash(_climb(leaf, index, split, proof), sibling)
    return node_hash(sibling, _climb(leaf, index - split, size - split, proof))


def _consistency(first: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """``whole`` says that the older tree is one the verifier has the root of already."""
    if first == len(leaves):
        return [] if whole else [root_of(leaves)]
    split = _split(len(leaves))
    if first <= split:
        return [*_consistency(first, leaves[:split], whole=whole), root_of(leaves[split:])]
    return [*_consistency(first - split, leaves[split:], whole=False), root_of(leaves[:split])]


def _rebuild(first: int, second: int, first_root: bytes, proof: list[bytes]) -> tuple[bytes, bytes]:
    """Recompute both roots from a proof."""
    if not 0 < first <= second:
        raise ValueError
    roots = _descend(first, second, first_root, proof, whole=True)
    if proof:
        raise ValueError
    return roots


def _descend(first: int, second: int, first_root: bytes, proof: list[bytes], *, whole: bool) -> tuple[bytes, bytes]:
    """Walk as ``_consistency`` walked; the proof's last hash belongs to the level at hand."""
    if first == second:
        shared = first_root if whole else proof.pop()
        return shared, shared
    sibling, split = proof.pop(), _split(second)
    if first <= split:
        old, new = _descend(first, split, first_root, proof, whole=whole)
        return old, node_hash(new, sibling)
    old, new = _descend(first - split, second - split, first_root, proof, whole=False)
    return node_hash(sibling, old), node_hash(sibling, new)
