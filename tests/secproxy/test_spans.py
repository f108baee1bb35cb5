"""Spans as they are written and read, and the place where they wait."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.spans import SPAN_BYTES, Role, Span, Waiting, read_span, write_span, write_traceparent
from tests.secproxy.export.samples import is_harmless, nasty

if TYPE_CHECKING:
    from secproxy.events import Value

TRACE, ROOT, STEP = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"


def span(**said: object) -> Span:
    """A span of 2 ms, with what is said in place of its own."""
    whole: dict[str, object] = {"trace": TRACE, "id": STEP, "parent": ROOT, "name": "head", "begin": 10**18}
    return Span(**(whole | {"end": 10**18 + 2_000_000} | said))  # type: ignore[arg-type]  # it says what a span has


def test_a_span_comes_back_the_same() -> None:
    """What a worker wrote is what is sent on."""
    made = span(role=Role.CLIENT, failed="upstream.unreachable", facts={"a": "b", "n": 3, "f": 0.5, "t": True})
    assert read_span(write_span(made)) == made
    assert read_span(write_span(span(parent=None))).parent is None


@given(nasty, st.dictionaries(nasty, nasty | st.integers(-(2**63), 2**63 - 1) | st.booleans()))
def test_whatever_a_stranger_is_called_a_span_is_one_short_line(text: str, facts: dict[str, Value]) -> None:
    """Both where it is made and where it is read: no text is longer than an event's, none acts on a terminal."""
    line = write_span(span(name=text, failed=text, facts=facts))
    assert is_harmless(line)
    assert len(read_span(line).facts) <= 16
    assert len(line) < SPAN_BYTES * 4


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("trace", "0AF7651916CD43DD8448EB211C80319C"),
        ("trace", TRACE + "\n"),
        ("id", ""),
        ("parent", "x" * 16),
        ("begin", -1),
        ("end", 2**63),
        ("role", 7),
        ("facts", {"a": ["b"]}),
    ],
)
def test_what_no_worker_wrote_is_no_span(key: str, value: object) -> None:
    """A collector refuses the whole request for one id that is none."""
    line = json.loads(write_span(span())) | {key: value}
    with pytest.raises(ValueError, match=r"."):
        read_span(json.dumps(line).encode())


def test_a_trace_is_handed_on_as_w3c_writes_it() -> None:
    """Version, trace, parent, and whether it is sampled."""
    assert write_traceparent(TRACE, STEP, sampled=True) == f"00-{TRACE}-{STEP}-01"
    assert write_traceparent(TRACE, STEP, sampled=False) == f"00-{TRACE}-{STEP}-00"


def test_what_waits_is_bounded_and_a_trace_is_kept_whole_or_not_at_all() -> None:
    """Who comes when it is full is counted; who was there is not pushed out."""
    waiting = Waiting(20)
    assert waiting.put([b"one", b"two", b"three"]) == 0
    assert waiting.put([b"six", b"seven"]) == 2
    assert len(waiting) == 3
    assert waiting.take(8) == [b"one", b"two"]
    assert waiting.put([b"six", b"seven"]) == 0
    assert waiting.take(100) == [b"three", b"six", b"seven"]
    assert (len(waiting), waiting.take(100)) == (0, [])


def test_no_span_is_so_long_that_nobody_could_take_it_out() -> None:
    """It would stand before all others for ever."""
    waiting = Waiting(10**6)
    assert waiting.put([b"x" * (SPAN_BYTES + 1)]) == 1
    assert waiting.put([b"x" * SPAN_BYTES]) == 0
    assert len(waiting.take(SPAN_BYTES + 1)) == 1


@given(st.lists(st.lists(st.binary(max_size=9), max_size=4)), st.integers(0, 60), st.integers(1, 30))
def test_nothing_is_lost_uncounted_and_nothing_comes_twice(said: list[list[bytes]], most: int, line: int) -> None:
    """What was taken out and what was refused is what was put in, in order."""
    waiting, taken, refused = Waiting(most), list[bytes](), 0
    for spans in said:
        refused += waiting.put(spans)
        taken += waiting.take(line) if refused % 2 else []
    while more := waiting.take(10):
        taken += more
    assert len(taken) + refused == sum(map(len, said))
    found = iter(each for spans in said for each in spans)
    assert all(each in found for each in taken)
