"""What was read of the last few papers is remembered, and of no other paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pki.recall import PAPERS_MOST, of_the_last

if TYPE_CHECKING:
    from collections.abc import Callable


class Paper:
    """A paper that is equal to every other: only its identity tells it apart."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Paper)

    def __hash__(self) -> int:
        raise AssertionError("a paper was hashed")


def noting(read: list[int]) -> Callable[[Paper], int]:
    """A way to read a paper that notes which were read."""

    def reading(paper: Paper) -> int:
        read.append(paper.number)
        return paper.number

    return reading


def inverse(paper: Paper) -> int:
    """A way to read that refuses paper 0."""
    return 1 // paper.number


def test_a_paper_is_read_once_while_it_is_among_the_last() -> None:
    """The rules ask of one paper in a row."""
    read: list[int] = []
    recall = of_the_last(noting(read))
    paper = Paper(1)

    assert [recall(paper), recall(paper)] == [1, 1]
    assert read == [1]


def test_papers_that_are_equal_are_not_taken_for_one_another() -> None:
    """Equal to the library may still be two papers; each is read by itself, and stays what it is."""
    recall = of_the_last(noting([]))
    papers = [Paper(number) for number in range(3 * PAPERS_MOST)]

    assert [recall(paper) for paper in (*papers, *papers)] == [*range(3 * PAPERS_MOST)] * 2


def test_a_paper_that_is_gone_is_never_mistaken_for_a_new_one() -> None:
    """An identity is given out again once its holder is gone; what is remembered keeps its holder."""
    recall = of_the_last(noting([]))

    assert [recall(Paper(number)) for number in range(10 * PAPERS_MOST)] == [*range(10 * PAPERS_MOST)]


def test_no_more_than_a_few_are_kept() -> None:
    """So that a stranger's papers do not stay."""
    read: list[int] = []
    recall = of_the_last(noting(read))
    papers = [Paper(number) for number in range(PAPERS_MOST + 1)]
    for paper in (*papers, papers[0]):
        recall(paper)

    assert read == [*range(PAPERS_MOST + 1), 0]


def test_a_refusal_is_not_remembered() -> None:
    """What could not be read is tried again, and refused again."""
    recall = of_the_last(inverse)

    paper = Paper(0)

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            recall(paper)
