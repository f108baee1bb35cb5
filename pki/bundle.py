"""Reads certificates and revocation lists out of what people hand over: PEM with or without text around it, or DER.

A file that holds none, or a private key, is an error of whoever gave it. One that holds a certificate which is not
written as one is something else: it is told, and whoever judges decides what it means that it is left out. Sizes and
numbers are bounded before anything is read.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509

from pki.crl import RevocationList
from pki.der import SEQUENCE, header, read_box
from pki.errors import InputError
from pki.fields import read_fields
from pki.paper import Paper
from pki.unreadable import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

CERTIFICATE_BYTES_MOST: Final = 262_144  # bytes of one certificate in DER; honest ones have one or two thousand
CERTIFICATES_MOST: Final = 1024  # in one file; above any list of trusted roots
LISTS_MOST: Final = 64  # revocation lists in one file

_CERTIFICATES: Final = (b"CERTIFICATE", b"X509 CERTIFICATE")
_LISTS: Final = (b"X509 CRL", b"CRL")
_LONG_BOX: Final = re.compile(rb"\x30[\x81-\x84]")  # how DER of more than 127 bytes begins, and no text does
_LABEL: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_ADVICE: Final = "Give certificates and revocation lists in PEM or DER; 'openssl x509' and 'openssl crl' show files."


@dataclass(frozen=True, slots=True)
class Bundle:
    """The certificates of a file, in order, and why each of the others in it is none. ``first`` is the first of all."""

    certificates: tuple[x509.Certificate, ...]
    malformed: tuple[str, ...]
    first: x509.Certificate | None


def read_bundle(content: bytes) -> Bundle:
    """Read a file of certificates. Raises ``InputError("certificate.unreadable")`` when it holds none at all."""
    blocks = _blocks(content, _CERTIFICATES, "certificate.unreadable", CERTIFICATES_MOST)
    read = [_read_certificate(der) for der in blocks]
    certificates = tuple(each for each in read if isinstance(each, x509.Certificate))
    first = read[0] if isinstance(read[0], x509.Certificate) else None
    return Bundle(certificates, tuple(each for each in read if isinstance(each, str)), first)


def read_lists(content: bytes) -> tuple[tuple[RevocationList, ...], tuple[str, ...]]:
    """Read a file of revocation lists: those in it, and why others are none. Raises ``InputError``."""
    lists, malformed = [], []
    for der in _blocks(content, _LISTS, "crl.unreadable", LISTS_MOST):
        try:
            lists.append(RevocationList.read(der))
        except ValueError as unreadable:
            malformed.append(_cut(unreadable))
    return tuple(lists), tuple(malformed)


def _read_certificate(der: bytes) -> x509.Certificate | str:
    """Read one certificate to its last field, or say why it is none."""
    if len(der) > CERTIFICATE_BYTES_MOST:
        return f"it has {len(der)} bytes; {CERTIFICATE_BYTES_MOST} are the most"
    try:
        serial = read_fields(der).serial
        if not serial or serial[0] & 0x80 or not any(serial):
            return "its serial number is not positive (RFC 5280 4.1.2.2)"
        certificate = x509.load_der_x509_certificate(der)
        Paper.read(certificate)
    except UNREADABLE as unreadable:
        return _cut(unreadable)
    return certificate


def _cut(unreadable: Exception) -> str:
    return repr(str(unreadable)[:160])


def _blocks(content: bytes, labels: tuple[bytes, ...], code: str, most: int) -> list[bytes]:
    if _is_box(content):
        return [content]
    blocks = list(_pem_blocks(content, labels, code, most))
    if not blocks and _begins_with_box(content):
        return [content]  # with bytes behind it: DER all the same, and malformed as it would be in PEM
    if not blocks:
        raise InputError(code, "there is nothing in it that could be read", _ADVICE)
    return blocks


def _is_box(content: bytes) -> bool:
    try:
        return read_box(content).tag == SEQUENCE
    except ValueError:
        return False


def _begins_with_box(content: bytes) -> bool:
    try:
        return bool(_LONG_BOX.match(content)) and header(content, 0)[1] < len(content)
    except ValueError:
        return False


def _pem_blocks(content: bytes, labels: tuple[bytes, ...], code: str, most: int) -> Iterator[bytes]:
    """Yield what stands between the lines of each block; text around them is allowed (RFC 7468 5.2)."""
    at, count = 0, 0
    while found := _LABEL.search(content, at):
        label, closing = found[1], b"-----END " + found[1] + b"-----"
        end = content.find(closing, found.end())
        _check(label, labels, code, is_closed=end >= 0)
        yield _decoded(content[found.end() : end], code)
        at, count = end + len(closing), count + 1
        if count > most:
            raise InputError(code, f"more than {most} in one file", _ADVICE)


def _check(label: bytes, labels: tuple[bytes, ...], code: str, *, is_closed: bool) -> None:
    if b"PRIVATE KEY" in label:
        raise InputError(code, "a private key lies in it", "Take it out of the file, and keep it where it belongs.")
    if label not in labels or not is_closed:
        says = f"a block {label.decode('ascii')!r} that is not closed, or is not {labels[0].decode('ascii')!r}"
        raise InputError(code, says, _ADVICE)


def _decoded(text: bytes, code: str) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        raise InputError(code, "its base64 is broken", _ADVICE) from None
