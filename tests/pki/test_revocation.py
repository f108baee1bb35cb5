"""Reasons for revoking, in the spellings people use."""

from __future__ import annotations

import datetime as dt

import pytest

from pki.errors import InputError
from pki.revocation import Reason, is_half_spent


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_reads_back_in_each_spelling(reason: Reason) -> None:
    """Snake case, kebab case, capitals, and the standard's camel case, which is the flag's value."""
    for text in (reason.value, reason.value.replace("_", "-"), reason.value.upper(), reason.flag.value):
        assert Reason.parse(text) is reason


@pytest.mark.parametrize("text", ["", "because", "key", "keycompromise2", "x" * 1000, "unspecified\n"])
def test_what_is_no_reason_is_refused_with_the_list(text: str) -> None:
    """The next step names all that are allowed."""
    with pytest.raises(InputError, match="5280") as refusal:
        Reason.parse(text)

    assert refusal.value.code == "revocation.reason"
    assert "key_compromise" in refusal.value.advice
    assert refusal.value.advice.count("hold") == 1  # one word for one thing


@pytest.mark.parametrize("text", ["hold", "Hold", "certificateHold", "certificate_hold"])
def test_a_hold_is_the_one_reason_that_can_be_undone(text: str) -> None:
    """In the short word that people use, and in the standard's."""
    assert [reason for reason in Reason if reason.is_hold] == [Reason.parse(text)]


@pytest.mark.parametrize("text", ["removeFromCRL", "remove-from-crl"])
def test_lifting_a_hold_is_no_reason_for_revoking(text: str) -> None:
    """The way to do it is told."""
    with pytest.raises(InputError) as refusal:
        Reason.parse(text)

    assert "cert release" in refusal.value.advice


def test_half_a_life_is_over_at_its_middle() -> None:
    """Not a second before."""
    begins, ends = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 3, tzinfo=dt.UTC)
    middle = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)

    assert is_half_spent(begins, ends, middle)
    assert not is_half_spent(begins, ends, middle - dt.timedelta(seconds=1))
