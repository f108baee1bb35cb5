"""Facts in, symptoms out: what will stop working is told in time, with its cure, and a home that is well is well."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from pki.health import (
    FREE_LEAST,
    FREE_WANTED,
    WAL_MOST,
    Collector,
    Csms,
    Disk,
    Expiring,
    Facts,
    Failed,
    Fault,
    Known,
    Loose,
    Missing,
    Receiver,
    Served,
    Symptom,
    Unsafe,
    Weight,
    judge,
    worst,
)

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
LIFE = dt.timedelta(days=100)
WELL = Facts(
    NOW,
    Known((), 0, NOW - dt.timedelta(hours=1), 14),
    Disk(FREE_WANTED * 2, 0, writable=True),
    synchronised=True,
    running=(("authority", True), ("proxy", None)),
    csms=(Csms("wss://csms.example.org:443"),),
)


def known(**changes: object) -> Facts:
    """A home that is well, but for what its authority knows."""
    assert WELL.known is not None
    return dataclasses.replace(WELL, known=dataclasses.replace(WELL.known, **changes))  # type: ignore[arg-type]  # a test's own words


def told(facts: Facts) -> list[Symptom]:
    """What is not well."""
    return [symptom for symptom in judge(facts) if symptom.weight is not Weight.OK]


def ending(lived: float) -> Facts:
    """A home with a root that has lived this part of its life."""
    begin = NOW - LIFE * lived
    return known(expiring=(Expiring("our certificate", "root", begin, begin + LIFE, "bollard ca rollover"),))


def test_a_home_that_is_well_has_no_symptoms_and_says_what_was_looked_at() -> None:
    """Every area has a line, so that silence is never taken for health."""
    symptoms = judge(WELL)
    assert told(WELL) == []
    assert worst(symptoms) is Weight.OK
    assert {symptom.what.split()[0] for symptom in symptoms} >= {"station", "clock", "disk", "files", "audit", "CSMS"}


@pytest.mark.parametrize(
    ("lived", "code", "weight"),
    [
        (0.0, "health.lifetime", Weight.OK),
        (0.49, "health.lifetime", Weight.OK),
        (0.5, "health.expiring", Weight.WARNING),
        (0.75, "health.expiring", Weight.WARNING),
        (0.899, "health.expiring", Weight.WARNING),
        (0.9, "health.expiring", Weight.CRITICAL),
        (1.0, "health.expired", Weight.CRITICAL),
        (2.0, "health.expired", Weight.CRITICAL),
        (-0.1, "health.early", Weight.CRITICAL),
    ],
)
def test_a_lifetime_is_told_at_half_three_quarters_and_nine_tenths(lived: float, code: str, weight: Weight) -> None:
    """And what has not begun yet says that the clock is wrong."""
    (symptom,) = [each for each in judge(ending(lived)) if each.what == "our certificate root"]
    assert (symptom.code, symptom.weight) == (code, weight)
    assert bool(symptom.fix) == (weight is not Weight.OK)


LOOSE = Loose("keys/root.pem", "its mode is 0644", "chmod 600 keys/root.pem", secret=True)


@pytest.mark.parametrize(
    ("facts", "code", "weight"),
    [
        (known(ending=3), "health.stations", Weight.WARNING),
        (known(ended=3), "health.stations", Weight.WARNING),
        (known(newest_entry=NOW + dt.timedelta(hours=1)), "health.clock", Weight.CRITICAL),
        (known(restored_behind=(NOW,)), "health.restored", Weight.WARNING),
        (known(missing=(Missing("authority for station", "x", "y"),)), "health.missing", Weight.CRITICAL),
        (dataclasses.replace(WELL, synchronised=False), "health.clock", Weight.WARNING),
        (dataclasses.replace(WELL, disk=Disk(FREE_LEAST - 1, 0, writable=True)), "health.space", Weight.CRITICAL),
        (dataclasses.replace(WELL, disk=Disk(FREE_WANTED - 1, 0, writable=True)), "health.space", Weight.WARNING),
        (dataclasses.replace(WELL, disk=Disk(FREE_WANTED, 0, writable=False)), "health.disk", Weight.CRITICAL),
        (dataclasses.replace(WELL, disk=Disk(FREE_WANTED, WAL_MOST + 1, writable=True)), "health.wal", Weight.WARNING),
        (dataclasses.replace(WELL, loose=(LOOSE,)), "health.files", Weight.CRITICAL),
        (dataclasses.replace(WELL, loose=(dataclasses.replace(LOOSE, secret=False),)), "health.files", Weight.WARNING),
        (dataclasses.replace(WELL, passphrase_beside=True), "health.passphrase", Weight.WARNING),
        (dataclasses.replace(WELL, running=(("authority", False),)), "health.process", Weight.CRITICAL),
        (dataclasses.replace(WELL, csms=(Csms("ws://a:1", "no route"),)), "health.upstream", Weight.CRITICAL),
        (dataclasses.replace(WELL, csms=(Csms("ws://a:1", "no route", True),)), "health.upstream", Weight.WARNING),
        (
            dataclasses.replace(WELL, failed=(Failed("audit log", "audit.rows", "x", "y"),)),
            "health.failed",
            Weight.CRITICAL,
        ),
        (dataclasses.replace(WELL, known=None, unseen=(("ledger", "why"),)), "health.unseen", Weight.WARNING),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_what_is_wrong_is_told_once_with_its_cure(facts: Facts, code: str, weight: Weight) -> None:
    """One fact, one symptom, and the worst of them is the verdict."""
    symptoms = told(facts)
    assert [(symptom.code, symptom.weight) for symptom in symptoms] == [(code, weight)]
    assert all(symptom.fix for symptom in symptoms)
    assert worst(judge(facts)) is weight


def test_a_listener_is_told_with_what_was_not_looked_at() -> None:
    """What could be seen is said of each; where nothing else is, it is the certificate."""
    served = (Served("listener a"), Served("listener b", seen="not looked at: x"), Served("c", (Fault("y", "z"),)))
    found = {
        each.what: each for each in judge(dataclasses.replace(WELL, served=served)) if each.code == "health.served"
    }

    assert found["listener a"].says.startswith("it presents the certificate")
    assert (found["listener b"].says, found["listener b"].weight) == ("not looked at: x", Weight.OK)
    assert (found["c"].says, found["c"].weight, found["c"].fix) == ("y", Weight.CRITICAL, "z")


@pytest.mark.parametrize(
    ("receiver", "says"),
    [
        (Receiver("siem", 5, 0, "it is down", "2026-06-01T00:00:00Z"), "5 events wait for it; since 2026-06-01"),
        (Receiver("siem", 0, 7, "", ""), "up to 7 events were deleted"),
    ],
)
def test_a_collector_that_is_down_is_a_warning(receiver: Receiver, says: str) -> None:
    """The proxy works on without it, so nothing is critical."""
    [symptom] = told(dataclasses.replace(WELL, receivers=(receiver,)))
    assert (symptom.code, symptom.weight, symptom.what) == ("health.sink", Weight.WARNING, "event sink siem")
    assert symptom.says.startswith(says)


def test_a_collector_that_takes_events_is_well() -> None:
    """It has its line, as everything that was looked at."""
    facts = dataclasses.replace(WELL, receivers=(Receiver("siem", 0, 0, "", ""),))
    assert told(facts) == []
    assert "event sink siem" in {symptom.what for symptom in judge(facts)}


@pytest.mark.parametrize(
    ("found", "weight", "says"),
    [
        (Collector(), Weight.OK, "they are off"),
        (Collector("http://c"), Weight.OK, "http://c was sent nothing yet"),
        (Collector("http://c", "then"), Weight.OK, "http://c took some last at then"),
        (
            Collector("http://c", "then", "it is down", "now"),
            Weight.WARNING,
            "http://c takes no spans since now: it is down",
        ),
    ],
)
def test_traces_have_their_line(found: Collector, weight: Weight, says: str) -> None:
    """Whether they are on, where they go, and whether they are taken; nothing is critical about it."""
    symptoms = judge(dataclasses.replace(WELL, collector=found))
    [line] = [each for each in symptoms if each.code == "health.traces"]
    assert (line.weight, line.what, line.says) == (weight, "traces", says)
    assert bool(line.fix) is (weight is Weight.WARNING)


def test_the_worst_comes_first() -> None:
    """Whoever reads one line reads the one that matters."""
    facts = dataclasses.replace(ending(0.5), passphrase_beside=True, csms=(Csms("ws://a:1", "x"),))
    weights = [symptom.weight for symptom in judge(facts)]
    assert weights == sorted(weights, key=[Weight.CRITICAL, Weight.WARNING, Weight.OK].index)
    assert weights[0] is Weight.CRITICAL


def test_a_log_that_does_not_hold_is_not_told_to_be_whole() -> None:
    """The failure is told in its place."""
    facts = dataclasses.replace(WELL, failed=(Failed("audit log", "audit.broken", "x", "y"),))
    assert not any(symptom.code == "health.audit" for symptom in judge(facts))


def test_what_the_settings_allow_although_it_weakens_is_a_warning() -> None:
    """It works and is meant, so it is not critical; and it is never out of sight."""
    [found] = told(dataclasses.replace(WELL, unsafe=(Unsafe("listener", "it takes TLS 1.0", "Update.", "A00.FR.313"),)))
    assert (found.code, found.weight, found.fix, found.clause) == (
        "health.unsafe",
        Weight.WARNING,
        "Update.",
        "A00.FR.313",
    )
