"""What a rate allows, and how often it is told that it was too much."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from secproxy.policy.gauges import QUIET_SECONDS, Gauges, Over
from secproxy.policy.rules import Rate, Scope

RATE = Rate(60, 3, Scope.FLEET)


def test_as_many_pass_as_the_rate_says_and_the_rest_is_told_once_a_minute() -> None:
    """A thousand stations reset at once are one alarm; what it left out is counted in the next."""
    gauges = Gauges()
    assert [gauges.take("p", "r", RATE, 0.0) for _ in range(3)] == [None] * 3
    assert gauges.take("p", "r", RATE, 0.0) == Over(tell=True)
    assert [gauges.take("p", "r", RATE, 0.0) for _ in range(7)] == [Over(tell=False)] * 7
    assert gauges.take("p", "r", RATE, 1.0) is None
    later = QUIET_SECONDS + 1
    assert [gauges.take("p", "r", RATE, later) for _ in range(3)] == [None] * 3
    assert gauges.take("p", "r", RATE, later) == Over(tell=True, left_out=7)


def test_rules_and_policies_are_counted_apart() -> None:
    """One that is used up says nothing about another."""
    gauges = Gauges()
    for _ in range(9):
        gauges.take("p", "r", RATE, 0.0)
    assert gauges.take("p", "other", RATE, 0.0) is None
    assert gauges.take("other", "r", RATE, 0.0) is None


def test_a_clock_that_is_set_back_does_not_silence_a_gauge() -> None:
    """By more than the quiet time: the next one is told."""
    gauges = Gauges()
    for _ in range(4):
        gauges.take("p", "r", RATE, 10_000.0)
    assert gauges.take("p", "r", RATE, 0.0) == Over(tell=True)


@given(st.integers(1, 8), st.integers(8, 200))
def test_all_shares_together_allow_no_more_than_the_whole(shares: int, burst: int) -> None:
    """However stations are dealt out to the workers."""
    rate, workers = Rate(60, burst, Scope.FLEET), [Gauges(shares) for _ in range(shares)]
    passed = sum(each.take("p", "r", rate, 0.0) is None for each in workers for _ in range(burst))
    assert burst - shares < passed <= burst
