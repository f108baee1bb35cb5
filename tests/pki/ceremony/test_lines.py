"""A mistake is shown on the line where it stands."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.ceremony.lines import Place, line_of, locate

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
