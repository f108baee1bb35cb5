"""The arithmetic of a log that cannot be altered unnoticed: a Merkle tree over its entries, and proofs about it.

Pure RFC 6962 (2.1): leaves and nodes are hashed apart, a proof is a handful of hashes, and anybody with the proof and a
signed checkpoint can verify it. Entries are canonical JSON; checkpoints are C2SP's text with one Ed25519 signature.
Everywhere here a *leaf* is the 32-byte hash of an entry, as ``leaf_hash`` gives it, never the entry itself. A proof
consists of the roots over some ranges of leaves; which ranges is arithmetic, so the leaves are read once and not kept.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from pki.checkpoint import open_checkpoint, sign_checkpoint
from pki.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "Frontier",
    "Json",
    "consistency_proof",
    "consistency_ranges",
    "entry",
    "frontier_of",
    "inclusion_proof",
    "inclusion_ranges",
    "leaf_hash",
    "node_hash",
    "open_checkpoint",
    "range_roots",
    "root_of",
    "sign_checkpoint",
    "verify_consistency",
    "verify_inclusion",
]

_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_QUICK: Final = msgspec.json.Encoder(order="sorted")  # writes the same, but for characters outside printable ASCII
MOMENTS_MOST: Final = 64  # remembered as they are written
_DELETE: Final = b"\x7f"

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"
"""What an entry may tell: no floats, whose text is not canonical."""


def entry(
    index: int, at: dt.datetime, act: str, who: str, what: Mapping[str, Json], checkpoints: int | None = None
) -> bytes:
    """Write one entry as canonical JSON in ASCII: sorted keys, no blanks, time in UTC with whole microseconds.

    ``checkpoints`` is how many were signed before it, so that none can be taken away once an entry followed.
    """
    fields = {"index": index, "at": _written(at), "act": act, "who": who, "what": what}
    counted = fields if checkpoints is None else {**fields, "checkpoints": checkpoints}
    quick = _QUICK.encode(counted)
    return quick if quick.isascii() and _DELETE not in quick else _CANONICAL.encode(counted).encode("ascii")


@lru_cache(MOMENTS_MOST)  # acts come many to a second, and are told of to the second
def _written(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


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


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root over these leaves, from scratch."""
    return _grown(leaves).root()


def frontier_of(leaves: Iterable[bytes], size: int) -> Frontier:
    """Return the edge after the first ``size`` leaves."""
    return _grown(islice(leaves, size))


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return the hashes that prove the leaf at ``index`` is under the root of all ``leaves`` (RFC 6962 2.1.1)."""
    return range_roots(inclusion_ranges(index, len(leaves)), leaves)


def inclusion_ranges(index: int, size: int) -> list[range]:
    """Return the ranges of leaves whose roots are the proof for the leaf at ``index``, in the proof's order."""
    if not 0 <= index < size:
        raise ValueError("there is no such leaf")
    ranges, whole = [], range(size)
    while len(whole) > 1:
        middle = whole.start + _split(len(whole))
        left, right = range(whole.start, middle), range(middle, whole.stop)
        whole, sibling = (left, right) if index < middle else (right, left)
        ranges.append(sibling)
    return ranges[::-1]


def consistency_ranges(first: int, size: int) -> list[range]:
    """Return the ranges of leaves whose roots prove that ``first`` leaves are the beginning of ``size``, in order."""
    if not 0 < first <= size:
        raise ValueError("the older log has between one leaf and as many as the newer")
    ranges, whole = [], range(size)
    while whole.stop != first:
        middle = whole.start + _split(len(whole))
        left, right = range(whole.start, middle), range(middle, whole.stop)
        whole, sibling = (left, right) if first <= middle else (right, left)
        ranges.append(sibling)
    return ([whole] if whole.start else []) + ranges[::-1]


def range_roots(ranges: Sequence[range], leaves: Iterable[bytes]) -> list[bytes]:
    """Return the root over each range of leaves, in the ranges' order; reads the leaves once and keeps none.

    The ranges do not overlap. ``ValueError`` when there are fewer leaves than they need.
    """
    stream, place, roots = iter(leaves), 0, {}
    for wanted in sorted(ranges, key=lambda each: each.start):
        deque(islice(stream, wanted.start - place), maxlen=0)
        grown = _grown(islice(stream, len(wanted)))
        if grown.size != len(wanted):
            raise ValueError(f"the leaves end before {wanted.stop}")
        roots[wanted], place = grown.root(), wanted.stop
    return [roots[wanted] for wanted in ranges]


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
    return range_roots(consistency_ranges(first, len(leaves)), leaves)


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


def _grown(leaves: Iterable[bytes]) -> Frontier:
    """Append many at once: the same arithmetic as ``Frontier.append``, without a frontier for each leaf."""
    hashes: list[bytes] = []
    size = 0
    for leaf in leaves:
        hashes.append(leaf)
        carries = size
        while carries & 1:
            right = hashes.pop()
            hashes.append(node_hash(hashes.pop(), right))
            carries >>= 1
        size += 1
    return Frontier(size, tuple(hashes))


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


def _rebuild(first: int, second: int, first_root: bytes, proof: list[bytes]) -> tuple[bytes, bytes]:
    """Recompute both roots from a proof."""
    if not 0 < first <= second:
        raise ValueError
    roots = _descend(first, second, first_root, proof, whole=True)
    if proof:
        raise ValueError
    return roots


def _descend(first: int, second: int, first_root: bytes, proof: list[bytes], *, whole: bool) -> tuple[bytes, bytes]:
    """Walk as ``consistency_ranges`` walked; the proof's last hash belongs to the level at hand."""
    if first == second:
        shared = first_root if whole else proof.pop()
        return shared, shared
    sibling, split = proof.pop(), _split(second)
    if first <= split:
        old, new = _descend(first, split, first_root, proof, whole=whole)
        return old, node_hash(new, sibling)
    old, new = _descend(first - split, second - split, first_root, proof, whole=False)
    return node_hash(sibling, old), node_hash(sibling, new)
