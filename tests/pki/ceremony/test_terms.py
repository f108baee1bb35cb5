"""What is agreed on in numbers: nobody acts alone, and what is typed is short enough to be typed."""

from __future__ import annotations

from pki.ceremony.terms import PHRASE_DIGITS, WITNESSES_LEAST
from tests.ceremonies import ceremony


def test_the_phrase_is_the_beginning_of_the_digest() -> None:
    """As anybody reads it off ``sha256sum``."""
    found = ceremony()

    assert found.digest.startswith(found.phrase)
    assert len(found.phrase) == PHRASE_DIGITS


def test_dual_control_is_no_setting() -> None:
    """No file can ask for one person alone."""
    assert WITNESSES_LEAST == 2
