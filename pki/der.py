"""Reads DER, the form of nested boxes that certificates are written in, one box at a time.

Only what DER allows is read: one way to write each length, none left open, tags of one byte. Anything else raises
``ValueError``, and so does a box that is longer than what holds it. Contents are not interpreted here.
"""

from __future__ import annotations

from typing import Final, NamedTuple

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
ENUMERATED: Final = 0x0A
UTF8_STRING: Final = 0x0C
NUMERIC_STRING: Final = 0x12
PRINTABLE_STRING: Final = 0x13
IA5_STRING: Final = 0x16
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

_LONG: Final = 0x80  # a length from here on is written in more than one byte
_LENGTH_BYTES_MOST: Final = 4  # of a length in the long form; 4 GiB is more than anything here may have


class Box(NamedTuple):
    """One box: its tag, what is in it, and ``raw``, the whole of it as it came."""

    tag: int
    content: bytes
    raw: bytes

    def boxes(self) -> list[Box]:
        """Return the boxes inside, in order. Raises ``ValueError``."""
        return read_boxes(self.content)

    def held(self, tag: int) -> Box:
        """Return this box where it carries ``tag``. Raises ``ValueError``."""
        if self.tag != tag:
            raise ValueError(f"a box {self.tag:#04x} where {tag:#04x} is due")
        return self


def read_box(der: bytes) -> Box:
    """Read exactly one box, with nothing after it. Raises ``ValueError``."""
    begin, end = header(der, 0)
    if end != len(der):
        raise ValueError("bytes follow where none are due")
    return Box(der[0], der[begin:end], der)


def read_boxes(content: bytes) -> list[Box]:
    """Read boxes until the end. Raises ``ValueError``."""
    found, at, end = [], 0, len(content)
    while at < end:
        length = content[at + 1] if at + 1 < end else _LONG
        begin, after = at + 2, at + 2 + length
        if length >= _LONG or after > end or content[at] & 0x1F == 0x1F:
            begin, after = header(content, at)  # what is longer, and what is wrong
        # a box by way of its class costs as much again as all that is done here
        found.append(tuple.__new__(Box, (content[at], content[begin:after], content[at:after])))
        at = after
    return found


def dotted(box: Box) -> str:
    """Write an object identifier as people do. Raises ``ValueError``."""
    content = box.held(OBJECT_IDENTIFIER).content
    if not content or content[-1] & 0x80:
        raise ValueError("an object identifier that does not end")
    numbers, number = [], 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def header(der: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the box at ``at`` begins and ends. Raises ``ValueError``."""
    if at + 2 > len(der) or der[at] & 0x1F == 0x1F:
        raise ValueError("no box begins here")
    begin, length = at + 2, der[at + 1]
    if length >= _LONG:
        begin, length = _long(der, begin, length & 0x7F)
    if begin + length > len(der):
        raise ValueError("a box is longer than what holds it")
    return begin, begin + length


def _long(der: bytes, at: int, count: int) -> tuple[int, int]:
    """Read a length in the long form, of so many bytes; return where the content begins, and the length."""
    begin = at + count
    length = int.from_bytes(der[at:begin])
    if not 1 <= count <= _LENGTH_BYTES_MOST or length < max(_LONG, 1 << 8 * (count - 1)):
        raise ValueError("a length that is not in its shortest form")
    return begin, length
