"""The clock gives what certificates and the ledger can hold."""

from __future__ import annotations

import datetime as dt

from pki.edge import clock


def test_now_is_aware_utc_and_has_whole_seconds() -> None:
    """What is recorded equals what is signed, for X.509 counts whole seconds."""
    now = clock.now()
    assert (now.tzinfo, now.microsecond) == (dt.UTC, 0)


def test_stamps_sort_as_their_moments_do() -> None:
    """The ledger compares times as text, whatever zone they came in."""
    east = dt.timezone(dt.timedelta(hours=9))
    earlier, later = dt.datetime(2026, 1, 2, 5, tzinfo=east), dt.datetime(2026, 1, 1, 21, tzinfo=dt.UTC)
    assert [clock.stamp(earlier), clock.stamp(later)] == ["2026-01-01T20:00:00Z", "2026-01-01T21:00:00Z"]
