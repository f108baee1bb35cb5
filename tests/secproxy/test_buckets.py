"""A token bucket lets a burst through, then a rate, and never more than its burst after a rest; so does a meter."""

from __future__ import annotations

from secproxy.buckets import PAUSE_LEAST, Bucket, Meter


def test_a_burst_passes_then_the_rate_holds() -> None:
    """Ten at once, then two a second."""
    bucket = Bucket(rate=2, burst=10)

    assert [bucket.take(100.0) for _ in range(11)] == [True] * 10 + [False]
    assert [bucket.take(100.5), bucket.take(100.6)] == [True, False]


def test_a_long_rest_gives_no_more_than_the_burst() -> None:
    """An hour of silence is worth ten, not seven thousand."""
    bucket = Bucket(rate=2, burst=10)
    bucket.take(0.0)

    assert sum(bucket.take(3_600.0) for _ in range(50)) == 10


def test_by_another_clock_what_is_in_it_comes_back_as_it_would_have() -> None:
    """Under the bounds given, which may be others."""
    bucket = Bucket(1.0, 4.0)
    assert [bucket.take(100.0) for _ in range(5)] == [True] * 4 + [False]
    other = bucket.moved(1.0, 2.0, -90.0)
    assert [other.take(10.5), other.take(11.0), other.take(11.0)] == [False, True, False]
    assert [other.take(99.0) for _ in range(3)] == [True, True, False]


def test_a_meter_is_asked_seldom_and_has_nobody_wait_below_its_rate() -> None:
    """What it has been told of is enough for as many as the bucket holds; what came before is forgotten."""
    meter = Meter(rate=10, burst=100)

    assert [meter.read(5_000, 0.0), meter.due] == [0.0, 5_100]
    assert [meter.read(5_050, 5.0), meter.due] == [0.0, 5_100]
    assert [meter.read(5_100, 10.0), meter.due] == [0.0, 5_150]


def test_what_a_meter_counts_too_much_is_waited_for() -> None:
    """At the rate, and at least for a little while; after it as much may come as was gained."""
    meter = Meter(rate=10, burst=100)
    meter.read(0, 0.0)

    assert meter.read(149, 0.0) == 5.0
    assert meter.read(150, 5.0) == PAUSE_LEAST
    assert [meter.read(150, 7.0), meter.due] == [0.0, 170]


def test_who_does_not_wait_is_flooding_and_who_waits_never_is() -> None:
    """Both are at their limit for a minute; only the one comes at once whenever it may. A pause ends the flood."""
    for each, floods in ((0.001, True), (0.1, False)):
        meter, count, now = Meter(rate=10, burst=10), 10, 0.0
        meter.read(0, now)
        while now < 60:
            now += meter.read(count, now)
            meter.go_on(now)
            now, count = now + each * 8, count + 8
        meter.read(count, now)
        assert (meter.flooding(now) > 50) is floods
        meter.read(count, now + 60)
        assert meter.flooding(now + 60) == 0
