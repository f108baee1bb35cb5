"""Rules: how far each reads a message, and when it applies."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from secproxy.plan import Need, Side
from secproxy.policy.keys import Keys
from secproxy.policy.rules import Deny, KeepProfile, Rate, Rule, Scope, Test, Window

EVERY_DAY = frozenset(range(7))
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("test", "need"),
    [
        (Deny(), Need.HEAD),
        (Rate(1, 1, Scope.STATION), Need.HEAD),
        (KeepProfile(), Need.WHOLE),
        (Keys(deny=("x",)), Need.WHOLE),
    ],
)
def test_what_the_head_decides_reads_no_payload(test: Test, need: Need) -> None:
    """Counting and forbidding stay cheap."""
    assert Rule("r", "attack 36", Side.CSMS, frozenset({b"reset"}), test).need is need


@pytest.mark.parametrize(
    ("begin", "end", "days", "moment", "holds"),
    [
        (8, 18, EVERY_DAY, "2026-06-01T12:00+02:00", True),
        (8, 18, EVERY_DAY, "2026-06-01T08:00+02:00", True),
        (8, 18, EVERY_DAY, "2026-06-01T18:00+02:00", False),
        (22, 6, EVERY_DAY, "2026-06-01T23:00+02:00", True),
        (22, 6, EVERY_DAY, "2026-06-01T05:59+02:00", True),
        (22, 6, EVERY_DAY, "2026-06-01T06:00+02:00", False),
        (22, 6, {0}, "2026-06-02T03:00+02:00", True),
        (22, 6, {1}, "2026-06-02T03:00+02:00", False),
        (22, 6, {6}, "2026-06-01T03:00+02:00", True),
        (8, 18, {0}, "2026-06-02T12:00+02:00", False),
        (8, 18, EVERY_DAY, "2026-12-01T07:30+00:00", True),
        (8, 18, EVERY_DAY, "2026-06-01T06:30+00:00", True),
    ],
)
def test_a_window_holds_between_two_times_of_a_day_in_its_zone(
    begin: int, end: int, days: set[int], moment: str, holds: bool
) -> None:
    """One over midnight belongs to the day it began on; summer time is the zone's business."""
    window = Window(begin * 60, end * 60, frozenset(days), BERLIN)
    assert window.holds(dt.datetime.fromisoformat(moment)) is holds
