"""Words on the command line become types that cannot be wrong."""

from __future__ import annotations

import datetime as dt

import pytest

from cli.words import parse_listen, parse_span
from pki.errors import InputError


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("1h", 3600), ("30d", 2_592_000), ("4w", 2_419_200)]
)
def test_a_span_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    """The units people use."""
    assert parse_span(text) == dt.timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1.5h", "1h30m", "9999999d", "1 h"])
def test_anything_else_is_no_span(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(InputError, match="no length of time"):
        parse_span(text)


def test_a_listener_is_an_address_and_a_profile() -> None:
    """The address may hold colons; the profile stands after the last sign."""
    assert parse_listen("[::1]:8443=3") == ("[::1]:8443", 3)


@pytest.mark.parametrize("text", ["", "0.0.0.0:8443", "0.0.0.0:8443=1", "0.0.0.0:8443=4", "=3", "0.0.0.0:8443=three"])
def test_a_listener_without_a_profile_is_refused(text: str) -> None:
    """There is no default profile: an open door must be asked for by name."""
    with pytest.raises(InputError, match="no listener"):
        parse_listen(text)


def test_a_span_beyond_the_calendar_is_refused() -> None:
    """Counted from now it would be a date that nothing can hold."""
    with pytest.raises(InputError, match="hundred years"):
        parse_span("999999w")
