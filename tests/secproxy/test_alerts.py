"""Alert rules as a conversation: events told, alerts heard."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from secproxy.alerts import CAUSE, AlertRule, Alerts
from secproxy.edge.journal import event_id, event_line
from secproxy.events import Note
from secproxy.export.event import Event, read_event

if TYPE_CHECKING:
    import pytest

NOON = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
EACH = AlertRule("each", "InvalidMessages", "", 3, 60, each_station=True)
ALL = AlertRule("all", "", "message.flood", 3, 60, each_station=False)


def event(seconds: float, station: str = "CP-1", cause: str = "message.flood", **evidence: str) -> Event:
    """An event so many seconds after noon."""
    moment = NOON + dt.timedelta(seconds=seconds)
    return read_event(event_line(Note(cause, station, "192.0.2.1:5", evidence), event_id(moment, bytes(8)), moment))


def raised(rules: Alerts, *events: Event) -> list[tuple[object, str]]:
    """Which rules alarmed, about which station."""
    return [(note.evidence["rule"], note.station) for each in events for note in rules.tell(each)]


def test_so_many_within_the_window_raise_one_alert_with_its_evidence() -> None:
    """The third does; the evidence says what was counted, when, and which came last."""
    rules = Alerts([EACH])
    assert raised(rules, event(0), event(30)) == []
    last = event(59)
    [note] = rules.tell(last)
    assert (note.cause, note.station, note.kind.severity.value) == (CAUSE, "CP-1", "high")
    assert note.evidence == {
        "rule": "each", "counted": "InvalidMessages", "count": 3, "within_seconds": 60, "seconds": 59.0,
        "last_event": last.id, "last_station": "CP-1", "last_remote": "192.0.2.1:5",
    }  # fmt: skip


def test_what_is_older_than_the_window_is_not_counted() -> None:
    """A window is open at its far end: sixty seconds later the first is out of it."""
    assert raised(Alerts([EACH]), event(0), event(30), event(60)) == []


def test_stations_are_counted_by_themselves_or_all_together() -> None:
    """Three stations with one event each are nothing for the one rule and an alert for the other."""
    rules = Alerts([EACH, ALL])
    assert raised(rules, event(0, "A"), event(1, "B"), event(2, "C")) == [("all", "")]


def test_only_what_a_rule_is_about_is_counted() -> None:
    """By type or by cause."""
    assert raised(Alerts([ALL]), *(event(n, cause="message.malformed") for n in range(9))) == []
    assert raised(Alerts([EACH]), *(event(n, cause="message.malformed") for n in range(3))) == [("each", "CP-1")]


def test_a_rule_is_quiet_until_its_window_is_over() -> None:
    """Then it counts from nothing."""
    rules = Alerts([EACH])
    assert raised(rules, *(event(n) for n in range(50))) == [("each", "CP-1")]
    assert raised(rules, event(63), event(64)) == []
    assert raised(rules, event(65)) == [("each", "CP-1")]


def test_an_alert_of_before_keeps_its_rule_quiet() -> None:
    """Told again after a restart, events raise no second alert."""
    rules = Alerts([EACH])
    before = event(2, cause=CAUSE, rule="each")
    assert raised(rules, before, event(3), event(4), event(5)) == []
    assert raised(rules, event(63), event(64), event(65)) == [("each", "CP-1")]


def test_alerts_are_not_counted_and_those_of_a_rule_that_is_gone_are_nothing() -> None:
    """A rule that counted its own alerts would never end."""
    everything = AlertRule("x", "", "", 1, 60, each_station=False)
    assert raised(Alerts([everything]), event(0, cause=CAUSE, rule="gone")) == []


@given(st.lists(st.tuples(st.integers(0, 300), st.sampled_from("AB")), max_size=60))
def test_no_two_alerts_of_a_station_are_closer_than_the_window(moments: list[tuple[int, str]]) -> None:
    """Whatever comes in whatever order; and each has its count of events within the window before it."""
    rules = Alerts([EACH])
    fired: dict[str, list[int]] = {"A": [], "B": []}
    for at, station in moments:
        if rules.tell(event(at, station)):
            fired[station].append(at)
            near = [other for other, name in moments if name == station and abs(other - at) < 60]
            assert len(near) >= 3
    assert all(later - earlier >= 60 for times in fired.values() for earlier, later in itertools.pairwise(times))


def test_the_longest_window_is_known() -> None:
    """Whoever tells the rules again need not go further back."""
    assert Alerts([EACH, dataclasses.replace(ALL, within=3600)]).longest == 3600
    assert Alerts([]).longest == 0


def test_attack_37_strangers_with_ever_new_names_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is bounded; whoever was heard of least recently is forgotten first."""
    monkeypatch.setattr("secproxy.alerts.REMEMBERED", 100)
    rules = Alerts([EACH])
    raised(rules, event(0), event(1))
    raised(rules, *(event(2, f"GHOST-{n}") for n in range(40)))
    assert raised(rules, event(3)) == [("each", "CP-1")]
    raised(rules, *(event(4, f"GHOST-{n}") for n in range(500)))
    assert len(rules._seen) <= 100


def test_an_event_at_the_end_of_the_calendar_is_no_stumbling_block() -> None:
    """Somebody edited the journal."""
    for year in (1, 9999):
        moment = dt.datetime(year, 1, 1, tzinfo=dt.UTC)
        assert Alerts([EACH]).tell(msgspec.structs.replace(event(0), time=moment)) == []
