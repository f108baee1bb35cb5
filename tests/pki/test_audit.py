"""The log's arithmetic: fast ways agree with the definition, proofs hold, and nothing altered passes."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.audit import (
    Frontier,
    Json,
    consistency_proof,
    consistency_ranges,
    entry,
    frontier_of,
    inclusion_proof,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    range_roots,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from pki.errors import RefusedError

AT = dt.datetime(2026, 6, 1, 12, 0, 0, 123, tzinfo=dt.UTC)
logs = st.lists(st.binary(max_size=8).map(leaf_hash), min_size=1, max_size=40)


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(by_definition(leaves[:k]), by_definition(leaves[k:]))


def flipped(hashes: list[bytes], bit: int) -> list[bytes]:
    """The same hashes with one bit changed."""
    whole = bytearray(b"".join(hashes))
    whole[(bit // 8) % len(whole)] ^= 1 << bit % 8
    return [bytes(whole[place : place + 32]) for place in range(0, len(whole), 32)]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    )
)
def test_an_entry_is_canonical_whatever_it_tells(told: Json) -> None:
    """Sorted keys, no blanks, ASCII alone: as the standard library writes it, however it was written here."""
    made = entry(7, AT, "station.added", "root", {"told": told})
    fields = {"index": 7, "at": "2026-06-01T12:00:00.000123Z", "act": "station.added", "who": "root"}

    assert made.decode("ascii") == json.dumps(fields | {"what": {"told": told}}, sort_keys=True, separators=(",", ":"))


@given(st.lists(st.binary(max_size=8).map(leaf_hash), max_size=70))
def test_the_frontier_s_root_is_the_defined_one(leaves: list[bytes]) -> None:
    """Appending one by one gives the recursive definition's root."""
    assert root_of(leaves) == by_definition(leaves)


def test_the_known_roots_of_the_certificate_transparency_vectors_come_out() -> None:
    """The eight inputs and the roots that RFC 6962 implementations publish."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [leaf_hash(bytes.fromhex(text)) for text in inputs]

    assert root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert root_of(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(logs, st.data())
def test_every_entry_is_proved_to_be_in_the_log(leaves: list[bytes], data: st.DataObject) -> None:
    """A short proof and the root are enough."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = inclusion_proof(index, leaves)

    verify_inclusion(leaves[index], index, len(leaves), proof, root_of(leaves))
    assert len(proof) <= len(leaves).bit_length()


@given(logs, st.data())
def test_an_inclusion_proof_with_a_bit_flipped_fails(leaves: list[bytes], data: st.DataObject) -> None:
    """In the proof, in the entry or in the root: each one is fatal."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    bit = data.draw(st.integers(0, 10_000))
    proof, root = inclusion_proof(index, leaves), root_of(leaves)

    with pytest.raises(RefusedError):
        verify_inclusion(flipped([leaves[index]], bit)[0], index, len(leaves), proof, root)
    with pytest.raises(RefusedError):
        verify_inclusion(leaves[index], index, len(leaves), proof, flipped([root], bit)[0])
    if proof:
        with pytest.raises(RefusedError):
            verify_inclusion(leaves[index], index, len(leaves), flipped(proof, bit), root)


@given(logs, st.data())
def test_an_inclusion_proof_of_another_length_fails(leaves: list[bytes], data: st.DataObject) -> None:
    """Nothing may be left out or left over."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof, root = inclusion_proof(index, leaves), root_of(leaves)

    for wrong in (proof[:-1], [*proof, root], [root, *proof]):
        if wrong != proof:
            with pytest.raises(RefusedError):
                verify_inclusion(leaves[index], index, len(leaves), wrong, root)


@pytest.mark.parametrize("index", [-1, 3, 10**9])
def test_an_index_outside_the_log_is_refused(index: int) -> None:
    """Asked to verify, it refuses; asked to prove, the program is at fault."""
    leaves = [leaf_hash(bytes([n])) for n in range(3)]

    with pytest.raises(RefusedError):
        verify_inclusion(leaves[0], index, 3, [], root_of(leaves))
    with pytest.raises(ValueError, match="no such leaf"):
        inclusion_proof(index, leaves)


@given(logs, st.data())
def test_a_grown_log_is_proved_to_begin_with_the_old_one(leaves: list[bytes], data: st.DataObject) -> None:
    """From any earlier size to the present one."""
    first = data.draw(st.integers(1, len(leaves)))

    verify_consistency(first, len(leaves), root_of(leaves[:first]), root_of(leaves), consistency_proof(first, leaves))


@given(logs, st.data())
def test_a_log_whose_past_was_changed_cannot_be_proved_consistent(leaves: list[bytes], data: st.DataObject) -> None:
    """The old root does not fit the new log, whatever the proof."""
    first = data.draw(st.integers(1, len(leaves)))
    changed = [*leaves]
    changed[data.draw(st.integers(0, first - 1))] = leaf_hash(b"forged entry")

    with pytest.raises(RefusedError):
        verify_consistency(
            first, len(leaves), root_of(leaves[:first]), root_of(changed), consistency_proof(first, changed)
        )


