"""Words on the command line become types that cannot be wrong."""

from __future__ import annotations

import datetime as dt

import pytest

from cli.words import parse_listen, parse_span, parse_time, parse_when
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


@pytest.mark.parametrize("text", ["", "yesterday", "now", "1", "1.5h"])
def test_what_is_neither_a_span_nor_a_time_is_told_how_both_are_written(text: str) -> None:
    """Whoever gives ``--since`` may give either."""
    with pytest.raises(InputError) as wrong:
        parse_when(text)
    assert all(form in wrong.value.advice for form in ("1h", "2026-11-22T12:00:00Z"))


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


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-11-22T12:00:00Z", dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)),
        ("2026-11-22T12:00:00z", dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)),
        ("2026-11-22T12:00:00.5Z", dt.datetime(2026, 11, 22, 12, 0, 0, 500_000, tzinfo=dt.UTC)),
        ("2026-11-22T13:30:00+01:30", dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)),
        ("2026-11-22", dt.datetime(2026, 11, 22, tzinfo=dt.UTC)),
    ],
)
def test_a_time_is_read_as_rfc_3339_has_it(text: str, read: dt.datetime) -> None:
    """With Z or an offset; a date is its first second in UTC."""
    assert parse_time(text) == read
    assert parse_time(text).tzinfo is dt.UTC


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-11-22T12:00:00", "2026-13-01", "2026-02-30", "22.11.2026", "1764000000", "2026-11-22 12:00:00Z",
     "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-22T25:00:00Z", "2026-11-22T12:00:00Z\n",
     "\uff12026-11-22"],
)  # fmt: skip
def test_anything_else_is_no_time(text: str) -> None:
    """A time without its zone means another one elsewhere."""
    with pytest.raises(InputError, match=r"usage\.time"):
        parse_time(text)


def test_when_is_a_moment_or_that_long_ago() -> None:
    """Whichever it looks like is what it is judged as."""
    assert parse_when("15m") == dt.timedelta(minutes=15)
    assert parse_when("2026-11-22") == dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
    for text, code in (("15x", r"usage\.span"), ("2026-13-01", r"usage\.time")):
        with pytest.raises(InputError, match=code):
            parse_when(text)
