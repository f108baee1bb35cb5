"""The frame walk agrees with the websockets library, keeps bytes as they came, and refuses what RFC 6455 forbids."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode

from secproxy.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    INVALID_DATA,
    PING,
    POLICY_VIOLATION,
    PROTOCOL_ERROR,
    TEXT,
    TOO_BIG,
    UNSUPPORTED_DATA,
    FrameViolationError,
    Walker,
    close_code,
    encode,
    encode_close,
)
from tests.fuzz.wire_seeds import MASK, raw


def walker(*, masked: bool = True, limit: int = 65_536, fragments: int = 64) -> Walker:
    """A walker with the bounds a station meets."""
    return Walker(masked=masked, limit=limit, fragments=fragments)


@given(st.lists(st.text(max_size=300), min_size=1, max_size=6), st.booleans(), st.integers(1, 40))
def test_messages_cut_anywhere_come_out_whole_with_their_own_bytes(texts: list[str], masked: bool, cut: int) -> None:
    """However the stream is cut, each message is found once, and what goes on is what came, byte for byte."""
    sent = [TheirFrame(Opcode.TEXT, text.encode()).serialize(mask=masked) for text in texts]
    stream, walk = b"".join(sent), walker(masked=masked)

    found = [frame for start in range(0, len(stream), cut) for frame in walk.feed(stream[start : start + cut])]

    assert [text.encode() for text in texts] == [frame.payload for frame in found]
    assert sent == [frame.raw for frame in found]
    assert not walk.partial


_CHUNKS = st.one_of(
    st.builds(
        lambda opcode, text, masked: TheirFrame(Opcode(opcode), text.encode()).serialize(mask=masked),
        st.sampled_from([TEXT, TEXT, TEXT, BINARY, PING, CLOSE]), st.text(max_size=400), st.booleans(),
    ),
    st.binary(max_size=40).map(lambda tail: bytes([0x81]) + tail),
    st.binary(max_size=40),
)  # fmt: skip


@given(_CHUNKS, st.binary(max_size=3), st.booleans(), st.integers(0, 500))
def test_the_short_way_finds_what_the_long_way_finds(chunk: bytes, more: bytes, masked: bool, limit: int) -> None:
    """A chunk that is read at one glance is one whole message to the walk as well; any other leaves no trace."""
    short, long = walker(masked=masked, limit=limit), walker(masked=masked, limit=limit)
    try:
        found = short.whole(chunk + more)
    except FrameViolationError as refused:
        with pytest.raises(FrameViolationError, match=refused.says):
            long.feed(chunk + more)
        return
    if found is None:
        assert short == walker(masked=masked, limit=limit)
        return
    assert [(TEXT, found, chunk + more)] == long.feed(chunk + more)
    assert short == long


def test_the_short_way_takes_most_messages_and_nothing_while_another_is_unfinished() -> None:
    """The claim above would hold of a short way that never finds anything."""
    walk = walker()
    for size in (2, 125, 126, 1000, 60_000):
        assert walk.whole(encode(TEXT, b"x" * size, MASK)) == b"x" * size
    walk.feed(encode(TEXT, b"[2]", MASK)[:4])
    assert walk.whole(encode(TEXT, b"[2]", MASK)) is None
    fragmented = walker()
    fragmented.feed(raw(TEXT, b"[2"))
    assert fragmented.whole(encode(TEXT, b"[2]", MASK)) is None


@given(st.binary(max_size=70_000).map(lambda b: b.hex().encode()), st.booleans())
def test_what_is_encoded_is_what_the_library_would_send(payload: bytes, masked: bool) -> None:
    """Our encoder writes each of the three length forms as the websockets library does."""
    theirs = TheirFrame(Opcode.TEXT, payload).serialize(mask=False)
    mask = MASK if masked else b""

    assert (theirs == encode(TEXT, payload)) or masked
    assert [payload] == [f.payload for f in walker(masked=masked, limit=1 << 20).feed(encode(TEXT, payload, mask))]


def test_a_fragmented_message_goes_on_as_one_frame() -> None:
    """Three fragments with a ping between them become the ping and one whole, correctly masked frame."""
    walk = walker()
    stream = raw(TEXT, b"[2,") + raw(CONTINUATION, b'"1",') + raw(0x80 | PING, b"?") + raw(0x80, b"{}]")

    ping, whole = walk.feed(stream)

    assert (ping.opcode, ping.payload) == (PING, b"?")
    assert whole.payload == b'[2,"1",{}]'
    assert [whole.payload] == [frame.payload for frame in walker().feed(whole.raw)]


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        pytest.param(raw(0x80 | TEXT | 0x40, b"x"), PROTOCOL_ERROR, id="a reserved bit nobody negotiated"),
        pytest.param(raw(0x80 | 3, b"x"), PROTOCOL_ERROR, id="an unknown opcode"),
        pytest.param(encode(TEXT, b"x"), PROTOCOL_ERROR, id="an unmasked frame from a client"),
        pytest.param(raw(PING, b"x"), PROTOCOL_ERROR, id="a fragmented control frame"),
        pytest.param(raw(0x80 | PING, b"x" * 126), PROTOCOL_ERROR, id="a control frame that is too long"),
        pytest.param(raw(0x80, b"x"), PROTOCOL_ERROR, id="a continuation of nothing"),
        pytest.param(raw(TEXT, b"x") + raw(TEXT, b"y"), PROTOCOL_ERROR, id="a new message inside a fragmented one"),
        pytest.param(raw(0x80 | BINARY, b"x"), UNSUPPORTED_DATA, id="a binary message"),
        pytest.param(raw(0x80 | TEXT, b"\xff"), INVALID_DATA, id="text that is not UTF-8"),
        pytest.param(b"\x81\xff" + (1 << 40).to_bytes(8), TOO_BIG, id="a length of a terabyte, on its head alone"),
        pytest.param(raw(TEXT, b"x" * 60_000) + raw(0x80, b"x" * 6_000), TOO_BIG, id="fragments too big together"),
        pytest.param(raw(TEXT, b"") + raw(CONTINUATION, b"") * 64, POLICY_VIOLATION, id="endless empty fragments"),
    ],
)
def test_what_breaks_the_rules_is_refused_with_the_code_of_rfc_6455(stream: bytes, code: int) -> None:
    """Each violation closes with the code the RFC gives it, before anything is passed on."""
    with pytest.raises(FrameViolationError) as refused:
        walker().feed(stream)

    assert code == refused.value.code


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(
    ("size", "width", "refused"),
    [(0, 2, True), (125, 2, True), (126, 2, False), (65_535, 2, False), (0, 8, True), (125, 8, True), (126, 8, True),
     (65_535, 8, True), (65_536, 8, False)],
)  # fmt: skip
def test_attack_21_a_length_is_written_in_no_more_bytes_than_it_needs(
    size: int, width: int, refused: bool, masked: bool
) -> None:
    """RFC 6455 5.2, either way of reading; the head alone is enough to refuse, and a fragment's is no exception."""
    form = bytes([(0x80 if masked else 0) | (126 if width == 2 else 127)]) + size.to_bytes(width)
    chunk = b"\x81" + form + (bytes(4) if masked else b"") + b"x" * size

    walk = walker(masked=masked, limit=1 << 20)
    if not refused:
        assert [frame.raw for frame in walk.feed(chunk)] == [chunk]
        return
    assert walk.whole(chunk) is None
    for first in (TEXT, 0x80 | TEXT):
        with pytest.raises(FrameViolationError, match="more bytes than it needs") as violation:
            walker(masked=masked, limit=1 << 20).feed(bytes([first]) + form)
        assert violation.value.code == PROTOCOL_ERROR


