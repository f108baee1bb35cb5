"""Reads questions about single certificates and writes the answers, in the form of RFC 6960.

* A question is read strictly: its bytes come from strangers, and one byte sequence has one meaning.
* One question may name several certificates of one issuer; each is answered, in order. Certificates of several issuers
  in one question are not: no one signer may speak for two issuers (RFC 6960 4.2.2.2).
* An issuer is known by the hash of its name and of its key under SHA-1, -256, -384 and -512: OCPP names certificates by
  the last three, today's clients by the first.
* A nonce of 1 to 128 octets is given back; any other is a malformed request (RFC 9654 2.1).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import encode
from pki.der import BOOLEAN, ENUMERATED, INTEGER, NULL, OCTET_STRING, SEQUENCE, Box, dotted, read_box
from pki.errors import InputError, RefusedError
from pki.listing import code
from pki.names import CERTIFICATE_SERIAL_BITS
from pki.revocation import Reason
from pki.signature import algorithm, sign
from pki.strength import HASHES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from cryptography import x509

    from pki.strength import SigningKey

REQUEST_LENGTH: Final = 4_096  # bytes; twenty certificates and a nonce have half of it
CERTIFICATES_MOST: Final = 20  # in one question; a chain has four
NONCE_LENGTHS: Final = range(1, 129)  # octets; RFC 9654 2.1

NONCE: Final = "1.3.6.1.5.5.7.48.1.2"
BASIC: Final = encode.oid("1.3.6.1.5.5.7.48.1.1")

_BY_OID: Final = {oid: name for name, oid in HASHES.items()}
_NULL: Final = encode.write(NULL)
_TRUE: Final = read_box(encode.write(BOOLEAN, b"\xff"))


class Trouble(IntEnum):
    """Why there is no answer (RFC 6960 4.2.1); these are not signed."""

    MALFORMED = 1
    INTERNAL = 2
    TRY_LATER = 3
    UNAUTHORIZED = 6
    """Of this issuer we know nothing (RFC 5019 2.2.3)."""


@dataclass(frozen=True, slots=True)
class CertId:
    """Which certificate is meant. ``whole`` is the DER as it came: an answer has to repeat it."""

    whole: bytes
    algorithm: str
    name_hash: bytes
    key_hash: bytes
    serial: int

    @property
    def issuer(self) -> IssuerId:
        """How the issuer is named."""
        return self.algorithm, self.name_hash, self.key_hash


IssuerId = tuple[str, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: one certificate or several, and a nonce or none."""

    certificates: tuple[CertId, ...]
    nonce: bytes | None = None

    @property
    def is_plain(self) -> bool:
        """Whether one answer serves everybody who asks so."""
        return self.nonce is None and len(self.certificates) == 1


@dataclass(frozen=True, slots=True)
class Standing:
    """How a certificate of ours stands: good, or revoked since a moment for a reason."""

    revoked: dt.datetime | None = None
    reason: Reason = Reason.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Times:
    """From when and until when an answer counts, and when it was made; UTC, whole seconds."""

    this_update: dt.datetime
    next_update: dt.datetime


def read_question(request: bytes) -> Question:
    """Read an OCSPRequest. Raises ``InputError("ocsp.malformed")``; a signature on it is not looked at."""
    if len(request) > REQUEST_LENGTH:
        raise _malformed(f"it has {len(request)} bytes; {REQUEST_LENGTH} are the most")
    try:
        tbs, *signature = read_box(request).held(SEQUENCE).boxes()
        _only(signature, 0)
        return _read_tbs(tbs.held(SEQUENCE).boxes())
    except ValueError as problem:
        raise _malformed(str(problem)) from None


def index(issuers: Iterable[x509.Certificate]) -> dict[IssuerId, x509.Certificate]:
    """Return issuers by all the names that a question may give them."""
    return {identify(name, issuer): issuer for issuer in issuers for name in HASHES}


def identify(name: str, issuer: x509.Certificate) -> IssuerId:
    """Name an issuer under one hash: that of its name, and that of its key's bits (RFC 6960 4.1.1)."""
    return (
        name,
        hashlib.new(name, issuer.subject.public_bytes(), usedforsecurity=False).digest(),
        hashlib.new(name, key_bits(issuer), usedforsecurity=False).digest(),
    )


def key_bits(certificate: x509.Certificate) -> bytes:
    """Return the bits of the key, without tag, length and unused bits (RFC 6960 4.1.1)."""
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    _, bits = read_box(spki).boxes()
    return bits.content[1:]


def write_cert_id(issuer: IssuerId, serial: int) -> bytes:
    """Write a CertID as most clients do, with NULL for the hash's parameters."""
    name, name_hash, key_hash = issuer
    hashed = encode.sequence(encode.oid(HASHES[name]), _NULL)
    return encode.sequence(hashed, encode.octets(name_hash), encode.octets(key_hash), encode.integer(serial))


def write_tbs(
    signer: x509.Certificate, answers: Sequence[tuple[bytes, Standing | None]], times: Times, nonce: bytes | None = None
) -> bytes:
    """Write the ResponseData to be signed: for each CertID how it stands, ``None`` for one never issued."""
    singles = [_single(cert_id, standing, times) for cert_id, standing in answers]
    extensions = encode.sequence(encode.extension(NONCE, encode.octets(nonce))) if nonce is not None else b""
    return encode.sequence(
        encode.explicit(2, encode.octets(hashlib.sha1(key_bits(signer), usedforsecurity=False).digest())),
        encode.generalized_time(times.this_update),
        encode.sequence(*singles),
        encode.explicit(1, extensions) if extensions else b"",
    )


