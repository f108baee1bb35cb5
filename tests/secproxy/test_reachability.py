"""When a URL is left alone and looked at again: a table, a bound on every wait, and nothing that goes in step."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.config import Limits
from secproxy.reachability import NEXT, Fact, Standing, State, after, order, share, spread

LIMITS = Limits(retry_first_seconds=1, retry_most_seconds=10, close_spread_seconds=20, returns_per_second=100)
UP, DOWN = Standing(), Standing(State.DOWN, 1, 5.0, 4.0)

facts = st.lists(st.tuples(st.sampled_from(Fact), st.floats(0, 30), st.floats(0, 1)), max_size=40)


def test_the_table_is_complete() -> None:
    """Each state knows what becomes of it, whatever is found out."""
    assert set(NEXT) == {(state, fact) for state in State for fact in Fact}


@pytest.mark.parametrize(
    ("before", "fact", "then"),
    [
        pytest.param(UP, Fact.REACHED, Standing(), id="up stays up"),
        pytest.param(UP, Fact.MISSED, Standing(State.DOWN, 1, 6.5, 6.0, changed=True), id="one miss is enough"),
        pytest.param(DOWN, Fact.MISSED, Standing(State.DOWN, 2, 7.0, 4.0), id="the next wait is longer"),
        pytest.param(DOWN, Fact.REACHED, Standing(changed=True), id="one success clears it"),
    ],
)
def test_a_fact_makes_of_a_standing_what_the_table_says(before: Standing, fact: Fact, then: Standing) -> None:
    """At second 6, with a draw in the middle."""
    assert after(before, fact, 6.0, 0.5, LIMITS) == then


def test_connections_dialled_before_it_was_down_do_not_lengthen_the_wait() -> None:
    """A hundred stations that failed at once are one miss."""
    assert after(DOWN, Fact.MISSED, 4.5, 1.0, LIMITS) == DOWN


@given(facts)
def test_no_wait_is_longer_than_allowed_and_each_change_is_told_once(told: list[tuple[Fact, float, float]]) -> None:
    """Whatever happens when: ups and downs alternate, and no URL is left alone for ever."""
    standing, moment, changes = Standing(), 0.0, []
    for fact, later, draw in told:
        moment += later
        standing = after(standing, fact, moment, draw, LIMITS)
        assert standing.look_at <= moment + LIMITS.retry_most_seconds
        if standing.changed:
            changes.append(standing.state)
    assert changes == [(State.DOWN, State.UP)[number % 2] for number in range(len(changes))]


def test_after_any_number_of_misses_the_wait_is_still_drawn_from_all_of_the_bound() -> None:
    """Full jitter: near nothing and near the whole are both possible."""
    standing = Standing(State.DOWN, 10_000, 0.0, 0.0)
    assert after(standing, Fact.MISSED, 1.0, 0.0, LIMITS).look_at == 1.0
    assert after(standing, Fact.MISSED, 1.0, 1.0, LIMITS).look_at == 11.0


def test_urls_are_tried_as_written_and_those_that_are_down_not_at_all() -> None:
    """Fail-over in order."""
    assert order([UP, DOWN, UP], (), random.random) == [0, 2]
    assert order([DOWN, DOWN], (1, 1), random.random) == []


def test_by_weight_each_has_its_part_and_the_others_are_its_spares() -> None:
    """Three of four first dials go to the URL with weight 3; every URL is in every order."""
    draw = random.Random(7).random  # noqa: S311 - a fixed draw makes the test exact
    orders = [order([UP, UP, UP], (3, 1, 4), draw) for _ in range(8_000)]
    first = Counter(found[0] for found in orders)
    assert all(sorted(found) == [0, 1, 2] for found in orders)
    assert [round(first[number] / 1_000) for number in range(3)] == [3, 1, 4]


def test_the_last_draw_there_is_still_names_a_url() -> None:
    """A draw at the very end, where sums of parts may be rounded."""
    assert sorted(order([UP, UP], (1, 1), lambda: 1.0)) == [0, 1]


@given(st.floats(0, 60), st.integers(1, 16))
def test_all_shares_together_are_no_longer_than_a_station_waits(seconds: float, urls: int) -> None:
    """Each URL that uses up its share leaves the others theirs."""
    left = seconds
    for place in range(urls):
        left -= share(left, urls - place)
    assert left >= -1e-6


def test_few_stations_are_let_go_at_once_and_many_over_seconds() -> None:
    """A hundred a second, and never over more than the bound."""
    assert [spread(live, LIMITS) for live in (0, 1, 300, 1_000_000)] == [0.0, 0.01, 3.0, 20.0]
