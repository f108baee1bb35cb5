"""Compares the names that certificates are issued to and by, as RFC 5280 7.1 asks, and never more loosely.

Texts in the two modern forms (PrintableString, UTF8String) are equal whatever their capitals and however many blanks
stand between words; all other values are equal byte for byte. Only where a name is *forbidden* is it compared broadly:
any way to write the same text is then the same name, so that no other spelling slips through.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from pki.der import IA5_STRING, OBJECT_IDENTIFIER, PRINTABLE_STRING, SEQUENCE, SET, UTF8_STRING, Box, read_box

Attribute: TypeAlias = tuple[bytes, str, bytes | str]
"""A type of attribute, how its value is written, and the value in the form that is compared."""

DistinguishedName: TypeAlias = tuple[tuple[Attribute, ...], ...]
"""A name in the form that is compared: its parts from the widest to the narrowest."""

_DOMAIN_COMPONENT: Final = bytes.fromhex("0992268993f22c640119")
_LOWER: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_TEXTS: Final = {UTF8_STRING: "utf-8", PRINTABLE_STRING: "ascii"}
_ALL_TEXTS: Final = _TEXTS | {IA5_STRING: "ascii", 0x14: "latin-1", 0x1A: "ascii", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}


def compared(name: bytes, *, broadly: bool = False) -> DistinguishedName:
    """Return a name, given in DER, in the form that is compared. Raises ``ValueError``."""
    parts = read_box(name).held(SEQUENCE).boxes()
    return tuple(tuple(sorted(_attributes(part, broadly=broadly), key=repr)) for part in parts)


def is_within(name: DistinguishedName, above: DistinguishedName) -> bool:
    """Tell whether a name begins with all parts of another (RFC 5280 4.2.1.10); both compared in the same way."""
    return name[: len(above)] == above


def _attributes(part: Box, *, broadly: bool) -> list[Attribute]:
    found = []
    for pair in part.held(SET).boxes():
        kind, value = pair.held(SEQUENCE).boxes()
        found.append(_attribute(kind.held(OBJECT_IDENTIFIER).content, value, broadly=broadly))
    if not found:
        raise ValueError("a part of a name is empty")
    return found


def _attribute(kind: bytes, value: Box, *, broadly: bool) -> Attribute:
    if broadly and value.tag in _ALL_TEXTS:
        return kind, "text", " ".join(value.content.decode(_ALL_TEXTS[value.tag]).casefold().split())
    if value.tag in _TEXTS:
        return kind, "text", _folded(value.content.decode(_TEXTS[value.tag]))
    if kind == _DOMAIN_COMPONENT and value.tag == IA5_STRING:
        return kind, "domain", value.content.decode("ascii").translate(_LOWER)
    return kind, f"{value.tag:02x}", value.content


def _folded(text: str) -> str:
    """Fold ASCII capitals and runs of blanks, as every reader of the RFC agrees on; other letters stay as they are."""
    return " ".join(part for part in text.translate(_LOWER).split(" ") if part)