def test_what_was_whole_before_a_violation_has_been_said() -> None:
    """Whether both came in one read is the network's affair; so the refusal brings what came before it."""
    with pytest.raises(FrameViolationError) as refused:
        walker().feed(raw(0x80 | TEXT, b"[2]") + raw(0x80 | PING, b"?") + raw(0x80 | BINARY, b"x"))

    assert [frame[:2] for frame in refused.value.before] == [(TEXT, b"[2]"), (PING, b"?")]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        pytest.param(b"\x03", PROTOCOL_ERROR, id="half a code"),
        pytest.param(b"\x03\xed", PROTOCOL_ERROR, id="1005, which says that there was none"),
        pytest.param(b"\x03\xe7", PROTOCOL_ERROR, id="below 1000"),
        pytest.param(b"\x13\x88", PROTOCOL_ERROR, id="5000"),
        pytest.param(b"\x03\xe8\xff", INVALID_DATA, id="a reason that is no text"),
    ],
)
def test_a_goodbye_that_nobody_may_say_is_refused(payload: bytes, code: int) -> None:
    """RFC 6455 5.5.1, 7.4: no CSMS has to find out what its library makes of such a close frame."""
    with pytest.raises(FrameViolationError) as refused:
        walker().feed(raw(0x80 | CLOSE, payload))

    assert code == refused.value.code


def test_nothing_is_heard_after_a_goodbye() -> None:
    """RFC 6455 1.4: also what would be a violation, and also by the short way."""
    walk, message = walker(), encode(TEXT, b'[2,"1","A",{}]', MASK)
    (frame,) = walk.feed(raw(0x80 | CLOSE, b"\x03\xe8") + message)

    assert frame.opcode == CLOSE
    assert walk.whole(message) is None
    assert walk.feed(message + b"\xff\xff") == []
    assert not walk.partial


