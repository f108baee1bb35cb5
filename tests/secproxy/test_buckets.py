"""A token bucket lets a burst through, then a rate, and never more than its burst after a rest."""

from __future__ import annotations

from secproxy.buckets import Bucket


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