@given(logs, st.data())
def test_a_consistency_proof_with_a_bit_flipped_fails(leaves: list[bytes], data: st.DataObject) -> None:
    """In the proof or in either root; a hash too few or too many is fatal as well."""
    first, bit = data.draw(st.integers(1, len(leaves))), data.draw(st.integers(0, 10_000))
    proof, old, new = consistency_proof(first, leaves), root_of(leaves[:first]), root_of(leaves)
    wrong = [(flipped([old], bit)[0], new, proof), (old, flipped([new], bit)[0], proof), (old, new, [*proof, new])]
    if proof:
        wrong += [(old, new, flipped(proof, bit)), (old, new, proof[:-1])]

    for first_root, second_root, hashes in wrong:
        with pytest.raises(RefusedError) as refusal:
            verify_consistency(first, len(leaves), first_root, second_root, hashes)
        assert refusal.value.code == "audit.consistency"


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (-1, 3)])
def test_sizes_that_cannot_be_are_refused(first: int, second: int) -> None:
    """A log never shrinks."""
    leaves = [leaf_hash(bytes([n])) for n in range(3)]

    with pytest.raises(RefusedError):
        verify_consistency(first, second, root_of(leaves), root_of(leaves), [])
    with pytest.raises(ValueError, match="older log"):
        consistency_proof(first, leaves)


@pytest.mark.parametrize(("size", "hashes"), [(1, ()), (2, (b"a", b"b")), (-1, ())])
def test_a_frontier_that_cannot_be_is_not_made(size: int, hashes: tuple[bytes, ...]) -> None:
    """A damaged one is noticed when it is loaded."""
    with pytest.raises(ValueError, match="one hash for each bit"):
        Frontier(size, hashes)


@given(logs)
def test_a_frontier_goes_on_after_being_stored(leaves: list[bytes]) -> None:
    """Size and hashes are all there is to it."""
    frontier = Frontier()
    for leaf in leaves:
        frontier = Frontier(frontier.size, tuple(frontier.hashes)).append(leaf)

    assert (frontier.size, frontier.root()) == (len(leaves), root_of(leaves))


def test_an_entry_is_one_canonical_line() -> None:
    """The same facts give the same bytes, whatever order they came in and whatever zone the clock had."""
    east = dt.timezone(dt.timedelta(hours=9))
    one = entry(7, AT, "station.added", "root", {"b": [1, None], "a": "\u00e9\n"})
    two = entry(7, AT.astimezone(east), "station.added", "root", {"a": "\u00e9\n", "b": [1, None]})

    assert one == two
    assert one.isascii()
    assert b"\n" not in one
    assert json.loads(one)["at"] == "2026-06-01T12:00:00.000123Z"


def test_leaves_and_nodes_are_hashed_apart() -> None:
    """An inner node can never be passed off as an entry (RFC 6962 2.1)."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")

    assert node_hash(left, right) != leaf_hash(left + right)


@given(logs, st.data())
def test_a_proof_s_ranges_and_its_own_leaves_are_the_whole_log_once(leaves: list[bytes], data: st.DataObject) -> None:
    """So every leaf is hashed once, in one reading, and the longest proof is as short as the tree is high."""
    size, index = len(leaves), data.draw(st.integers(0, len(leaves) - 1))
    inclusion, consistency = inclusion_ranges(index, size), consistency_ranges(index + 1, size)

    assert sorted([index, *(place for part in inclusion for place in part)]) == list(range(size))
    covered = sorted(place for part in consistency for place in part)
    assert covered in ([*range(size)], [*range(index + 1, size)])  # without the older log, where its root is known
    assert len(consistency) <= size.bit_length() + 1


def test_leaves_that_end_too_early_are_no_proof() -> None:
    """A log that was cut off proves nothing about what is gone."""
    with pytest.raises(ValueError, match="end before 8"):
        range_roots(inclusion_ranges(0, 8), [leaf_hash(b"x")] * 6)


@given(logs, st.integers(0, 40))
def test_the_edge_after_some_leaves_is_the_one_that_grew_there(leaves: list[bytes], size: int) -> None:
    """An export may begin in the middle and go on from it."""
    grown = Frontier()
    for leaf in leaves[:size]:
        grown = grown.append(leaf)
    assert frontier_of(leaves, size) == grown


@pytest.mark.parametrize("wrong", [(0, 0), (-1, 3), (3, 3)])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(wrong: tuple[int, int]) -> None:
    """A wrong question is a fault of the caller's."""
    with pytest.raises(ValueError, match="no such leaf"):
        inclusion_ranges(*wrong)
