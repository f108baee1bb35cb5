"""A list of stations is taken whole or not at all, and all that is wrong with it is told at once."""

from __future__ import annotations

import pytest

from cli.seeds import read_seeds
from pki.edge.calls import StationSeed
from pki.errors import InputError


def test_rows_become_stations_and_the_default_profile_fills_gaps() -> None:
    """What a row names itself wins."""
    text = "identity,serial,profile,site\nCP-1,S1,,north\nCP-2,S2,2,\n"

    assert read_seeds(text, 3) == (StationSeed("CP-1", "S1", 3, "", "north"), StationSeed("CP-2", "S2", 2))


def test_all_wrong_lines_are_named() -> None:
    """One look at the spreadsheet mends all of it."""
    with pytest.raises(InputError) as refused:
        read_seeds("identity,serial\nCP:1,S1\nCP-2,S2\nCP-3,10.0.0.1\nCP-4,S4,more\n", 3)

    assert [finding.says.split(":")[0] for finding in refused.value.findings] == ["line 2", "line 4", "line 5"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "missing columns", id="nothing"),
        pytest.param("identity,serial\n", "no station", id="a header alone"),
        pytest.param("identity\nCP-1\n", "missing columns", id="no serial"),
        pytest.param("identity,serial,colour\nCP-1,S1,red\n", "colour", id="an unknown column"),
        pytest.param('identity,serial\n"CP-1,S1\n', "no CSV", id="an open quote"),
    ],
)
def test_what_is_no_list_is_refused(text: str, says: str) -> None:
    """Nothing is guessed about columns."""
    with pytest.raises(InputError, match=says):
        read_seeds(text, 3)


@pytest.mark.parametrize("before", ["", "identity,serial\nCP-1,SN-1\n"])
def test_a_line_that_is_no_csv_is_named_by_its_number(before: str) -> None:
    """As an editor counts, from 1 on."""
    with pytest.raises(InputError, match=f"line {before.count(chr(10)) + 1} is no CSV"):
        read_seeds(f'{before}"a"b,c\n', 3)


def test_a_row_without_profile_needs_the_option() -> None:
    """No profile is ever assumed."""
    with pytest.raises(InputError) as refused:
        read_seeds("identity,serial\nCP-1,S1\n", None)

    assert "no security profile" in refused.value.findings[0].says
