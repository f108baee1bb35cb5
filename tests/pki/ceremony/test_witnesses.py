"""Everybody whom the file names has typed how its digest begins, or nothing is made."""

from __future__ import annotations

import pytest

from pki.ceremony.witnesses import confirm
from pki.errors import RefusedError
from tests.ceremonies import ceremony
from tests.pki.papers import codes

THIS = ceremony()
RIGHT = {each.name: THIS.phrase for each in THIS.witnesses}


def test_all_together_confirm() -> None:
    """In whatever case they type."""
    confirm(THIS, {name: f" {phrase.upper()} " for name, phrase in RIGHT.items()})


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ({}, "ceremony.absent"),
        ({"Ada Example": THIS.phrase}, "ceremony.absent"),
        (RIGHT | {"Bob Example": "00000000"}, "ceremony.phrase"),
        (RIGHT | {"Bob Example": ""}, "ceremony.phrase"),
        (RIGHT | {"Bob Example": THIS.phrase[:-1]}, "ceremony.phrase"),
        (RIGHT | {"Bob Example": THIS.digest}, "ceremony.phrase"),
        (RIGHT | {"Eve": THIS.phrase}, "ceremony.stranger"),
    ],
)
def test_one_who_is_absent_wrong_or_a_stranger_stops_it(typed: dict[str, str], code: str) -> None:
    """And the right digits are not told to whoever typed wrong ones."""
    with pytest.raises(RefusedError) as refusal:
        confirm(THIS, typed)

    assert refusal.value.code == "ceremony.witness"
    assert codes(refusal.value) == {code}
    assert THIS.phrase not in str(refusal.value) + refusal.value.advice
    assert "the beginning" not in str(refusal.value), "who typed all of it typed its beginning, and yet not what is due"
