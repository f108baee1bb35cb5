"""The clauses' texts: whole sentences, in our own words."""

from __future__ import annotations

import re

import pytest

from pki import clause_texts

TABLES = [clause_texts.BOTH, clause_texts.ONLY_TWO, clause_texts.ONLY_SIXTEEN, clause_texts.RFCS]
TEXTS = [says for table in TABLES for says in table.values()] + list(clause_texts.RENUMBERED.values())


@pytest.mark.parametrize("says", sorted(set(TEXTS)))
def test_every_text_is_a_plain_sentence(says: str) -> None:
    """It begins with a capital, ends with a stop, and speaks our words; a standard's SHALL would be its wording."""
    assert re.fullmatch(r"[A-Z0-9].*\.", says)
    assert not re.search(r"SHALL|MUST|Charg(e|ing) ?(Point|Station)|Central System|backend", says)


def test_no_clause_stands_in_two_tables_that_contradict() -> None:
    """What holds in all editions is not listed for some of them again."""
    both = set(clause_texts.BOTH)

    assert not both & set(clause_texts.ONLY_TWO)
    assert not both & set(clause_texts.ONLY_SIXTEEN)
    assert not both & {newer for newer, _ in clause_texts.RENUMBERED}


def test_a_renumbered_clause_really_moved() -> None:
    """Else it belongs in the table for both."""
    assert all(newer != older for newer, older in clause_texts.RENUMBERED)
