"""What may be forgotten: above all how many answers were signed for single askers."""

from __future__ import annotations

from pki.edge.office.memory import Budget


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    """Whoever asks faster is told to come later, and nothing is saved up beyond the burst."""
    budget = Budget(rate=2, burst=3, _level=3)

    assert [budget.take(10) for _ in range(4)] == [True, True, True, False]
    assert [budget.take(10.5), budget.take(10.5)] == [True, False]
    assert [budget.take(1000) for _ in range(4)] == [True, True, True, False]
