"""The codes of the command line itself: every one in use, every one in a sentence."""

from __future__ import annotations

from tests.codes import everything, ill_written, unused


def test_every_code_of_the_table_is_raised_in_this_room() -> None:
    """An explanation of what nobody says any more is taken out."""
    assert unused("cli", everything()) == []


def test_every_code_is_explained_in_a_sentence() -> None:
    """One that begins and ends as sentences do."""
    assert ill_written("cli") == []
