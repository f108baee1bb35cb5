"""The reader gathers mistakes and goes on."""

from __future__ import annotations

import datetime as dt
import tomllib

import pytest

from pki.ceremony.reader import NO_MOMENT, Table
from pki.names import Organisation
from pki.toml_lines import locate


def table(text: str) -> Table:
    """The top of a text."""
    return Table((), tomllib.loads(text), locate(text), [])


def test_what_is_right_leaves_no_mistake() -> None:
    """Each getter returns what stands there."""
    read = table('name = "A"\ncount = 3\nwhen = 2026-01-31T09:00:00+01:00\n[below]\n[[rows]]\nx = 1\n')
    read.refuse_unknown("name", "count", "when", "below", "rows")

    assert (read.text("name"), read.number("count", 1, 3, "")) == ("A", 3)
    assert read.moment("when") == dt.datetime(2026, 1, 31, 8, tzinfo=dt.UTC)
    assert read.parsed("name", Organisation.parse, "", Organisation("-")) == Organisation("A")
    assert [row.values for row in read.tables("rows", 1)] == [{"x": 1}]
    assert read.table("below").values == {}
    assert read.mistakes == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "ceremony.missing"),
        ("x = true", "ceremony.value"),
        ("x = 0", "ceremony.value"),
        ("x = 10", "ceremony.value"),
        ('x = "3"', "ceremony.value"),
    ],
)
def test_a_number_out_of_bounds_or_of_another_kind_is_noted(text: str, code: str) -> None:
    """A truth value is no number here."""
    read = table(text)
    read.number("x", 1, 9, "RFC 5280 5.2.3")

    assert [found.code for found in read.mistakes] == [code]


@pytest.mark.parametrize("text", ["x = 2026-01-31T09:00:00", "x = 2026-01-31", "x = 2026-01-31T09:00:00.5Z", "x = 1"])
def test_a_moment_without_zone_or_with_fractions_is_noted(text: str) -> None:
    """RFC 5280 4.1.2.5 knows whole seconds in UTC alone."""
    read = table(text)

    assert read.moment("x") == NO_MOMENT
    assert {found.code for found in read.mistakes} == {"ceremony.value"}


@pytest.mark.parametrize("text", ["x = 1", "x = [1]", "x = [{}, {}, {}]"])
def test_what_is_no_list_of_tables_or_too_long_is_noted(text: str) -> None:
    """Nothing that a stranger writes grows without bound."""
    read = table(text)
    read.tables("x", 2)

    assert {found.code for found in read.mistakes} == {"ceremony.value"}
