"""Whoever wrote a mistake is shown the line it stands on."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.toml_lines import Place, line_of, locate


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
        ("[[list]]\nname = 1\n[[list]]\nname = 2", ("list", 0, "name"), 2),
        ("[[list]]\nname = 1\n[[list]]\nname = 2", ("list", 1, "name"), 4),
        ("[[list]]\n[list.of]\na = 1\n[[list]]\n[list.of]\na = 2", ("list", 1, "of", "a"), 6),
        ("days = [\n  1,\n  2,\n]\nhours = 3", ("hours",), 5),
        ('text = "a = b"\nlast = 1', ("last",), 2),
    ],
)
def test_a_key_is_found_where_it_first_stands(text: str, path: Place, line: int) -> None:
    """However TOML lets it be written."""
    assert locate(text)[path] == line


def test_an_empty_text_has_no_keys() -> None:
    """Neither have comments."""
    assert locate("") == locate("# days = 1\n") == {}


TEXT = """\
version = 1

[root]
days = 3

[[certificate]]
name = "a"

[[certificate]]
  name = "b"
[crl]
number = 1
[[crl.revoked]]
serial = "1"
[[crl.revoked]]
serial = "2"
[profile.root]
is_ca = true
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("version",), 1),
        (("root",), 3),
        (("root", "days"), 4),
        (("certificate", 0, "name"), 7),
        (("certificate", 1, "name"), 10),
        (("crl", "revoked", 0, "serial"), 14),
        (("crl", "revoked", 1, "serial"), 16),
        (("profile", "root", "is_ca"), 18),
        (("root", "missing"), 3),
        (("nowhere", "missing"), 1),
    ],
)
def test_a_key_is_found_and_a_missing_one_at_its_table(place: Place, line: int) -> None:
    """What is not there is shown where it should be."""
    assert line_of(place, locate(TEXT)) == line


@given(st.text(max_size=300))
def test_no_text_at_all_is_too_much(text: str) -> None:
    """Whatever it is handed, it answers with lines that exist."""
    assert all(1 <= line <= len(text.splitlines()) for line in locate(text).values())


def test_the_example_is_what_the_parser_reads() -> None:
    """Else the table above would prove nothing."""
    assert len(tomllib.loads(TEXT)["crl"]["revoked"]) == 2
