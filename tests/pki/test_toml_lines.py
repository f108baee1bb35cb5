"""Whoever wrote a mistake is shown the line it stands on."""

from __future__ import annotations

import pytest

from pki.toml_lines import find_lines


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("days = 1", ("days",), 1),
        ("# first\n\n  days=1", ("days",), 3),
        ("days = 1\r\nhours = 2\r\n", ("hours",), 2),
        ('"days" = 1', ("days",), 1),
        ("[a]\nb = 1", ("a", "b"), 2),
        ("[a]\nb = 1", ("a",), 1),
        ("[a.b]\nc = 1\n[a.d]\nc = 2", ("a", "d", "c"), 4),
        ('[versions."ocpp2.0.1".edition3]\ndays = 1', ("versions", "ocpp2.0.1", "edition3", "days"), 2),
        ('versions."ocpp1.6".days = 1', ("versions", "ocpp1.6", "days"), 1),
        ("[[list]]\nname = 1\n[[list]]\nname = 2", ("list", "name"), 2),
        ("days = [\n  1,\n  2,\n]\nhours = 3", ("hours",), 5),
        ('text = "a = b"\nlast = 1', ("last",), 2),
    ],
)
def test_a_key_is_found_where_it_first_stands(text: str, path: tuple[str, ...], line: int) -> None:
    """However TOML lets it be written."""
    assert find_lines(text)[path] == line


def test_an_empty_text_has_no_keys() -> None:
    """Neither have comments."""
    assert find_lines("") == find_lines("# days = 1\n") == {}
