"""The words between a conversation and whoever holds its connection."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from secproxy import orders
from secproxy.events import Note
from secproxy.orders import Ask, Declined, Forward, Granted, HangUp, Heard, HungUp, Learn, Record, Say
from secproxy.plan import Side

URL = "https://csms.example.org:8440/f/0123456789abcdefABCDEF/0011223344556677.bin"
FACTS = [Heard(Side.STATION, b"[]"), Granted(1, URL), Declined(1, "authority.unreachable"), HungUp(Side.CSMS)]
ORDERS = [
    Forward(),
    Say(Side.STATION, b"[]"),
    Ask(1, "00" * 32, "m-1"),
    Record(Note("message.flood")),
    Learn("Volta", "Wall", "SN-1", "1.0", "ocpp1.6"),
    HangUp(1008, "enough"),
]


def test_these_are_all_there_are() -> None:
    """A kind that is added is told here as well, so that the tests below are about every one."""
    assert {type(each) for each in FACTS} == set(get_args(orders.Fact))
    assert {type(each) for each in ORDERS} == set(get_args(orders.Order))


@pytest.mark.parametrize("word", [*FACTS, *ORDERS], ids=lambda word: type(word).__name__)
def test_each_is_a_value_that_nobody_changes_on_the_way(word: orders.Fact | orders.Order) -> None:
    """What was decided is what is carried out."""
    assert dataclasses.replace(word) == word
    assert not hasattr(word, "__dict__")
    for field in dataclasses.fields(word):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(word, field.name, None)


def test_the_url_of_a_grant_is_shown_nowhere() -> None:
    """Whoever has it may fetch the image, so it must not get into a line of a log."""
    assert URL not in repr(Granted(1, URL))
