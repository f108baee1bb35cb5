"""Reads which part of a file a client asks for: one range, or the whole (RFC 9110 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pki.errors import InputError

_SPEC: Final = re.compile(r"[ \t]*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))[ \t]*")


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes ``first`` to ``last`` (inclusive) of a file of ``size`` bytes."""

    first: int
    last: int
    size: int

    @property
    def length(self) -> int:
        """How many bytes these are."""
        return self.last - self.first + 1

    @property
    def is_whole(self) -> bool:
        """Whether this is the whole file."""
        return self.length == self.size


def whole(size: int) -> Span:
    """All of a file that has at least one byte."""
    return Span(0, size - 1, size)


def read_range(headers: list[str], size: int) -> Span:
    """Read the Range header lines of a request for a file of ``size`` (> 0) bytes.

    No header, or a unit other than bytes: the whole (RFC 9110 14.2). Several ranges, or one that is malformed or lies
    outside the file: ``InputError("range.refused")``, as the same section allows; nobody here needs more than one.
    """
    if not headers:
        return whole(size)
    unit, _, spec = headers[0].partition("=")
    if len(headers) == 1 and unit.strip().lower() != "bytes":
        return whole(size)
    match = _SPEC.fullmatch(spec) if len(headers) == 1 else None
    if match is None:
        raise _refused("not one well-formed range of bytes")
    first, last, suffix = match.groups()
    span = _suffix(int(suffix), size) if suffix else Span(int(first), min(int(last or size - 1), size - 1), size)
    if last and int(last) < int(first):
        raise _refused("the range ends before it begins")
    if span.first >= size:
        raise _refused("the range lies outside the file")
    return span


def _suffix(length: int, size: int) -> Span:
    return Span(size - min(length, size), size - 1, size)


def _refused(cause: str) -> InputError:
    return InputError("range.refused", cause, "Ask for one range inside the file, or for the whole.")
