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


def used(times: int, at: float = 0.0) -> Gauges:
    """Of which so many have been let through."""
    gauges = Gauges()
    assert all(gauges.take("p", "r", RATE, at) is None for _ in range(times))
    return gauges


def passed(gauges: Gauges, at: float = 0.0, rule: str = "r") -> int:
    """How many are let through now."""
    return sum(gauges.take("p", rule, RATE, at) is None for _ in range(9))


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 1))
def test_a_set_that_follows_another_goes_on_with_what_is_left(before: int, after: int, rest: int) -> None:
    """Also for those who were quicker than it heard of the other; at the rate there is more."""
    gauges = used(after, 5.0)
    gauges.follow(used(before, 5.0))
    assert passed(gauges, 5.0 + rest) == min(3, max(0, 3 - before - after) + rest)
    assert passed(gauges, 5.0 + rest, "other") == 3


def test_a_set_that_follows_one_that_followed_loses_nothing_of_it() -> None:
    """Nor of gauges that nobody needed between."""
    gauges, last = Gauges(), Gauges()
    gauges.follow(used(3))
    last.follow(gauges)
    assert (passed(last), passed(last, 1.0)) == (0, 1)


@given(st.integers(0, 3))
def test_of_two_that_share_what_is_left_neither_begins_anew(before: int) -> None:
    """What was never needed is shared as well; after a while both have as much as any."""
    old, new = used(before, 100.0), Gauges()
    old.halve(100.0)
    new.take_in(old.levels(), 0.5, 100.0)
    assert passed(old, 100.0) + passed(new, 100.0) <= 3 - before
    assert passed(old, 100.0, "other") + passed(new, 100.0, "other") == 2  # one and a half each
    assert passed(new, 200.0) == passed(new, 200.0, "third") == 3
