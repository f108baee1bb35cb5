"""The table of lines is one of sentences, and ``bollard explain`` knows each."""

from __future__ import annotations

import re

import pytest

from cli.explain import meaning_of
from pki.edge import log
from secproxy.lines import LINES


@pytest.mark.parametrize("kind", [*LINES, *log.LINES])
def test_a_kind_of_line_is_explained_in_a_sentence(kind: str) -> None:
    """Whoever finds it in a log can ask what it means."""
    assert re.fullmatch(r"[A-Z].*\.", str(meaning_of(kind)["says"]))


def test_no_kind_is_in_two_tables() -> None:
    """Nor is it the code of an error, which would have two meanings."""
    assert set(LINES) & set(log.LINES) == set()
