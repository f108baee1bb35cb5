"""The frame walk and the websockets library read every conversation alike, but where a difference is listed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import EXTERNAL_CLOSE_CODES

from secproxy.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    PROTOCOL_ERROR,
    TEXT,
    FrameViolationError,
    Walker,
    encode,
)
from tests.fuzz.wire_seeds import MASK, raw
from tests.secproxy.reference import DIFFERENCES, Reading, Reference, compare_frames, read

LIMIT, FRAGMENTS = 300, 3
OPCODES = st.sampled_from([TEXT, CONTINUATION, BINARY, CLOSE, PING, PONG])
FIRST = st.one_of(
    st.just(0x80 | TEXT),
    st.builds(lambda opcode, final: opcode | final, OPCODES, st.sampled_from([0, 0x80])),
    st.integers(0, 255),  # reserved bits, unknown opcodes
)
CUT_TEXT = st.builds(lambda text, at: text.encode()[:at], st.text(min_size=1, max_size=8), st.integers(0, 8))
PAYLOADS = st.one_of(
    st.text(max_size=20).map(str.encode),
    CUT_TEXT,
    st.binary(max_size=6),
    st.sampled_from([b"", b"x" * 125, b"x" * 126, b"x" * LIMIT, b"x" * (LIMIT + 1)]),
    st.builds(lambda code, reason: code.to_bytes(2) + reason, st.integers(0, 5001), st.sampled_from([b"", b"bye"])),
)
MASKS = st.one_of(st.binary(min_size=4, max_size=4), st.just(bytes(4)))


def long_form(frame: bytes, width: int = 8) -> bytes:
    """The same frame with its length in eight bytes, or two, which the standard forbids where fewer would do."""
    length, mask = frame[1] & 127, frame[1] & 128
    form = bytes([mask | (127 if width == 8 else 126)])
    return frame[:1] + form + length.to_bytes(width) + frame[2:] if length < 126 else frame


@st.composite
def conversations(draw: st.DrawFn) -> tuple[bytes, bool]:
    """What one side sends, and whether it is the client: mostly right, sometimes masked wrongly, or cut at the end."""
    masked = draw(st.booleans())
    frames = []
    for _ in range(draw(st.integers(1, 6))):
        right = draw(st.integers(0, 19)) > 0
        frame = raw(draw(FIRST), draw(PAYLOADS), draw(MASKS) if masked is right else b"")
        frames.append(long_form(frame, draw(st.sampled_from([2, 8]))) if draw(st.integers(0, 9)) == 0 else frame)
    stream = b"".join(frames)
    return stream[: draw(st.integers(0, len(stream)))] if draw(st.booleans()) else stream, masked


def walker(*, masked: bool) -> Walker:
    """One with narrow bounds, so that they are met."""
    return Walker(masked=masked, limit=LIMIT, fragments=FRAGMENTS)


@settings(max_examples=400)
@given(conversations(), st.sampled_from([10, 126, LIMIT]))
def test_both_engines_hear_the_same_and_refuse_at_the_same_point(conversation: tuple[bytes, bool], limit: int) -> None:
    """The same messages with the same bytes, then the same close code, or a difference with a name."""
    stream, masked = conversation

    assert compare_frames(stream, masked=masked, limit=limit, fragments=FRAGMENTS) in {"", *DIFFERENCES}


@given(conversations(), st.lists(st.integers(1, 700), max_size=12))
def test_however_a_stream_is_cut_the_same_comes_out_of_it(conversation: tuple[bytes, bool], cuts: list[int]) -> None:
    """Also what was whole before a violation in the same bytes, and whether the short way was taken."""
    stream, masked = conversation
    ends = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[start:end] for start, end in pairwise(ends)]
    bytewise = [stream[at : at + 1] for at in range(len(stream))]

    assert read(walker(masked=masked), pieces) == read(walker(masked=masked), bytewise)


@given(conversations())
def test_the_far_side_reads_of_us_what_it_would_have_read_of_the_near_one(conversation: tuple[bytes, bool]) -> None:
    """The bytes we send on, read by the library, are the messages that we heard: none is added and none hidden."""
    stream, masked = conversation
    try:
        found = walker(masked=masked).feed(stream)
    except FrameViolationError as violation:
        found = violation.before

    onward = [frame for frame in found if frame.opcode in {TEXT, CLOSE}]
    there = read(Reference(masked=masked, limit=LIMIT), [frame.raw for frame in onward])
    assert there == Reading([(frame.opcode, frame.payload) for frame in onward])


EXAMPLES = {
    "a binary message: OCPP-J is text": raw(0x80 | BINARY, b"x"),
    "more fragments than allowed": raw(TEXT, b"") + raw(CONTINUATION, b"") * FRAGMENTS,
    "a control frame whose length is written in a long form": long_form(raw(0x80 | PING, b"x")),
    "a length that is written in more bytes than it needs": long_form(raw(0x80 | TEXT, b"x"), 2),
    "a frame with a fault in its first bytes that is too big as well": raw(0x80 | PING, b"x" * (LIMIT + 1)),
    "a close frame inside an unfinished message": raw(TEXT, b"x") + raw(0x80 | CLOSE, b"\x03\xe8"),
    "a control frame beside a message near its limit": raw(TEXT, b"x" * LIMIT) + raw(0x80 | PING, b"x"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_every_listed_difference_is_one(name: str) -> None:
    """Nothing stands in the list that no longer differs, and each example is known by its own name."""
    assert compare_frames(EXAMPLES[name], masked=True, limit=LIMIT, fragments=FRAGMENTS) == name


def test_the_comparison_sees_a_walker_that_reads_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A walker that overlooks reserved bits is found out, so the claims above can fail."""
    monkeypatch.setattr(Walker, "_check_head", lambda *_: None)
    with pytest.raises(AssertionError, match="not listed"):
        compare_frames(raw(0xC1, b"x"), masked=True, limit=LIMIT, fragments=FRAGMENTS)


@pytest.mark.parametrize("masked", [True, False])
def test_close_codes_are_those_of_the_library(masked: bool) -> None:
    """Every one of the 65,536: RFC 6455 7.4 and the register it opened."""
    mask = MASK if masked else b""
    taken = set()
    for code in range(1 << 16):
        reading = read(walker(masked=masked), [encode(CLOSE, code.to_bytes(2), mask)])
        assert reading.code in {None, PROTOCOL_ERROR}
        taken |= {code} if reading.code is None else set()

    assert taken == {int(code) for code in EXTERNAL_CLOSE_CODES} | set(range(3000, 5000))
