"""What a worker knows of transactions, and what is left of a fleet's rates, comes to the one that takes its place."""

from __future__ import annotations

import asyncio
import datetime as dt

import msgspec
import pytest

from secproxy.edge import bequest
from secproxy.edge.bequest import Knowledge
from secproxy.edge.claim_wire import BEQUEST_FORM, Bequeath
from secproxy.edge.line_end import LINE_BYTES, line
from secproxy.policy.gauges import Gauges
from secproxy.policy.rules import Rate, Scope
from secproxy.transactions import EVENT, IDS_LIMIT, Transactions

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
NAMES = {"csms", "other"}
BURST = 8
RATE = Rate(60, BURST, Scope.FLEET)
MOMENT = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)


def say(known: Transactions, identity: str, name: str) -> str:
    """A station of 2.x speaks of a transaction; whose it is, if it is another's."""
    payload = {"eventType": "Updated", "seqNo": 0, "transactionInfo": {"transactionId": name}}
    return known.hear(identity, 1, EVENT, payload).owner


def handed_on(knowledge: Knowledge, form: int = BEQUEST_FORM, fleet: Gauges | None = None) -> None:
    """Have it tell its heir."""
    asyncio.run(knowledge.hand_on(form, fleet or Gauges()))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bequest, "PAUSE_SECONDS", 0)


def test_attack_31_a_transaction_is_still_another_s_after_an_upgrade() -> None:
    """At its own CSMS alone; what begins later is told besides, also at a CSMS that nobody came to before."""
    told = list[Bequeath]()
    old, new = Knowledge(told.append), Knowledge(told.append)
    say(old.at("csms"), "CP-001", UUID)
    handed_on(old)
    say(old.at("csms"), "CP-001", UUID[::-1])
    say(old.at("other"), "CP-009", UUID)
    for word in told[:]:
        new.take(word, NAMES, Gauges())

    assert [say(new.at("csms"), "CP-002", each) for each in (UUID, UUID[::-1])] == ["CP-001"] * 2
    assert say(new.at("other"), "CP-002", UUID) == "CP-009"
    assert say(new.at("csms"), "CP-001", UUID) == ""


def test_nobody_is_told_before_there_is_an_heir_or_in_a_form_that_is_not_known() -> None:
    """Older code reads nothing of it, and is asked for nothing."""
    told = list[Bequeath]()
    old = Knowledge(told.append)
    say(old.at("csms"), "CP-001", UUID)
    for form in (0, BEQUEST_FORM + 1):
        handed_on(old, form)
        say(old.at("csms"), f"CP-00{form + 2}", UUID[::-1])

    assert told == []


OWNED = b'{"type":"owned","csms":"csms","by_station":%s,"stations":{"CP-001":{"%s":true}}}'


@pytest.mark.parametrize(
    "word",
    [
        Bequeath(BEQUEST_FORM + 1, msgspec.Raw(OWNED % (b"true", UUID.encode()))),
        Bequeath(BEQUEST_FORM + 1, msgspec.Raw(b"[9]")),
        Bequeath(BEQUEST_FORM, msgspec.Raw(OWNED % (b"9", UUID.encode()))),
        Bequeath(BEQUEST_FORM, msgspec.Raw(OWNED % (b"true", b"x" * 37))),
        Bequeath(BEQUEST_FORM, msgspec.Raw((OWNED % (b"true", UUID.encode())).replace(b'"csms",', b'"elsewhere",'))),
    ],
    ids=["another form", "another form of another kind", "wrong", "an id too long", "a CSMS that nobody named"],
)
def test_what_is_not_known_or_no_use_is_left_alone(word: Bequeath) -> None:
    """No worker stumbles over what another says, not over one that was taken over."""
    new = Knowledge(lambda _: None)
    new.take(word, NAMES, Gauges())

    assert (new.at("csms").by_station, new.at("csms").stations()) == (False, [])
    assert set(new._known) == {"csms"}


def test_many_stations_go_a_few_at_a_time_and_fit_a_line() -> None:
    """However many transactions of the longest ids each of them has; those heard of last go first."""
    told = list[Bequeath]()
    old = Knowledge(told.append)
    for number in range(2 * bequest.AT_ONCE + 1):
        for each in range(IDS_LIMIT):
            say(old.at("csms"), f"{number:048}", f"{number:018}{each:018}")
    handed_on(old)

    assert len(told) == 1 + 3
    assert max(len(line(word)) for word in told) < LINE_BYTES // 4
    assert f"{2 * bequest.AT_ONCE:048}".encode() in bytes(told[1].known)


@pytest.mark.parametrize("spent", [0, 2, BURST])
def test_attack_36_an_upgrade_allows_no_burst_anew(spent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both workers together let through what was left, whether a rule was met before or not."""
    monkeypatch.setattr(bequest, "now", lambda: MOMENT)
    told = list[Bequeath]()
    old, new, at = Gauges(), Gauges(), MOMENT.timestamp()
    for _ in range(spent):
        old.take("p", "r", RATE, at)
    handed_on(Knowledge(told.append), fleet=old)
    Knowledge(told.append).take(told[0], NAMES, new)
    passed = [each.take("p", "r", RATE, at) is None for each in (old, new) for _ in range(BURST)]

    assert sum(passed) == BURST - spent
