"""What is counted is kept, whoever counted it and whatever became of him."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from secproxy.metrics import BUCKETS
from secproxy.tally import Tally, Totals, series

COUNTS = st.dictionaries(st.sampled_from(["a", "b x", "b y"]), st.integers(0, 1000))


def test_a_series_is_named_by_its_figure_and_its_labels() -> None:
    """An empty label is one as well."""
    assert series("name", "x", "", "z").split(" ") == ["name", "x", "", "z"]


def test_a_gauge_that_is_back_at_nothing_is_forgotten() -> None:
    """Else the labels of a long life would pile up."""
    tally = Tally()
    tally.shift("connections", "3", by=1)
    tally.shift("connections", "3", by=1)
    assert tally.gauges == {"connections 3": 2}
    tally.shift("connections", "3", by=-2)
    assert tally.gauges == {}


def test_a_duration_falls_into_the_first_bucket_that_holds_it() -> None:
    """The bound itself belongs to its bucket; what is longer than all goes to the last."""
    tally = Tally()
    for seconds in (0.001, BUCKETS[0], 0.3, 99.0):
        tally.observe("dial", seconds, "csms")
    assert tally.counters == {
        "dial csms 0.005": 2,
        "dial csms sum": 0.001 + BUCKETS[0] + 0.3 + 99.0,
        "dial csms 0.5": 1,
        "dial csms inf": 1,
    }


@given(st.lists(st.tuples(st.integers(0, 3), COUNTS, st.booleans()), max_size=20))
def test_no_sum_ever_falls(reports: list[tuple[int, dict[str, int], bool]]) -> None:
    """Processes count on, end and are replaced under new numbers; whoever looks sees counters grow."""
    totals, numbers, mine = Totals(), {each: each for each in range(4)}, {each: dict[str, float]() for each in range(4)}
    before: dict[str, float] = {}
    for process, more, ends in reports:
        for key, count in more.items():
            mine[process][key] = mine[process].get(key, 0) + count
        totals.take(numbers[process], dict(mine[process]), {"live": 1})
        if ends:
            totals.gone(numbers[process])
            numbers[process] += 4
            mine[process] = {}
        after = totals.counters()
        assert all(after[key] >= value for key, value in before.items())
        before = after

    assert totals.gauges().get("live", 0) <= 4
    assert sum(before.values()) == sum(sum(more.values()) for _, more, _ in reports)


def test_the_gauges_of_one_that_ended_end_with_it() -> None:
    """What it held it holds no more; who was never there takes nothing along."""
    totals = Totals()
    totals.take(1, {}, {"live": 3})
    totals.take(2, {}, {"live": 4})
    totals.gone(1)
    totals.gone(7)

    assert totals.gauges() == {"live": 4}
