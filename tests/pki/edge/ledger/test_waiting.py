"""Requests wait within bounds, are found by station and key, and are answered once."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec
import pytest

from pki.edge.calls import WaitingRow
from pki.edge.ledger import stations, waiting
from pki.errors import ConflictError, NotFoundError
from pki.waiting import DAYS, EACH_MOST, Decision
from tests.pki.edge.ledger.ledgers import LATER, THEN, empty_ledger, station

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlite_utils import Database

ROW = WaitingRow(0, "CP-1", "token", "pending", b"k" * 32, "CN=SN-1", THEN, LATER)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Database]:
    """A ledger with two stations."""
    with empty_ledger(tmp_path) as database:
        for number in (1, 2):
            stations.add(database, station(number))
        yield database


def test_a_request_is_found_again_by_station_key_and_whom_it_waits_for(ledger: Database) -> None:
    """As it was kept, while it lasts."""
    number = waiting.keep(ledger, ROW, b"csr")

    assert waiting.find(ledger, "CP-1", ROW.key_id, "", THEN) == msgspec.structs.replace(ROW, id=number)
    assert waiting.find(ledger, "CP-2", ROW.key_id, "", THEN) is None
    assert waiting.find(ledger, "CP-1", b"x" * 32, "", THEN) is None
    assert waiting.find(ledger, "CP-1", ROW.key_id, "hubject", THEN) is None
    assert waiting.find(ledger, "CP-1", ROW.key_id, "", LATER) is None


def test_a_station_fills_no_more_than_its_own_places(ledger: Database) -> None:
    """Whoever makes keys without end is stopped; the others still have room."""
    for number in range(EACH_MOST):
        waiting.keep(ledger, msgspec.structs.replace(ROW, key_id=bytes([number]) * 32), b"")
    with pytest.raises(ConflictError, match=r"enrolment\.crowded"):
        waiting.keep(ledger, ROW, b"")
    waiting.keep(ledger, msgspec.structs.replace(ROW, station="CP-2"), b"")


def test_all_stations_together_are_bounded_too(ledger: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet that loses its way does not fill the disk."""
    monkeypatch.setattr(waiting, "ALL_MOST", 1)
    waiting.keep(ledger, ROW, b"")
    with pytest.raises(ConflictError, match=r"enrolment\.crowded"):
        waiting.keep(ledger, msgspec.structs.replace(ROW, station="CP-2"), b"")


def test_what_was_denied_takes_no_place_of_what_waits(ledger: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of the station's nor of the fleet's; what was approved does, until it is fetched or taken back."""
    monkeypatch.setattr(waiting, "ALL_MOST", EACH_MOST + 1)
    for number in range(EACH_MOST * 2):
        kept = waiting.keep(ledger, msgspec.structs.replace(ROW, key_id=bytes([number]) * 32), b"")
        waiting.decide(ledger, kept, Decision.DENIED, "anna", "", THEN)
    for number in range(EACH_MOST):
        kept = waiting.keep(ledger, msgspec.structs.replace(ROW, key_id=bytes([100 + number]) * 32), b"")
        waiting.decide(ledger, kept, Decision.APPROVED, "anna", "", THEN)
    with pytest.raises(ConflictError, match=r"enrolment\.crowded: 4 requests"):
        waiting.keep(ledger, ROW, b"")
    waiting.decide(ledger, kept, Decision.DENIED, "anna", "", THEN)
    waiting.keep(ledger, ROW, b"")


def test_refusals_are_kept_for_their_answer_within_bounds(ledger: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first, of one station and of all; what waits never does."""
    monkeypatch.setattr(waiting, "DENIED_EACH_MOST", 2)
    monkeypatch.setattr(waiting, "ALL_MOST", 3)
    numbers = []
    for number, name in enumerate(["CP-1", "CP-1", "CP-1", "CP-2", "CP-2"]):
        row = msgspec.structs.replace(ROW, station=name, key_id=bytes([number]) * 32)
        numbers.append(waiting.keep(ledger, row, b""))
        waiting.decide(ledger, numbers[-1], Decision.DENIED, "anna", "", THEN + dt.timedelta(seconds=number))
    waits = waiting.keep(ledger, ROW, b"")

    assert waiting.forget_denied(ledger) == numbers[:2]
    assert [row.id for row in waiting.every(ledger, THEN)] == [*numbers[2:], waits]
    assert waiting.forget_denied(ledger) == []


def test_a_decision_is_kept_with_who_took_it_and_lasts_a_week(ledger: Database) -> None:
    """From then on, so that the station has time to come back."""
    number = waiting.keep(ledger, ROW, b"")
    waiting.decide(ledger, number, Decision.DENIED, "anna", "not ours", LATER - dt.timedelta(seconds=1))

    found = waiting.numbered(ledger, number, LATER)
    assert (found.state, found.decided_by, found.reason) == ("denied", "anna", "not ours")
    assert found.expires == LATER + dt.timedelta(days=DAYS, seconds=-1)


def test_a_request_is_answered_once(ledger: Database) -> None:
    """Of two that answer at once, one is told."""
    number = waiting.keep(ledger, ROW, b"")
    waiting.end(ledger, number)
    with pytest.raises(ConflictError, match=r"enrolment\.decided"):
        waiting.end(ledger, number)
    with pytest.raises(NotFoundError, match=r"enrolment\.unknown"):
        waiting.numbered(ledger, number, THEN)


def test_only_what_is_for_others_and_due_is_sent_on(ledger: Database) -> None:
    """Not what waits for a person, not what was put off, not what was given up."""
    waiting.keep(ledger, ROW, b"")
    number = waiting.keep(ledger, msgspec.structs.replace(ROW, issuer="hubject"), b"csr")
    assert waiting.due(ledger, THEN, 9) == [waiting.Kept(number, "CP-1", "hubject", b"csr")]
    assert waiting.is_due(ledger, number, THEN)

    waiting.put_off(ledger, number, THEN + dt.timedelta(seconds=60))
    assert waiting.due(ledger, THEN, 9) == []
    assert not waiting.is_due(ledger, number, THEN)

    waiting.decide(ledger, number, Decision.DENIED, "anna", "", THEN)
    assert waiting.due(ledger, THEN + dt.timedelta(hours=1), 9) == []


def test_what_waited_too_long_is_forgotten_and_told(ledger: Database) -> None:
    """So that the log can name it."""
    number = waiting.keep(ledger, ROW, b"")
    assert waiting.forget_ended(ledger, THEN) == []
    assert [row.id for row in waiting.forget_ended(ledger, LATER)] == [number]
    assert waiting.every(ledger, THEN) == []