def seal(tbs: bytes, signer: x509.Certificate, key: SigningKey) -> bytes:
    """Sign an answer and pack it with its signer's certificate. ``RefusedError("ocsp.key")``: the key is another's."""
    if key.public_key() != signer.public_key():
        raise RefusedError(
            "ocsp.key", "the key at hand is not the one in the OCSP signer's certificate", "Restore the signer's key."
        )
    own = encode.explicit(0, encode.sequence(signer.public_bytes(Encoding.DER)))
    basic = encode.sequence(tbs, algorithm(signer.public_key()), encode.bits(sign(key, tbs)), own)
    packed = encode.explicit(0, encode.sequence(BASIC, encode.octets(basic)))
    return encode.sequence(encode.write(ENUMERATED, b"\x00"), packed)


def refuse(trouble: Trouble) -> bytes:
    """Write an answer that says why there is none."""
    return encode.sequence(encode.write(ENUMERATED, bytes((trouble,))))


def _read_tbs(parts: list[Box]) -> Question:
    if parts and parts[0].tag == _tag(0):
        raise ValueError("version 1 is the only one, and left out where it is meant (X.690 11.5)")
    named = 1 if parts and parts[0].tag == _tag(1) else 0  # who asks, which is nobody's business
    asked, *extensions = parts[named:]
    certificates = tuple(_read_certificate(each.held(SEQUENCE)) for each in asked.held(SEQUENCE).boxes())
    if not 1 <= len(certificates) <= CERTIFICATES_MOST:
        raise ValueError(f"it names {len(certificates)} certificates; 1 to {CERTIFICATES_MOST} may be named")
    return Question(certificates, _read_extensions(_only(extensions, 2)))


def _read_certificate(request: Box) -> CertId:
    cert_id, *extensions = request.boxes()
    _read_extensions(_only(extensions, 0))
    hashed, name_hash, key_hash, serial = cert_id.held(SEQUENCE).boxes()
    name, *parameters = hashed.held(SEQUENCE).boxes()
    algorithm = _BY_OID.get(dotted(name))
    if algorithm is None or parameters not in ([], [read_box(_NULL)]):
        raise ValueError("a certificate is named under a hash that is not known here")
    found = CertId(
        cert_id.raw,
        algorithm,
        name_hash.held(OCTET_STRING).content,
        key_hash.held(OCTET_STRING).content,
        int.from_bytes(serial.held(INTEGER).content, signed=True),
    )
    if found.serial < 0 or encode.integer(found.serial) != serial.raw:
        raise ValueError("a serial number is negative or not in its one shortest form")
    if found.serial.bit_length() > CERTIFICATE_SERIAL_BITS + 1:
        raise ValueError("a serial number is longer than 20 octets (RFC 5280 4.1.2.2)")
    return found


def _read_extensions(outer: Box | None) -> bytes | None:
    """Return the nonce; an extension that may not be ignored and is not known here is refused (RFC 6960 4.4)."""
    found: dict[str, bytes] = {}
    for extension in read_box(outer.content).held(SEQUENCE).boxes() if outer else ():
        name, *critical, value = extension.held(SEQUENCE).boxes()
        if dotted(name) in found or critical not in ([], [_TRUE]) or (critical and dotted(name) != NONCE):
            raise ValueError("an extension stands twice, or is critical and not known here")
        found[dotted(name)] = value.held(OCTET_STRING).content
    return _read_nonce(found[NONCE]) if NONCE in found else None


def _read_nonce(value: bytes) -> bytes:
    nonce = read_box(value).held(OCTET_STRING).content
    if len(nonce) not in NONCE_LENGTHS:
        raise ValueError("a nonce has 1 to 128 octets (RFC 9654 2.1)")
    return nonce


def _only(boxes: list[Box], number: int) -> Box | None:
    """Return the one box that may stand here, under the tag ``[number]``; none is fine, any other is not."""
    if not boxes:
        return None
    [found] = boxes
    return found.held(_tag(number))


def _tag(number: int) -> int:
    return encode.CONTEXT | encode.CONSTRUCTED | number


def _single(cert_id: bytes, standing: Standing | None, times: Times) -> bytes:
    """Write one SingleResponse (RFC 6960 4.2.1)."""
    return encode.sequence(
        cert_id,
        _status(standing),
        encode.generalized_time(times.this_update),
        encode.explicit(0, encode.generalized_time(times.next_update)),
    )


def _status(standing: Standing | None) -> bytes:
    """Good [0], revoked [1], unknown [2]; a reason that is unspecified is left out (RFC 5280 5.3.1)."""
    if standing is None:
        return encode.write(encode.CONTEXT | 2)
    if standing.revoked is None:
        return encode.write(encode.CONTEXT | 0)
    number = code(standing.reason)
    reason = b"" if number is None else encode.explicit(0, encode.write(ENUMERATED, bytes((number,))))
    return encode.explicit(1, encode.generalized_time(standing.revoked), reason)


def _malformed(cause: str) -> InputError:
    return InputError("ocsp.malformed", f"the OCSP request cannot be read: {cause[:120]}", "Ask as RFC 6960 4.1 says.")
