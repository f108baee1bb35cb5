"""No checkpoint is passed by: each is met at its size, with its root, or the log does not hold."""

from __future__ import annotations

import contextlib

import pytest

from pki.audit import Frontier, root_of
from pki.errors import RefusedError
from pki.witness import CHECKPOINT_EVERY, Due, Witnesses
from tests.pki.logs import leaves


def show(witnesses: Witnesses, count: int) -> Frontier:
    """Let a log grow before the witnesses' eyes."""
    frontier = Frontier()
    witnesses.meet(frontier)
    for leaf in leaves(count):
        frontier = frontier.append(leaf)
        witnesses.meet(frontier)
    return frontier


def test_every_checkpoint_is_counted_once() -> None:
    """Two of the same size are two."""
    witnesses = Witnesses((size, root_of(leaves(size))) for size in (0, 2, 2, 5))
    assert witnesses.agreed(show(witnesses, 5)) == 4


@pytest.mark.parametrize(
    ("signed", "says"),
    [
        ([(2, root_of(leaves(3)))], "first 2 entries are not those"),
        ([(2, root_of(leaves(2))), (2, bytes(32))], "first 2 entries are not those"),
        ([(6, root_of(leaves(6)))], "over 6 entries, yet only 5 are there"),
    ],
    ids=["another root", "one of two", "more than there is"],
)
def test_a_checkpoint_that_the_log_does_not_bear_out_refuses_it(signed: list[tuple[int, bytes]], says: str) -> None:
    """Whichever way the log was altered."""
    witnesses = Witnesses(signed)
    with pytest.raises(RefusedError, match=says):
        witnesses.agreed(show(witnesses, 5))


def test_each_entry_tells_how_many_checkpoints_were_signed_before_it() -> None:
    """One over two entries was signed before the third, whose index is 2, and after the second."""
    due = Due([2, 2, 5])
    for index, told in enumerate((0, 0, 2, 2, 2, 3)):
        due.heed(index, f'{{"checkpoints":{told}}}')
        with pytest.raises(RefusedError, match=f"tells of {told + 1} checkpoints"):
            due.heed(index, f'{{"checkpoints":{told + 1}}}')


@pytest.mark.parametrize("entry", ["{}", "no entry"])
def test_what_tells_nothing_of_checkpoints_is_no_witness(entry: str) -> None:
    """An entry of an older version; and text that is none is told by whoever reads entries."""
    Due([1]).heed(0, entry)


@pytest.mark.parametrize(
    ("sizes", "size", "whole"),
    [
        ([], CHECKPOINT_EVERY, True),
        ([], CHECKPOINT_EVERY + 1, False),
        ([5, CHECKPOINT_EVERY], 2 * CHECKPOINT_EVERY, True),
        ([CHECKPOINT_EVERY, 3 * CHECKPOINT_EVERY], 3 * CHECKPOINT_EVERY, False),
        ([CHECKPOINT_EVERY + 1], CHECKPOINT_EVERY + 1, False),
    ],
)
def test_no_stretch_is_longer_than_any_that_nothing_is_signed_over(sizes: list[int], size: int, whole: bool) -> None:
    """Whatever the entries tell: one is signed with each thousandth."""
    refusal = (
        contextlib.nullcontext() if whole else pytest.raises(RefusedError, match=r"audit\.broken: .* no checkpoint")
    )
    with refusal:
        Due(sizes).end(size)
