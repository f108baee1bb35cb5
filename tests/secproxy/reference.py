"""A second reading of the wire, by the websockets library's sans-I/O protocol, and what of ours may differ from it.

``Reference`` has the walker's interface. ``compare_frames`` and ``compare_heads`` hold one reading against the other
and return the name of a listed difference, or an empty text; what is not listed fails.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, PayloadTooBig
from websockets.frames import Frame as TheirFrame
from websockets.headers import parse_subprotocol
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.streams import StreamReader
from websockets.uri import parse_uri

from secproxy.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    CONTROL_PAYLOAD,
    INVALID_DATA,
    POLICY_VIOLATION,
    PROTOCOL_ERROR,
    TEXT,
    TOO_BIG,
    UNSUPPORTED_DATA,
    Frame,
    FrameViolationError,
    Walker,
    encode,
)
from secproxy.head import HeadError, Upgrade, read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_QUIET: Final = logging.getLogger("tests.reference")
_QUIET.setLevel(logging.CRITICAL)
_MASK: Final = bytes(4)  # of what is written anew: nobody compares it

# -- frames ------------------------------------------------------------------------------------------------------------


class Reference:
    """One direction of one connection, read by the library; what goes on is written anew.

    The library does not count fragments, so ``fragments`` is ignored.
    """

    def __init__(self, *, masked: bool, limit: int, fragments: int = 0) -> None:  # the walker's arguments
        self.masked, self.limit, self.fragments = masked, limit, fragments
        self.messages = 0
        self.gathering: int | None = None
        """The opcode of a message whose end has not come."""
        self._parts: list[bytes] = []
        self._library: ServerProtocol | ClientProtocol = (
            ServerProtocol(state=State.OPEN, max_size=limit, logger=_QUIET)
            if masked
            else ClientProtocol(parse_uri("ws://csms/"), state=State.OPEN, max_size=limit, logger=_QUIET)
        )

    @property
    def partial(self) -> bool:
        """As the walker's."""
        return bool(self._library.reader.buffer) or self.gathering is not None

    def whole(self, _: bytes) -> bytes | None:
        """There is no short way here."""
        return None

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes; return what they complete. Raises ``FrameViolationError``."""
        self._library.receive_data(data)
        self._library.data_to_send()
        found: list[Frame] = []
        try:
            for event in self._library.events_received():
                assert isinstance(event, TheirFrame)
                found += self._hear(event)
            self._complain()
        except FrameViolationError as violation:
            violation.before = found
            raise
        return found

    def _hear(self, frame: TheirFrame) -> Iterable[Frame]:
        opcode, payload = int(frame.opcode), bytes(frame.data)
        if opcode & 8:
            return [self._frame(opcode, payload)]
        if opcode != CONTINUATION:
            self.gathering = opcode
        self._parts.append(payload)
        if not frame.fin:
            return []
        whole, opcode = b"".join(self._parts), self.gathering or 0
        self.gathering = None
        self._parts.clear()
        if opcode == TEXT:
            self._check_text(whole)
        self.messages += 1
        return [self._frame(opcode, whole)]

    def _frame(self, opcode: int, payload: bytes) -> Frame:
        return Frame(opcode, payload, encode(opcode, payload, _MASK if self.masked else b""))

    def _check_text(self, payload: bytes) -> None:
        try:
            payload.decode()
        except UnicodeDecodeError:
            raise FrameViolationError(INVALID_DATA, "the library's caller cannot decode it") from None

    def _complain(self) -> None:
        problem, sent = self._library.parser_exc, self._library.close_sent
        if problem is not None:
            assert sent is not None
            raise FrameViolationError(TOO_BIG if isinstance(problem, PayloadTooBig) else sent.code, str(problem))


@dataclass(slots=True)
class Reading:
    """What one engine made of a stream: the frames that came out, and the code it closed with, if it did."""

    said: list[tuple[int, bytes]] = field(default_factory=list)
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Parting:
    """The moment at which one engine refuses and the other does not, or for another reason."""

    head: bytes
    """What there is of the frame at fault."""
    ours: int | None
    theirs: int | None
    after: list[tuple[int, bytes]]
    """What the reference heard that the walker did not, or the other way round."""
    unfinished: bool
    """Whether it happened inside a fragmented message."""

    @property
    def opcode(self) -> int:
        """The opcode of the frame at fault."""
        return self.head[0] & 15

    @property
    def control(self) -> bool:
        """Whether the frame at fault is a control frame."""
        return bool(self.opcode & 8)


DIFFERENCES: Final[dict[str, Callable[[Parting], bool]]] = {
    # where the walker is stricter
    "a binary message: OCPP-J is text": lambda at: at.ours == UNSUPPORTED_DATA and at.opcode == BINARY,
    "more fragments than allowed": lambda at: at.ours == POLICY_VIOLATION and at.unfinished,
    "a control frame whose length is written in a long form": lambda at: (
        at.ours == PROTOCOL_ERROR
        and at.theirs in {None, INVALID_DATA}  # the library reads it, and may find another fault in it
        and at.control
        and at.head[1] & 127 > CONTROL_PAYLOAD
    ),
    "a length that is written in more bytes than it needs": lambda at: (
        at.ours == PROTOCOL_ERROR and at.theirs != PROTOCOL_ERROR and not at.control and _is_wide(at.head)
    ),
    # where both refuse, and the walker names the fault that is seen in the first two bytes
    "a frame with a fault in its first bytes that is too big as well": lambda at: (
        at.ours == PROTOCOL_ERROR and at.theirs == TOO_BIG and (at.head[0] & 0x70 != 0 or at.control)
    ),
    # where the library is stricter than the standard
    "a close frame inside an unfinished message": lambda at: (
        at.ours is None and at.theirs == PROTOCOL_ERROR and at.unfinished and at.opcode == CLOSE
    ),
    "a control frame beside a message near its limit": lambda at: (
        at.ours is None and at.theirs == TOO_BIG and at.control
    ),
}
"""All there are, by name."""


def _is_wide(head: bytes) -> bool:
    """Whether a shorter form would hold the length in a head (RFC 6455 5.2); nothing beyond the length is there."""
    form, length = head[1] & 127, int.from_bytes(head[2:])
    return (form == 126 and len(head) == 4 and length < 126) or (form == 127 and len(head) == 10 and length < 1 << 16)


def read(walker: Walker | Reference, chunks: Iterable[bytes]) -> Reading:
    """Let an engine read; the short way is tried first, as the relay does."""
    reading = Reading()
    try:
        for chunk in chunks:
            message = walker.whole(chunk)
            found = [(TEXT, message)] if message is not None else [frame[:2] for frame in walker.feed(chunk)]
            reading.said += found
    except FrameViolationError as violation:
        reading.said += [frame[:2] for frame in violation.before]
        reading.code = violation.code
    return reading


def compare_frames(stream: bytes, *, masked: bool, limit: int, fragments: int) -> str:
    """Hold the walker's reading of a stream against the reference's, byte by byte where they do not agree at once."""
    ours = Walker(masked=masked, limit=limit, fragments=fragments)
    theirs = Reference(masked=masked, limit=limit)
    if read(ours, [stream]) == read(theirs, [stream]):
        return ""
    parting = _part(
        Walker(masked=masked, limit=limit, fragments=fragments), Reference(masked=masked, limit=limit), stream
    )
    if parting is None:
        return ""
    known = [name for name, allows in DIFFERENCES.items() if allows(parting)]
    assert known, f"a difference that is not listed: {parting}"
    return known[0]


def _part(ours: Walker, theirs: Reference, stream: bytes) -> Parting | None:
    """Feed both byte by byte until one refuses; None when the other does so too, once it has the frame whole."""
    for at in range(len(stream)):
        byte = stream[at : at + 1]
        head, unfinished = ours._rest + byte, ours._parts is not None or theirs.gathering is not None
        mine, yours = read(ours, [byte]), read(theirs, [byte])
        if mine.code is not None and yours.code is None and not yours.said:
            yours = _complete(theirs, stream[at + 1 :])
        if mine != yours:
            return Parting(head, mine.code, yours.code, mine.said or yours.said, unfinished)
        if mine.code is not None:
            return None
    return None


def _complete(theirs: Reference, rest: bytes) -> Reading:
    """Let a frame that has begun end, in zeros if the stream has no more, until something is made of it."""
    gathering, parts = theirs.gathering, len(theirs._parts)
    for byte in rest + bytes(theirs.limit + 200):
        reading = read(theirs, [bytes([byte])])
        if reading.code is not None or reading.said or (theirs.gathering, len(theirs._parts)) != (gathering, parts):
            return reading
    return Reading()


# -- the upgrade's head ------------------------------------------------------------------------------------------------


def read_as_library(head: bytes) -> Upgrade | None:
    """What a server of the library's makes of a head; None when it refuses it."""
    reader = StreamReader()
    reader.feed_data(head)
    reader.feed_eof()
    try:
        next(parser := Request.parse(reader.read_line))
        raise AssertionError(f"{parser} waits for more than a whole head")
    except StopIteration as done:
        request: Request = done.value
    except (EOFError, ValueError, NotImplementedError, InvalidHandshake):
        return None
    if bytes(reader.buffer) or ServerProtocol(logger=_QUIET).accept(request).status_code != 101:
        return None
    offered = request.headers.get_all("Sec-WebSocket-Protocol")
    names = tuple(name for value in offered for name in parse_subprotocol(value))
    credentials = request.headers.get_all("Authorization")
    return Upgrade(
        target=request.path,
        key=request.headers["Sec-WebSocket-Key"],
        subprotocols=names,
        authorization=credentials[0] if credentials else None,
        extensions=", ".join(request.headers.get_all("Sec-WebSocket-Extensions")),
    )


STRICTER: Final = {
    "not a GET of HTTP/1.1 that can be read in one way only": "the request line or a field is outside our grammar",
    "host is given twice": "the library does not read Host (its documentation says so)",
    "authorization is given twice": "the library does not read Authorization",
    "content-length is given twice": "the library takes it several times, all of them 0",
    "more than": "we take 100 headers, the library 128",
    "no WebSocket upgrade": "the library does not ask for a Host, and passes over empty items of Upgrade",
}
"""Why a head that the library takes may be refused by us, by the beginning of what we say."""


def compare_heads(head: bytes, headers_limit: int = 100) -> str:
    """Hold our reading of a head against the library's."""
    theirs = read_as_library(head)
    try:
        ours = read_request(head, headers_limit)
    except HeadError as refused:
        return "" if theirs is None else _why_stricter(refused.says)
    assert ours == theirs, f"we read {ours}, the library reads {theirs}: {head!r}"
    return ""


def _why_stricter(says: str) -> str:
    known = [why for start, why in STRICTER.items() if says.startswith(start)]
    assert known, f"the library takes it, and we refuse without a listed reason: {says}"
    return known[0]
