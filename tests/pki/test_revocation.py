"""Reasons for revoking, in the spellings people use."""

from __future__ import annotations

import pytest

from pki.errors import InputError
from pki.revocation import Reason


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


@pytest.mark.parametrize("text", ["certificateHold", "certificate_hold", "remove-from-crl"])
def test_reasons_that_can_be_undone_are_refused_by_name(text: str) -> None:
    """Revoking is final here; the way to pause a station is told."""
    with pytest.raises(InputError) as refusal:
        Reason.parse(text)

    assert "isable the station" in refusal.value.advice
