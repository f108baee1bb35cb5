"""What may be forgotten: above all how many answers were signed for single askers."""

from __future__ import annotations

from pki.edge.office.memory import Budget, Memory


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    """Whoever asks faster is told to come later, and nothing is saved up beyond the burst."""
    budget = Budget(rate=2, burst=3, _level=3)

    assert [budget.take(10) for _ in range(4)] == [True, True, True, False]
    assert [budget.take(10.5), budget.take(10.5)] == [True, False]
    assert [budget.take(1000) for _ in range(4)] == [True, True, True, False]


def test_acts_are_counted_by_their_name() -> None:
    """Each for itself; what was never done is not there."""
    memory = Memory()
    for act in ("certificate.issued", "crl.issued", "certificate.issued"):
        memory.count(act)

    assert dict(memory.acts) == {"certificate.issued": 2, "crl.issued": 1}
