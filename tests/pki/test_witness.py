"""No checkpoint is passed by: each is met at its size, with its root, or the log does not hold."""

from __future__ import annotations

import pytest

from pki.audit import Frontier, root_of
from pki.errors import RefusedError
from pki.witness import Witnesses
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