def test_a_masked_frame_from_a_server_is_refused() -> None:
    """RFC 6455 5.1: a server never masks."""
    with pytest.raises(FrameViolationError):
        walker(masked=False).feed(encode(TEXT, b"x", MASK))


def test_a_frame_that_has_begun_is_known_to_be_partial() -> None:
    """The edge keeps a timer while this is so."""
    walk = walker()

    assert walk.feed(encode(TEXT, b"hello", MASK)[:3]) == []
    assert walk.partial


def test_a_close_reason_is_cut_to_fit() -> None:
    """A control frame holds 125 bytes, whatever we have to say."""
    (frame,) = walker(masked=False).feed(encode_close(1008, "x" * 300))

    assert (frame.opcode, len(frame.payload)) == (CLOSE, 125)
    assert int.from_bytes(frame.payload[:2]) == 1008


@pytest.mark.parametrize(
    ("payload", "code"), [(b"", 1005), (b"\x03", 1005), (b"\x03\xe9", 1001), (b"\x03\xf4bye", 1012)]
)
def test_the_code_of_a_close_frame_is_its_first_two_bytes(payload: bytes, code: int) -> None:
    """RFC 6455 5.5.1; without them it is 1005, which nobody sends."""
    assert close_code(payload) == code


def compressed(message: bytes) -> bytes:
    """A message as a station compresses it (RFC 7692 7.2.1)."""
    deflater = zlib.compressobj(wbits=-15)
    return (deflater.compress(message) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]


def packer(limit: int = 65_536) -> Walker:
    """A walker on a leg where compression was agreed on."""
    return Walker(masked=True, limit=limit, fragments=64, deflate=15)


@given(st.lists(st.tuples(st.text(max_size=300), st.booleans(), st.booleans()), min_size=1, max_size=5))
def test_compressed_messages_go_on_uncompressed(texts: list[tuple[str, bool, bool]]) -> None:
    """Among others, in one frame or in fragments; the CSMS gets a frame it has agreed to."""
    stream = b""
    for text, packs, cuts in texts:
        payload = compressed(text.encode()) if packs else text.encode()
        flag = 0x40 if packs else 0
        half = len(payload) // 2
        pieces = [(1 | flag, payload[:half]), (0x80, payload[half:])] if cuts else [(0x81 | flag, payload)]
        stream += b"".join(raw(first, piece) for first, piece in pieces)

    found = packer().feed(stream)

    assert [frame.payload.decode() for frame in found] == [text for text, _, _ in texts]
    assert [frame.raw for frame in found] == [encode(TEXT, text.encode(), MASK) for text, _, _ in texts]


@pytest.mark.parametrize(
    ("stream", "code", "cause"),
    [
        pytest.param(raw(0xC1, compressed(bytes(8 << 20))), TOO_BIG, "frame.bomb", id="test_attack_22 too big"),
        pytest.param(raw(0xC1, compressed(b" " * 60_000)), POLICY_VIOLATION, "frame.bomb", id="test_attack_22 a ratio"),
        pytest.param(raw(0xC1, b"\xff\xff"), INVALID_DATA, "frame.violation", id="no compressed message"),
        pytest.param(raw(0xC1, compressed(b"\xff")), INVALID_DATA, "frame.violation", id="test_attack_23 inside"),
        pytest.param(raw(0xC2, b"x"), UNSUPPORTED_DATA, "frame.violation", id="compressed bytes"),
        pytest.param(raw(0xC9, b""), PROTOCOL_ERROR, "frame.violation", id="a compressed ping"),
        pytest.param(raw(0x01, b"a") + raw(0xC0, b"a"), PROTOCOL_ERROR, "frame.violation", id="a compressed fragment"),
        pytest.param(raw(0xA1, b"a"), PROTOCOL_ERROR, "frame.violation", id="another reserved bit"),
        pytest.param(raw(0xE1, b"a"), PROTOCOL_ERROR, "frame.violation", id="two reserved bits"),
    ],
)
def test_what_compression_does_not_allow_is_refused(stream: bytes, code: int, cause: str) -> None:
    """RFC 7692 6 and 7.2; a bomb is an event of its own."""
    with pytest.raises(FrameViolationError) as refused:
        packer().feed(stream)
    assert (refused.value.code, refused.value.cause) == (code, cause)


def test_a_station_that_compresses_unasked_is_told_so() -> None:
    """The field failure of a library that compresses whatever was agreed on: the event says what to look for."""
    with pytest.raises(FrameViolationError, match="compression was not agreed on") as refused:
        walker().feed(raw(0xC1, compressed(b"[2]")))
    assert refused.value.code == PROTOCOL_ERROR
