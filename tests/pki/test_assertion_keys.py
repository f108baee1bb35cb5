"""Keys for assertions overlap: whoever verifies one finds its key, whatever list he keeps and whenever he looks."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from pki.assertion_keys import AFTER, AHEAD, LIFE, is_due, keys_among, name_at, signing, spent
from tests.play import NOON

VALID = dt.timedelta(minutes=1)  # of an assertion
KEPT = dt.timedelta(minutes=5)  # that others keep the list of keys
ROUND = dt.timedelta(seconds=30)  # between two looks of the authority

moments = st.lists(st.integers(0, 100 * 86_400), min_size=1, max_size=6, unique=True).map(sorted)


def at(seconds: float) -> dt.datetime:
    """A moment of the story."""
    return NOON + dt.timedelta(seconds=seconds)


def test_only_names_of_ours_are_keys_and_the_oldest_comes_first() -> None:
    """By the number in the name, not by the letters; the names are names of keys."""
    names = ["root", "assertion-100", "assertion-99", "assertion-", "assertion-1x", "audit"]
    assert keys_among(names) == ["assertion-99", "assertion-100"]
    assert name_at(NOON) == f"assertion-{int(NOON.timestamp())}"


def test_a_key_is_due_at_once_where_there_is_none_and_then_every_thirty_days() -> None:
    """Never earlier."""
    assert is_due([], NOON)
    assert not is_due([name_at(NOON)], NOON + LIFE - ROUND)
    assert is_due([name_at(NOON)], NOON + LIFE)


def test_a_first_key_signs_at_once_and_later_ones_when_they_are_known() -> None:
    """A CSMS that keeps the list has the newcomer before it sees its first signature."""
    first, second = name_at(NOON), name_at(NOON + LIFE)
    assert signing([first], NOON) == first
    assert signing([first, second], NOON + LIFE + AHEAD - ROUND) == first
    assert signing([first, second], NOON + LIFE + AHEAD) == second
    assert AHEAD > KEPT + ROUND


def test_a_former_key_stays_until_its_last_assertion_has_ended() -> None:
    """Counted from when workers were told, not from when it would have been due."""
    keys = [name_at(at(0)), name_at(at(9_000))]
    told = at(99_000)
    assert spent(keys, keys[1], told, told + AFTER - ROUND) == []
    assert spent(keys, keys[1], told, told + AFTER) == keys[:1]
    assert spent(keys, keys[0], told, told + AFTER) == []
    assert AFTER > VALID + KEPT


@given(moments, st.integers(0, 200 * 86_400))
def test_the_signing_key_is_always_published_and_never_spent(made: list[int], now: int) -> None:
    """Whatever keys there are, made whenever, also by a clock that went back."""
    keys = keys_among(name_at(at(each)) for each in made)
    signer = signing(keys, at(now))
    assert signer in keys
    assert signer not in spent(keys, signer, at(0), at(now) + AFTER)
