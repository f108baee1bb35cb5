"""Writes DER, the one byte form that every X.509 structure has, as far as certificates, CRLs and OCSP need it.

A handful of functions that return bytes; ``pki.der`` reads.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pki.der import (
    BIT_STRING,
    BOOLEAN,
    GENERALIZED_TIME,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    UTC_TIME,
)

if TYPE_CHECKING:
    import datetime as dt

CONTEXT: Final = 0x80  # the class of tags that mean something in their structure alone
CONSTRUCTED: Final = 0x20
TIMES_MOST: Final = 256  # moments remembered as they are written
_LONG: Final = 0x80  # a length from here on is written in more than one byte (X.690 8.1.3.5)

UTC_YEARS: Final = range(1950, 2050)  # RFC 5280 4.1.2.5: dates in these years are UTCTime, all others GeneralizedTime


def write(tag: int, *contents: bytes) -> bytes:
    """Write one value: its tag, the length of its contents, the contents."""
    content = b"".join(contents)
    if (count := len(content)) < _LONG:  # most are, and all else waits for them
        return bytes((tag, count)) + content
    return bytes((tag,)) + length(count) + content


def length(count: int) -> bytes:
    """Write a length in its shortest form (X.690 10.1)."""
    if count < _LONG:
        return bytes((count,))
    digits = count.to_bytes((count.bit_length() + 7) // 8)
    return bytes((0x80 | len(digits),)) + digits


def sequence(*contents: bytes) -> bytes:
    """Write a SEQUENCE."""
    return write(SEQUENCE, *contents)


def explicit(number: int, *contents: bytes) -> bytes:
    """Write contents behind the context tag ``[number]``, constructed."""
    return write(CONTEXT | CONSTRUCTED | number, *contents)


def integer(value: int) -> bytes:
    """Write an INTEGER of zero or above."""
    return write(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def oid(dotted: str) -> bytes:
    """Write an OBJECT IDENTIFIER (X.690 8.19)."""
    first, second, *rest = map(int, dotted.split("."))
    return write(OBJECT_IDENTIFIER, *map(_base_128, (first * 40 + second, *rest)))


def octets(value: bytes) -> bytes:
    """Write an OCTET STRING."""
    return write(OCTET_STRING, value)


def bits(value: bytes) -> bytes:
    """Write a BIT STRING of whole bytes."""
    return write(BIT_STRING, b"\x00", value)


def generalized_time(moment: dt.datetime) -> bytes:
    """Write a moment, in UTC and whole seconds, as GeneralizedTime (RFC 5280 4.1.2.5.2)."""
    return write(GENERALIZED_TIME, f"{moment:%Y%m%d%H%M%S}Z".rjust(15, "0").encode("ascii"))


@lru_cache(TIMES_MOST)  # certificates of one second begin and end alike
def time(moment: dt.datetime) -> bytes:
    """Write a moment, in UTC and whole seconds, as certificates and CRLs do (RFC 5280 5.1.2.4)."""
    if moment.year not in UTC_YEARS:
        return generalized_time(moment)
    return write(UTC_TIME, f"{moment:%y%m%d%H%M%S}Z".encode("ascii"))


def extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    """Write an X.509 extension around the DER of its value (RFC 5280 4.1)."""
    return sequence(oid(dotted), write(BOOLEAN, b"\xff") if critical else b"", octets(value))


def _base_128(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(0x80 | value & 0x7F)
    return bytes(reversed(digits))
