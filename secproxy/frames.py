"""The frame walk: cuts a byte stream into WebSocket frames and whole messages, and refuses what RFC 6455 forbids.

Rules this file keeps:

* Original bytes go on as they came. A message in one frame keeps its bytes, mask included; only a fragmented one is
  written anew, as one frame.
* A size is refused on the frame's head, before its payload is waited for.
* How the stream was cut changes nothing: what was whole before a violation has been said, and is handed on.
* After a close frame nothing more is heard (RFC 6455 1.4).
* The one extension is compression by a station, where it was agreed on; any other reserved bit is a violation (5.2).
* A length is written in as few bytes as it can be (5.2): one frame has one head, so no two readers disagree about it.

Nothing here knows OCPP; text is handed on as bytes that are known to be UTF-8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from secproxy import deflate

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform for which nobody has compiled it: the same in Python, ten times slower
    from websockets.utils import apply_mask

CONTINUATION: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

GOING_AWAY: Final = 1001
NO_CODE: Final = 1005
PROTOCOL_ERROR: Final = 1002
UNSUPPORTED_DATA: Final = 1003
INVALID_DATA: Final = 1007
POLICY_VIOLATION: Final = 1008
TOO_BIG: Final = 1009
SERVICE_RESTART: Final = 1012  # registered with IANA: come back soon
TRY_AGAIN: Final = 1013  # registered with IANA: come back later

CONTROL_PAYLOAD: Final = 125  # bytes; RFC 6455 5.5
_FINAL_TEXT: Final = 0x80 | TEXT
_DATA: Final = (TEXT, BINARY)  # the first frame of a message, which alone says whether it is compressed (RFC 7692 6)
_COMPRESSED: Final = 0x40  # RSV1
_KNOWN: Final = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_CLOSE_CODES: Final = frozenset(
    {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}
)  # RFC 6455 7.4, and IANA's


class FrameViolationError(Exception):
    """The peer broke the framing rules: close with ``code`` (RFC 6455 7.4.1), write down ``says`` and ``cause``.
    ``before`` are the frames that were whole before it in the same bytes."""

    def __init__(self, code: int, says: str, cause: str = "frame.violation") -> None:
        super().__init__(code, says)
        self.code = code
        self.says = says
        self.cause = cause
        self.before: list[Frame] = []


class Frame(NamedTuple):
    """A whole message or a control frame: its payload in clear, and the bytes to send on."""

    opcode: int
    payload: bytes
    raw: bytes


@dataclass(slots=True)
class Walker:
    """Walks one direction of one connection.

    ``masked`` is True for bytes from a client (RFC 6455 5.1). ``limit`` bounds one message in bytes, ``fragments`` the
    frames that may make it up. ``deflate`` are the bits of the window of one who may compress (RFC 7692), else 0; both
    limits hold for what comes and for what becomes of it.
    """

    masked: bool
    limit: int
    fragments: int
    deflate: int = 0
    messages: int = 0
    """Whole messages so far."""
    _rest: bytes = b""
    _parts: list[bytes] | None = None
    _size: int = 0
    _packed: bool = False
    _closed: bool = False

    @property
    def partial(self) -> bool:
        """Whether a frame or message has begun and not ended; the edge keeps a timer while it is so."""
        return bool(self._rest) or self._parts is not None

    def whole(self, data: bytes) -> bytes | None:
        """Read what nearly every chunk is, one whole message in one frame with nothing before or after it.

        Returns its payload; None, with nothing done, for every other chunk, which is for ``feed``.
        """
        if self._rest or self._parts is not None or len(data) < 8 or data[0] != _FINAL_TEXT or self._closed:
            return None
        length, at = data[1] & 127, 2
        if length >= 126:
            if length == 127:
                return None
            length, at = data[2] << 8 | data[3], 4
            if length <= CONTROL_PAYLOAD:
                return None
        if data[1] & 128:
            at += 4
        if len(data) != at + length or length > self.limit or (data[1] >= 128) is not self.masked:
            return None
        payload = apply_mask(data[at:], data[at - 4 : at]) if self.masked else data[at:]
        if not payload.isascii():
            _utf8(payload)
        self.messages += 1
        return payload

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes; return what they complete, in order. Raises ``FrameViolationError``."""
        if self._rest:
            data = self._rest + data
        found: list[Frame] = []
        try:
            done = self._walk(data, found)
        except FrameViolationError as violation:
            violation.before = found
            raise
        self._rest = data[done:] if done else data
        return found

    def _walk(self, data: bytes, found: list[Frame]) -> int:
        """Find the whole frames; return how many bytes they are."""
        start, end = 0, len(data)
        while start < end:
            if self._closed:
                return end
            stop, payload_at = self._measure(data, start, end)
            if stop > end:
                break
            raw = data if start == 0 and stop == end else data[start:stop]
            frame = self._take(raw, payload_at - start)
            if frame is not None:
                found.append(frame)
            start = stop
        return start

    def _measure(self, data: bytes, start: int, end: int) -> tuple[int, int]:
        """Where the frame at ``start`` stops and its payload begins; a stop beyond ``end`` means: not all is here."""
        if end - start < 2:
            return end + 1, 0
        first, second = data[start], data[start + 1]
        self._check_head(first, second)
        length, at = second & 127, start + 2
        if length > CONTROL_PAYLOAD:
            width = 2 if length == 126 else 8
            if end - at < width:
                return end + 1, 0
            length = int.from_bytes(data[at : at + width])
            if length < (126 if width == 2 else 1 << 16):
                raise FrameViolationError(PROTOCOL_ERROR, "a length that is written in more bytes than it needs")
            at += width
        if length + self._size > self.limit and not first & 8:  # a control frame is short, and no part of a message
            raise FrameViolationError(TOO_BIG, f"a message of more than {self.limit} bytes")
        at += 4 if self.masked else 0
        return at + length, at

    def _check_head(self, first: int, second: int) -> None:
        opcode = first & 15
        if first & 0x70 and (first & 0x70 != _COMPRESSED or opcode not in _DATA or not self.deflate):
            raise FrameViolationError(PROTOCOL_ERROR, _reserved(first))
        if opcode not in _KNOWN:
            raise FrameViolationError(PROTOCOL_ERROR, f"unknown opcode {opcode}")
        if bool(second & 128) is not self.masked:
            raise FrameViolationError(PROTOCOL_ERROR, "an unmasked frame" if self.masked else "a masked frame")
        if opcode & 8 and (not first & 128 or second & 127 > CONTROL_PAYLOAD):
            raise FrameViolationError(PROTOCOL_ERROR, "a control frame that is fragmented or too long")

    def _take(self, raw: bytes, payload_at: int) -> Frame | None:
        opcode = raw[0] & 15
        payload = raw[payload_at:]
        if self.masked and payload:
            payload = apply_mask(payload, raw[payload_at - 4 : payload_at])
        if opcode == CLOSE:
            self._end(payload)
        if opcode & 8:
            return Frame(opcode, payload, raw)
        if raw[0] == _FINAL_TEXT and self._parts is None:
            self.messages += 1
            return Frame(TEXT, _utf8(payload), raw)
        return self._gather(opcode, payload, raw, payload_at)

    def _end(self, payload: bytes) -> None:
        """Check the peer's goodbye, and listen no longer (RFC 6455 5.5.1)."""
        _utf8(payload[2:])
        if payload and close_code(payload) not in _CLOSE_CODES:
            raise FrameViolationError(PROTOCOL_ERROR, "a close frame with a code that nobody may send")
        self._parts, self._size, self._closed = None, 0, True

    def _gather(self, opcode: int, payload: bytes, raw: bytes, payload_at: int) -> Frame | None:
        """Collect the fragments of a message; return it as one frame once the last has come (RFC 6455 5.4)."""
        if opcode == BINARY:
            raise FrameViolationError(UNSUPPORTED_DATA, "a binary message; OCPP-J is text")
        if (opcode == CONTINUATION) is (self._parts is None):
            raise FrameViolationError(PROTOCOL_ERROR, "fragments out of order")
        if opcode == TEXT:
            self._packed = raw[0] & _COMPRESSED != 0
        parts = self._parts if self._parts is not None else []
        parts.append(payload)
        if len(parts) > self.fragments:
            raise FrameViolationError(POLICY_VIOLATION, f"a message of more than {self.fragments} fragments")
        if not raw[0] & 128:
            self._parts, self._size = parts, self._size + len(payload)
            return None
        whole = b"".join(parts)
        whole = _utf8(self._inflate(whole) if self._packed else whole)
        self._parts, self._size = None, 0
        self.messages += 1
        key = raw[payload_at - 4 : payload_at] if self.masked else b""
        return Frame(TEXT, whole, encode(TEXT, whole, key))

    def _inflate(self, payload: bytes) -> bytes:
        try:
            return deflate.inflate(payload, self.deflate, self.limit)
        except deflate.BombError as bomb:
            raise FrameViolationError(TOO_BIG if bomb.too_big else POLICY_VIOLATION, bomb.says, "frame.bomb") from None
        except ValueError as broken:
            raise FrameViolationError(INVALID_DATA, str(broken)) from None


