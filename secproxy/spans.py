"""What became of an arrival and how long its steps took, as spans of a trace, and where spans wait to be sent.

Rules this file keeps:

* Of whoever came, a span holds what a security event says of him and no more; every text is cut, and made printable,
  both where it is made and where it is read again.
* What waits is bounded in bytes. The spans of one trace are kept together or not at all.
"""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from secproxy.events import NAME_LENGTH, TEXT_LENGTH, Value, written_out

if TYPE_CHECKING:
    from collections.abc import Sequence

EVIDENCE: Final = "trace_id"  # the evidence of an event that names the trace it belongs to
SPAN_BYTES: Final = 16 * 1024  # bytes of one span as it is written; ours have about 400
FACTS_MOST: Final = 16  # facts of one span; ours have at most eight

TraceId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}\\Z")]
SpanId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16}\\Z")]
Nanoseconds = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Role(IntEnum):
    """Whose work a span tells of: our own, that of answering somebody, that of asking somebody (OTLP's numbers)."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


class Span(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step: since 1970 in nanoseconds, ``parent`` the span it belongs to, ``failed`` the cause when it failed."""

    trace: TraceId
    id: SpanId
    parent: SpanId | None = None
    name: str
    role: Role = Role.INTERNAL
    begin: Nanoseconds
    end: Nanoseconds
    failed: str = ""
    facts: dict[str, Value] = {}

    def __post_init__(self) -> None:
        for name in ("name", "failed"):
            msgspec.structs.force_setattr(self, name, written_out(getattr(self, name), NAME_LENGTH))
        facts = list(self.facts.items())[:FACTS_MOST]
        plain = {written_out(name, NAME_LENGTH): _plain(value) for name, value in facts}
        msgspec.structs.force_setattr(self, "facts", plain)  # before anybody has seen it


_decoder = msgspec.json.Decoder(Span)


def write_span(span: Span) -> bytes:
    """Write a span as one JSON object, without a line end."""
    return msgspec.json.encode(span)


def read_span(text: bytes) -> Span:
    """Read what ``write_span`` wrote; ``ValueError`` when it is no span."""
    return _decoder.decode(text)


def write_traceparent(trace: str, span: str, *, sampled: bool) -> str:
    """Write the header by which whoever is asked goes on with a trace (W3C Trace Context 3.2)."""
    return f"00-{trace}-{span}-{sampled:02x}"


class Waiting:
    """Spans, as they are written, that wait in memory: ``most`` bytes of them, in the order in which they came."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._spans: deque[bytes] = deque()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._spans)

    def put(self, spans: Sequence[bytes]) -> int:
        """Keep them all, or none where there is no room or one is too long; return how many were not kept."""
        size = sum(map(_size, spans))
        if self._bytes + size > self._most or any(len(each) > SPAN_BYTES for each in spans):
            return len(spans)
        self._spans.extend(spans)
        self._bytes += size
        return 0

    def take(self, most: int) -> list[bytes]:
        """Take out the first ones: so many bytes of them, and of what parts them in a list; ``SPAN_BYTES`` or more."""
        taken: list[bytes] = []
        size = 0
        while self._spans and size + _size(self._spans[0]) <= most:
            taken.append(self._spans.popleft())
            size += _size(taken[-1])
        self._bytes -= size
        return taken


def _size(span: bytes) -> int:
    return len(span) + 1


def _plain(value: Value) -> Value:
    return written_out(value, TEXT_LENGTH) if isinstance(value, str) else value
