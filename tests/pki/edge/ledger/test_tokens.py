"""A station has one token at most; it is spent once, and what is past its end is as good as none."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from pki.edge.ledger import stations, tokens
from pki.errors import ForbiddenError, NotFoundError
from pki.token import TRIES_MOST
from tests.pki.edge.ledger.ledgers import LATER, THEN, empty_ledger, station

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlite_utils import Database

ONE, TWO = b"1" * 32, b"2" * 32


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Database]:
    """A ledger with a station that has a token."""
    with empty_ledger(tmp_path) as database:
        stations.add(database, station())
        tokens.mint(database, "CP-1", ONE, LATER)
        yield database


def test_a_new_token_ends_the_one_before(ledger: Database) -> None:
    """Of two sheets of paper, the newer is right."""
    tokens.mint(ledger, "CP-1", TWO, LATER)
    assert tokens.live(ledger, "CP-1", THEN) == TWO


def test_a_token_is_good_until_its_end_and_for_its_own_station(ledger: Database) -> None:
    """Whoever is not registered has none either."""
    assert tokens.live(ledger, "CP-1", LATER - dt.timedelta(seconds=1)) == ONE
    assert tokens.live(ledger, "CP-1", LATER) is None
    assert tokens.live(ledger, "CP-2", THEN) is None


def test_a_token_is_spent_once(ledger: Database) -> None:
    """The second use, and the use of one that was replaced, are refused alike."""
    tokens.spend(ledger, "CP-1", ONE)
    for token in (ONE, TWO):
        with pytest.raises(ForbiddenError, match=r"est\.credentials"):
            tokens.spend(ledger, "CP-1", token)


def test_a_token_outlives_a_few_refused_requests_and_no_more(ledger: Database) -> None:
    """Whoever holds it corrects the request; a program that goes on and on is stopped."""
    for _ in range(TRIES_MOST):
        assert tokens.live(ledger, "CP-1", THEN) == ONE
        tokens.count_try(ledger, "CP-1", ONE)
    assert tokens.live(ledger, "CP-1", THEN) is None


def test_a_token_lasts_as_long_as_the_request_made_with_it(ledger: Database) -> None:
    """It is prolonged, never shortened."""
    longer = tokens.prolong(ledger, "CP-1", ONE, LATER + dt.timedelta(days=1))
    assert tokens.prolong(ledger, "CP-1", ONE, THEN) == longer == "2027-01-02T00:00:00Z"
    assert tokens.prolong(ledger, "CP-1", TWO, THEN) == ""
    assert tokens.live(ledger, "CP-1", LATER) == ONE


def test_a_token_can_be_taken_back(ledger: Database) -> None:
    """Once; then there is none."""
    tokens.revoke(ledger, "CP-1")
    with pytest.raises(NotFoundError, match=r"token\.unknown"):
        tokens.revoke(ledger, "CP-1")


def test_nobody_unknown_gets_a_token(ledger: Database) -> None:
    """A token is for a station of the register."""
    with pytest.raises(NotFoundError, match=r"station\.unknown"):
        tokens.mint(ledger, "CP-9", TWO, LATER)


def test_what_has_ended_is_forgotten(ledger: Database) -> None:
    """And counted."""
    assert tokens.forget_ended(ledger, THEN) == []
    assert tokens.forget_ended(ledger, LATER) == ["CP-1"]
