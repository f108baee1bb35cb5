"""Takes a certificate or a revocation list apart into the fields it was written with, byte for byte.

The library that reads certificates tells what they mean; some rules are about how they are written (RFC 5280 4.1, 5.1):
those need the bytes. Nothing is judged here; what is no such thing at all raises ``ValueError``.
"""

from __future__ import annotations

from dataclasses import dataclass
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
    Box,
    dotted,
    read_box,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION: Final = 3  # the only version of certificates with extensions, RFC 5280 4.1.2.1
KEY_USAGE: Final = bytes.fromhex("551d0f")
ANY_POLICY: Final = "2.5.29.32.0"
"""The policy that stands for all, RFC 5280 4.2.1.4."""

_NAME_CONSTRAINTS: Final = bytes.fromhex("551d1e")
_POLICY_MAPPINGS: Final = bytes.fromhex("551d21")
_EXPLICIT_VERSION: Final = 0xA0
_UNIQUE_IDS: Final = frozenset({0x81, 0x82})
_EXTENSIONS: Final = 0xA3
_LIST_EXTENSIONS: Final = 0xA0
_TIMES: Final = frozenset({UTC_TIME, GENERALIZED_TIME})
_TRUE: Final = b"\xff"

_SIGNED_PARTS: Final = 3  # body, algorithm, signature
_PARTS: Final = 6  # serial, algorithm, issuer, validity, subject, key: what no certificate lacks (RFC 5280 4.1)
_LIST_PARTS: Final = 2  # algorithm and issuer (RFC 5280 5.1)
_EXTENSION_PARTS: Final = 2  # type and value
_ENDS: Final = 2  # of a validity


@dataclass(frozen=True, slots=True)
class RawExtension:
    """One extension: its type in DER without tag and length, whether it is critical, and its content in DER."""

    oid: bytes
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a certificate. ``version`` counts from 1; names, key and algorithms are whole boxes in DER."""

    version: int
    serial: bytes
    inner_algorithm: bytes
    outer_algorithm: bytes
    issuer: bytes
    subject: bytes
    times: tuple[Box, Box]
    key: bytes
    has_unique_ids: bool
    extensions: tuple[RawExtension, ...]
    body: bytes
    signature: bytes

    def extension(self, oid: bytes) -> RawExtension | None:
        """Return the extension of this type, or ``None``."""
        return next((found for found in self.extensions if found.oid == oid), None)


@dataclass(frozen=True, slots=True)
class ListFields:
    """The fields of a revocation list. ``entries`` holds the revoked certificates one after the other, unread."""

    version: int
    inner_algorithm: bytes
    outer_algorithm: bytes
    issuer: bytes
    entries: bytes
    body: bytes
    signature: bytes


def read_fields(der: bytes) -> Fields:
    """Take a certificate apart. Raises ``ValueError`` for what is none."""
    body, outer, signature = _signed(der)
    parts = body.boxes()
    version = 1
    if parts and parts[0].tag == _EXPLICIT_VERSION:
        version = int.from_bytes(read_box(parts.pop(0).content).held(INTEGER).content) + 1
    if len(parts) < _PARTS:
        raise ValueError("it has too few fields for a certificate")
    serial, inner, issuer, validity, subject, key, *rest = parts
    begin, end = _times(validity)
    return Fields(
        version=version,
        serial=serial.held(INTEGER).content,
        inner_algorithm=inner.held(SEQUENCE).raw,
        outer_algorithm=outer.raw,
        issuer=issuer.held(SEQUENCE).raw,
        subject=subject.held(SEQUENCE).raw,
        times=(begin, end),
        key=key.held(SEQUENCE).raw,
        has_unique_ids=any(part.tag in _UNIQUE_IDS for part in rest),
        extensions=tuple(_extensions(rest, _EXTENSIONS)),
        body=body.raw,
        signature=signature,
    )


def read_list_fields(der: bytes) -> ListFields:
    """Take a revocation list apart, save for its entries. Raises ``ValueError`` for what is none."""
    body, outer, signature = _signed(der)
    parts = body.boxes()
    version = 1
    if parts and parts[0].tag == INTEGER:
        version = int.from_bytes(parts.pop(0).content) + 1
    if len(parts) < _LIST_PARTS:
        raise ValueError("it has too few fields for a revocation list")
    inner, issuer, *rest = parts
    listed = [part for part in rest if part.tag not in _TIMES and part.tag != _LIST_EXTENSIONS]
    return ListFields(
        version=version,
        inner_algorithm=inner.held(SEQUENCE).raw,
        outer_algorithm=outer.raw,
        issuer=issuer.held(SEQUENCE).raw,
        entries=listed[0].held(SEQUENCE).content if listed else b"",
        body=body.raw,
        signature=signature,
    )


def read_extension(box: Box) -> RawExtension:
    """Read one extension. Raises ``ValueError``."""
    parts = box.held(SEQUENCE).boxes()
    if len(parts) < _EXTENSION_PARTS:
        raise ValueError("an extension without a value")
    oid, *flag, value = parts
    critical = bool(flag) and flag[0].held(BOOLEAN).content == _TRUE
    return RawExtension(oid.held(OBJECT_IDENTIFIER).content, critical, value.held(OCTET_STRING).content)


def read_mappings(fields: Fields) -> tuple[tuple[str, str], ...] | None:
    """Read the policy mappings (RFC 5280 4.2.1.5): the issuer's policy, the subject's. Raises ``ValueError``."""
    found = fields.extension(_POLICY_MAPPINGS)
    if found is None:
        return None
    pairs = [pair.held(SEQUENCE).boxes() for pair in read_box(found.value).held(SEQUENCE).boxes()]
    return tuple((dotted(issuer), dotted(subject)) for issuer, subject in pairs)


def check_subtrees(fields: Fields) -> None:
    """Raise ``ValueError`` where a name constraint has a minimum or maximum, which nothing may (RFC 5280 4.2.1.10)."""
    found = fields.extension(_NAME_CONSTRAINTS)
    for side in read_box(found.value).held(SEQUENCE).boxes() if found else ():
        trees = side.boxes()
        if not trees or any(len(tree.held(SEQUENCE).boxes()) != 1 for tree in trees):
            raise ValueError("a name constraint with a minimum or a maximum, or with nothing in it")


def _signed(der: bytes) -> tuple[Box, Box, bytes]:
    parts = read_box(der).held(SEQUENCE).boxes()
    if len(parts) != _SIGNED_PARTS:
        raise ValueError("it is no body with an algorithm and a signature")
    body, outer, signature = parts
    if not signature.held(BIT_STRING).content.startswith(b"\0"):
        raise ValueError("a signature that is not made of whole bytes")
    return body.held(SEQUENCE), outer.held(SEQUENCE), signature.content[1:]


def _times(validity: Box) -> tuple[Box, Box]:
    times = validity.held(SEQUENCE).boxes()
    if len(times) != _ENDS:
        raise ValueError("a validity without its two times")
    return times[0], times[1]


def _extensions(parts: Sequence[Box], tag: int) -> list[RawExtension]:
    holders = [part for part in parts if part.tag == tag]
    return [read_extension(box) for holder in holders for box in read_box(holder.content).held(SEQUENCE).boxes()]