def encode(opcode: int, payload: bytes, mask: bytes = b"") -> bytes:
    """Write one final frame; ``mask`` is four random bytes towards a server, empty towards a client."""
    head = bytearray([0x80 | opcode])
    flag = 0x80 if mask else 0
    if len(payload) <= CONTROL_PAYLOAD:
        head.append(flag | len(payload))
    elif len(payload) < 1 << 16:
        head.append(flag | 126)
        head += len(payload).to_bytes(2)
    else:
        head.append(flag | 127)
        head += len(payload).to_bytes(8)
    return bytes(head) + mask + (apply_mask(payload, mask) if mask else payload)


def encode_close(code: int, reason: str, mask: bytes = b"") -> bytes:
    """Write a close frame; the reason is cut so that it fits a control frame."""
    return encode(CLOSE, code.to_bytes(2) + reason.encode()[: CONTROL_PAYLOAD - 2], mask)


def close_code(payload: bytes) -> int:
    """Read the code of a close frame; 1005 when it has none (RFC 6455 7.1.5)."""
    return int.from_bytes(payload[:2], "big") if len(payload) >= 2 else NO_CODE


def _reserved(first: int) -> str:
    if first & 0x70 == _COMPRESSED and first & 15 in _DATA:
        return "a compressed message, although compression was not agreed on"
    return "a reserved bit is set although no extension was negotiated"


def _utf8(payload: bytes) -> bytes:
    if not payload.isascii():
        try:
            payload.decode()
        except UnicodeDecodeError:
            raise FrameViolationError(INVALID_DATA, "text that is not UTF-8") from None
    return payload
