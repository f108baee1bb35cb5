"""``pki.edge.http.ranges``: one range of bytes, or the whole, or a refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.edge.http.ranges import Span, read_range, whole
from pki.errors import InputError


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-", 0, 99),
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=90-500", 90, 99),
        ("bytes=-10", 90, 99),
        ("bytes=-500", 0, 99),
        ("Bytes = 5-6 ", 5, 6),
    ],
)
def test_a_good_range_is_cut_to_the_file(header: str, first: int, last: int) -> None:
    """The end may be open, beyond the file, or counted from behind (RFC 9110 14.1.2)."""
    assert read_range([header], 100) == Span(first, last, 100)


@pytest.mark.parametrize("headers", [[], ["lines=1-2"], ["items"]])
def test_without_a_range_of_bytes_it_is_the_whole(headers: list[str]) -> None:
    """An unknown unit is ignored (RFC 9110 14.2)."""
    assert read_range(headers, 100) == whole(100)


@pytest.mark.parametrize(
    "headers",
    [
        ["bytes=0-1,5-6"],
        ["bytes=0-0,-1"],
        ["bytes=0-1", "bytes=2-3"],
        ["bytes=0-1", "lines=0-1"],
        ["bytes=5-4"],
        ["bytes=100-"],
        ["bytes=-0"],
        ["bytes=-"],
        ["bytes=--5"],
        ["bytes=+1-2"],
        ["bytes=1_0-20"],
        ["bytes=٣-٤"],
        ["bytes="],
        ["bytes=" + "9" * 5000 + "-"],
        ["bytes=0x1-2"],
    ],
)
def test_gate_56_any_other_range_is_refused(headers: list[str]) -> None:
    """Many, overlapping, negative, malformed and outside: one answer."""
    with pytest.raises(InputError, match=r"range\.refused"):
        read_range(headers, 100)


@given(st.text(max_size=30), st.integers(1, 1000))
def test_whatever_is_asked_the_span_lies_in_the_file(header: str, size: int) -> None:
    """A stranger chooses the header."""
    try:
        span = read_range([header], size)
    except InputError:
        return
    assert 0 <= span.first <= span.last < span.size == size
    assert span.length == span.last - span.first + 1
