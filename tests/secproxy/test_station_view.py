"""A worker's view before the ledger has spoken."""

from __future__ import annotations

from secproxy.station_view import View


def test_an_empty_view_trusts_nobody() -> None:
    """Empty means no: no station, no issuer, no firmware anchor, and nothing shared between two views."""
    first, second = View("Example Charging", "csms.example.org"), View("Other", "csms.example.net")
    assert (first.stations, first.trusts, dict(first.anchors.vendors), first.releases) == ({}, {}, {}, ())
    assert (first.authorities, first.presented) == ((), ())
    assert first.stations is not second.stations
    assert first.trusts is not second.trusts
