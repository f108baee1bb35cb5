"""What is due follows from what there is and from the moment, and from nothing else."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.clauses import explain
from pki.rotation import RULES, Actor, Inventory, Item, Kind, calendar, due

BORN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


def lives(kind: Kind, life: dt.timedelta, bears: dt.timedelta = dt.timedelta(0), *, outdated: bool = False) -> Item:
    """Something that begins with the year."""
    return Item(kind, "it", BORN, BORN + life, bears=bears, outdated=outdated)


@pytest.mark.parametrize(
    ("item", "age"),
    [
        pytest.param(lives(Kind.SERVER, 360 * DAY), 240 * DAY, id="a server certificate at two thirds"),
        pytest.param(lives(Kind.SERVER, 21 * HOUR), 10.5 * HOUR, id="of less than a day at half"),
        pytest.param(lives(Kind.SERVER, 360 * DAY, outdated=True), 0 * DAY, id="at once when its issuer has changed"),
        pytest.param(lives(Kind.GIVEN_SERVER, 90 * DAY), 60 * DAY, id="a given one with a month left"),
        pytest.param(lives(Kind.OCSP, 30 * DAY), 15 * DAY, id="an OCSP signer at half"),
        pytest.param(lives(Kind.CRL, 24 * HOUR), 12 * HOUR, id="a revocation list at half"),
        pytest.param(lives(Kind.STATION, 365 * DAY), 335 * DAY, id="a station with a month left"),
        pytest.param(lives(Kind.STATION, 30 * DAY), 20 * DAY, id="or a third of a short life"),
        pytest.param(lives(Kind.ANCHOR, 365 * DAY), 335 * DAY, id="an anchor with a month left"),
        pytest.param(lives(Kind.ISSUING, 3652 * DAY, 1096 * DAY), 2556 * DAY, id="an issuer when a leaf outlives it"),
        pytest.param(lives(Kind.ROOT, 7305 * DAY, 3652 * DAY), 3653 * DAY, id="a root when an issuer outlives it"),
        pytest.param(lives(Kind.ISSUING, 300 * DAY, 1096 * DAY), 150 * DAY, id="a short-lived one not from birth"),
    ],
)
def test_each_kind_is_due_at_its_own_share_of_its_life(item: Item, age: dt.timedelta) -> None:
    """Not a second before, and from then on."""
    inventory = Inventory((item,))

    assert due(inventory, BORN + age - dt.timedelta(seconds=1)) == ()
    assert [each.item for each in due(inventory, BORN + age)] == [item]


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_says_why_by_which_clause_and_what_to_do(kind: Kind) -> None:
    """Whoever reads the plan needs to ask nobody."""
    rule = RULES[kind]

    assert explain(rule.clause).says
    assert rule.says
    assert rule.command


def test_a_renewal_that_cannot_be_done_here_is_an_operators() -> None:
    """An issuer whose key is elsewhere makes even our own server certificates a person's work."""
    (each,) = calendar(Inventory((Item(Kind.SERVER, "server", BORN, BORN + DAY, Actor.OPERATOR),)))

    assert each.by is Actor.OPERATOR
    assert each.needs_person(BORN)


def test_a_station_that_let_its_certificate_end_needs_a_person() -> None:
    """It cannot connect any more, so it cannot renew by itself either."""
    (each,) = calendar(Inventory((lives(Kind.STATION, 90 * DAY),)))

    assert not each.needs_person(BORN + 80 * DAY)
    assert each.needs_person(BORN + 90 * DAY)


spans = st.timedeltas(min_value=dt.timedelta(minutes=1), max_value=dt.timedelta(days=20_000))
items = st.builds(
    lambda kind, life, bears: Item(kind, "it", BORN, BORN + life, bears=bears), st.sampled_from(Kind), spans, spans
)


@given(st.lists(items, max_size=20), spans, spans)
def test_what_is_due_stays_due_until_it_is_done(found: list[Item], first: dt.timedelta, more: dt.timedelta) -> None:
    """Looking further ahead shows the same and more, in one order, and always before the end."""
    inventory = Inventory(tuple(found))
    early, late = due(inventory, BORN + first), due(inventory, BORN + first + more)

    assert set(early) <= set(late)
    assert [each.when for each in late] == sorted(each.when for each in late)
    assert all(each.item.not_before < each.when < each.item.not_after for each in calendar(inventory))
