"""Compares the names that certificates are issued to and by, as RFC 5280 7.1 asks, and never more loosely.

Texts in the two modern forms (PrintableString, UTF8String) are equal whatever their capitals and however many blanks
stand between words; texts in other forms are equal byte for byte, and what is no text makes no name (X.520). Only where
a name is *forbidden* is it compared broadly: any way to write the same text is then the same name, with whatever a
reader would not see left out (RFC 4518 2), so that no other spelling slips through.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final, TypeAlias

from pki.der import (
    BIT_STRING,
    IA5_STRING,
    NUMERIC_STRING,
    OBJECT_IDENTIFIER,
    PRINTABLE_STRING,
    SEQUENCE,
    SET,
    UTF8_STRING,
    Box,
    read_box,
)

Attribute: TypeAlias = tuple[bytes, str, bytes | str]
"""A type of attribute, how its value is written, and the value in the form that is compared."""

DistinguishedName: TypeAlias = tuple[tuple[Attribute, ...], ...]
"""A name in the form that is compared: its parts from the widest to the narrowest."""

Plain: TypeAlias = tuple[tuple[bytes, str], ...]
"""The attributes of a plain name in order: type, as ``COMMON_NAME``, and text."""

COMMON_NAME: Final = bytes.fromhex("550403")
ORGANISATION: Final = bytes.fromhex("55040a")
PLAIN_MOST: Final = 256  # names remembered; a plain one has less than 130 bytes
DIRECTORY_STRINGS: Final = {
    UTF8_STRING: "utf-8",
    PRINTABLE_STRING: "ascii",
    0x14: "latin-1",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
"""The forms that text in a name has, if its attribute does not say otherwise (RFC 5280 A.1), and how each is read."""

_DOMAIN_COMPONENT: Final = bytes.fromhex("0992268993f22c640119")
_UNIQUE_IDENTIFIER: Final = bytes.fromhex("55042d")  # the one attribute here that is no text but bits, X.520 6.2.10
_PLAIN: Final = b"\x31%c\x30%c\x06\x03\x55\x04%b\x0c%c"
"""How a part of a plain name begins: a set, an attribute in it, its type, a UTF8String."""
_TYPE, _LENGTH, _TEXT = 8, 10, 11  # where in it the type's last byte stands, the text's length, the text
_PLAIN_KINDS: Final = {kind[-1:]: kind for kind in (COMMON_NAME, ORGANISATION)}
_PLAIN_LENGTH: Final = 64  # characters; ub-common-name and ub-organization-name, RFC 5280 A.1
_PRINTABLE: Final = re.compile(rb"[ -~]+").fullmatch
_SHORT: Final = {COMMON_NAME: "CN", ORGANISATION: "O"}
_UNESCAPED: Final = re.compile("[A-Za-z0-9._-]+(?: [A-Za-z0-9._-]+)*").fullmatch
_LONG: Final = 0x80  # a length from here on is written in more than one byte
_LOWER: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_TEXTS: Final = {UTF8_STRING: "utf-8", PRINTABLE_STRING: "ascii"}
_ALL_TEXTS: Final = DIRECTORY_STRINGS | {IA5_STRING: "ascii", NUMERIC_STRING: "ascii"}
_UNSEEN: Final = frozenset({"Cc", "Cf"})  # categories of Unicode: controls, and what only steers how text is shown
_SELECTORS: Final = (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))  # of variants of a letter
_UNKNOWN: Final = frozenset({"Cn", "Co", "Cs"})  # not assigned, private: nobody can say what they look like


def compared(name: bytes, *, broadly: bool = False) -> DistinguishedName:
    """Return a name, given in DER, in the form that is compared. Raises ``ValueError``."""
    parts = read_box(name).held(SEQUENCE).boxes()
    return tuple(tuple(sorted(_attributes(part, broadly=broadly), key=repr)) for part in parts)


@lru_cache(PLAIN_MOST)  # a station's name stands in its request and in its certificate, an authority's in thousands
def read_plain(name: bytes) -> Plain | None:
    """Return the attributes of a name, in DER, where it is as plain as almost all are; ``None`` for any other.

    Plain is: one attribute a part, organisations and common names alone, each 1 to 64 printable ASCII characters in a
    UTF8String. There is one way to read that, and nothing about it can be wrong. Never raises.
    """
    found, at, end = [], 2, len(name)
    if not at < end < _LONG or name[:at] != bytes((SEQUENCE, end - at)):
        return None
    while at < end:
        kind, count = name[at + _TYPE : at + _TYPE + 1], ord(name[at + _LENGTH : at + _LENGTH + 1] or b"\0")
        text, at_text = name[at + _TEXT : at + _TEXT + count], at + _TEXT
        if kind not in _PLAIN_KINDS or count > _PLAIN_LENGTH or len(text) != count or not _PRINTABLE(text):
            return None
        if name[at:at_text] != _PLAIN % (count + 9, count + 7, kind, count):
            return None
        found.append((_PLAIN_KINDS[kind], text.decode("ascii")))
        at = at_text + count
    return tuple(found)


def write_plain(attributes: Plain) -> bytes | None:
    """Write a plain name; ``None`` where these attributes make none."""
    parts = [SEQUENCE, 0]
    for kind, text in attributes:
        count = len(text)
        if count > _PLAIN_LENGTH or not text.isascii():
            return None
        parts += _PLAIN % (count + 9, count + 7, kind[-1:], count) + text.encode("ascii")
    if len(parts) >= _LONG:
        return None
    parts[1] = len(parts) - 2
    written = bytes(parts)
    return written if read_plain(written) == attributes else None


def plain_text(attributes: Plain) -> str | None:
    """Return a plain name as RFC 4514 writes it; ``None`` where a character of it may have to be escaped."""
    if not all(_UNESCAPED(text) for _, text in attributes):
        return None
    return ",".join(f"{_SHORT[kind]}={text}" for kind, text in reversed(attributes))


def is_within(name: DistinguishedName, above: DistinguishedName) -> bool:
    """Tell whether a name begins with all parts of another (RFC 5280 4.2.1.10); both compared in the same way."""
    return name[: len(above)] == above


def forms_of(name: bytes, kind: bytes) -> tuple[int, ...]:
    """Return how the values of one type of attribute are written in a name, as tags of DER. Raises ``ValueError``."""
    parts = read_box(name).held(SEQUENCE).boxes()
    pairs = (pair.held(SEQUENCE).boxes() for part in parts for pair in part.held(SET).boxes())
    return tuple(value.tag for oid, value in pairs if oid.held(OBJECT_IDENTIFIER).content == kind)


def _attributes(part: Box, *, broadly: bool) -> list[Attribute]:
    found = []
    for pair in part.held(SET).boxes():
        kind, value = pair.held(SEQUENCE).boxes()
        found.append(_attribute(kind.held(OBJECT_IDENTIFIER).content, value, broadly=broadly))
    if not found:
        raise ValueError("a part of a name is empty")
    return found


def _attribute(kind: bytes, value: Box, *, broadly: bool) -> Attribute:
    if value.tag not in _ALL_TEXTS and (kind, value.tag) != (_UNIQUE_IDENTIFIER, BIT_STRING):
        raise ValueError(f"a value of a name is no text, but of the kind {value.tag:#04x}")
    if broadly and value.tag in _ALL_TEXTS:
        return kind, "text", _prepared(value.content.decode(_ALL_TEXTS[value.tag]))
    if value.tag in _TEXTS:
        return kind, "text", _folded(value.content.decode(_TEXTS[value.tag]))
    if kind == _DOMAIN_COMPONENT and value.tag == IA5_STRING:
        return kind, "domain", value.content.decode("ascii").translate(_LOWER)
    return kind, f"{value.tag:02x}", value.content


def _folded(text: str) -> str:
    """Fold ASCII capitals and runs of blanks, as every reader of the RFC agrees on; other letters stay as they are."""
    return " ".join(part for part in text.translate(_LOWER).split(" ") if part)


def _prepared(text: str) -> str:
    """Prepare text so that all ways to write what looks the same are one (RFC 4518 2). Raises ``ValueError``."""
    plain = unicodedata.normalize("NFKC", _seen(unicodedata.normalize("NFKC", text)).casefold())
    if any(unicodedata.category(each) in _UNKNOWN or each == "\ufffd" for each in plain):
        raise ValueError("a text that cannot be compared with another (RFC 4518 2.4)")
    return " ".join(plain.split())


def _seen(text: str) -> str:
    """Leave out what no reader sees, save for blanks of any kind."""
    return "".join(
        each for each in text if each.isspace() or not (unicodedata.category(each) in _UNSEEN or _selects(each))
    )


def _selects(each: str) -> bool:
    return each in "\u034f\ufffc" or any(ord(each) in span for span in _SELECTORS)
