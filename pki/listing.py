"""Writes certificate revocation lists: the exact bytes to be signed, and the signed list.

A list may hold a million entries, so it is written entry by entry into one buffer; nothing is copied twice. The bytes
are the same that a library's builder would make, which the tests hold against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509

from pki import encode
from pki.certificate import extension
from pki.der import ENUMERATED
from pki.errors import RefusedError
from pki.revocation import Reason
from pki.signature import algorithm, sign
from pki.strength import Padding

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from pki.strength import SigningKey

CRL_REASON, AUTHORITY_KEY, CRL_NUMBER, PLACE = "2.5.29.21", "2.5.29.35", "2.5.29.20", "2.5.29.28"
VERSION_2: Final = encode.integer(1)  # RFC 5280 5.1.2.1
URI: Final = 0x86  # [6] IMPLICIT IA5String in a GeneralName (RFC 5280 4.2.1.6)

_CODES: Final = {
    Reason.KEY_COMPROMISE: 1,
    Reason.CA_COMPROMISE: 2,
    Reason.AFFILIATION_CHANGED: 3,
    Reason.SUPERSEDED: 4,
    Reason.CESSATION_OF_OPERATION: 5,
    Reason.CERTIFICATE_HOLD: 6,
    Reason.PRIVILEGE_WITHDRAWN: 9,
    Reason.AA_COMPROMISE: 10,
}
"""RFC 5280 5.3.1. An unspecified reason is left out, as it asks."""


class Revoked(NamedTuple):
    """One certificate that is not to be trusted: since when (UTC, whole seconds), and why."""

    serial: int
    since: dt.datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Frame:
    """All of a list but its entries. ``urls`` are where this shard lies; none: the list is about every certificate."""

    issuer: x509.Certificate
    number: int
    this_update: dt.datetime
    next_update: dt.datetime
    urls: tuple[str, ...] = ()
    padding: Padding = Padding.PKCS1
    """How the issuer's key signs, if it is RSA."""


def code(reason: Reason) -> int | None:
    """Return the number that CRLs and OCSP write for a reason; ``None`` for the one that is left out."""
    return _CODES.get(reason)


def write_tbs(frame: Frame, entries: Iterable[Revoked]) -> tuple[bytes, int]:
    """Write the bytes to be signed (RFC 5280 5.1); return them and how many entries there are."""
    body, count = _write_entries(entries)
    parts = [
        VERSION_2,
        algorithm(frame.issuer.public_key(), frame.padding),
        frame.issuer.subject.public_bytes(),
        encode.time(frame.this_update),
        encode.time(frame.next_update),
        *((b"\x30", encode.length(len(body)), body) if count else ()),  # an empty list is left out, RFC 5280 5.1.2.6
        encode.explicit(0, encode.sequence(*_extensions(frame))),
    ]
    return encode.sequence(*parts), count


def seal(tbs: bytes, issuer: x509.Certificate, key: SigningKey, padding: Padding = Padding.PKCS1) -> bytes:
    """Sign a list. Raises ``RefusedError("crl.key")`` for a key that is not the issuer's."""
    if key.public_key() != issuer.public_key():
        raise RefusedError(
            "crl.key", "the key at hand is not the one in the issuer's certificate", "Restore the issuer's key."
        )
    return encode.sequence(tbs, algorithm(issuer.public_key(), padding), encode.bits(sign(key, tbs, padding)))


def _write_entries(entries: Iterable[Revoked]) -> tuple[bytearray, int]:
    """Write the entries one after the other: this loop is the million, so it calls nothing that it can avoid."""
    tails = {reason: _reason(reason) for reason in Reason}
    dates: dict[dt.datetime, bytes] = {}
    body, count = bytearray(), 0
    for serial, since, reason in entries:
        size = serial.bit_length() // 8 + 1
        date = dates.get(since)
        if date is None:
            date = dates[since] = encode.time(since)
        tail = tails[reason]
        body += bytes((0x30, size + 2 + len(date) + len(tail), 0x02, size))
        body += serial.to_bytes(size)
        body += date
        body += tail
        count += 1
        if len(dates) > _DATES:
            dates.clear()
    return body, count


_DATES: Final = 10_000  # moments remembered as DER at most; revocations come in bursts of one second


def _reason(reason: Reason) -> bytes:
    number = code(reason)
    if number is None:
        return b""
    return encode.sequence(encode.extension(CRL_REASON, encode.write(ENUMERATED, bytes((number,)))))


def _extensions(frame: Frame) -> list[bytes]:
    """The issuer's key, the number, and, critical, which certificates it is about (RFC 5280 5.2.1, .3, .5)."""
    found = [
        encode.extension(AUTHORITY_KEY, encode.sequence(encode.write(encode.CONTEXT, key_identifier(frame.issuer)))),
        encode.extension(CRL_NUMBER, encode.integer(frame.number)),
    ]
    if frame.urls:
        names = encode.explicit(0, *(encode.write(URI, url.encode("ascii")) for url in frame.urls))
        found.append(encode.extension(PLACE, encode.sequence(encode.explicit(0, names)), critical=True))
    return found


def key_identifier(issuer: x509.Certificate) -> bytes:
    """Return what certificates below an issuer call its key (RFC 5280 4.2.1.1)."""
    own = extension(issuer, x509.SubjectKeyIdentifier)
    return own.value.digest if own else x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest
