"""Writes the body of a certificate, in DER: all of it but the signature.

The library's builder asks the objects of every extension anew for each certificate, and signs in the same step. Here
what all certificates of a profile say, or all below an issuer, is written once and remembered; the twin that is linted
and the certificate that is signed then have one body, byte for byte. The library still writes every single extension
and every name, and a test holds the whole against what its builder makes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtensionOID, ObjectIdentifier

from pki import encode
from pki.certificate import extension, spki
from pki.der import header
from pki.profile import CertificateProfile, CertificatePurpose, KeyUse, SanRule
from pki.services import Published, Services, pointers, shard_of
from pki.strength import is_ec

if TYPE_CHECKING:
    import datetime as dt

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from pki.names import CertificateSerial

REMEMBERED: Final = 1_024  # pieces of each kind: every issuer has 32 shards as a rule, and a piece takes some 100 bytes

_VERSION: Final = encode.explicit(0, encode.integer(2))  # X.509 version 3
_SUBJECT_KEY: Final = encode.oid(ExtensionOID.SUBJECT_KEY_IDENTIFIER.dotted_string)


@dataclass(frozen=True, slots=True)
class Above:
    """What of an authority stands in every certificate below it: its name, and the extension that names its key."""

    name: bytes
    key: bytes


def read_above(issuer: x509.Certificate) -> Above:
    """Read from an authority's certificate what those below it repeat."""
    return Above(issuer.subject.public_bytes(), _write(_authority_key(issuer)))


def write_body(
    serial: CertificateSerial,
    algorithm: bytes,
    issuer: bytes,
    validity: tuple[dt.datetime, dt.datetime],
    subject: bytes,
    key: bytes,
    extensions: bytes,
) -> bytes:
    """Write the to-be-signed part (RFC 5280 4.1). Names, key and algorithm are in DER; so are the extensions, in a row.

    Times are in UTC and whole seconds.
    """
    return encode.sequence(
        _VERSION,
        encode.integer(serial.number),
        algorithm,
        issuer,
        encode.sequence(encode.time(validity[0]), encode.time(validity[1])),
        subject,
        key,
        encode.explicit(3, encode.sequence(extensions)),
    )


def write_extensions(
    profile: CertificateProfile,
    common_name: str,
    public_key: CertificatePublicKeyTypes,
    above: Above | None,
    services: Services | Published | None,
    serial: CertificateSerial,
) -> bytes:
    """Write what a profile says of a certificate, one extension after the other (RFC 5280 4.2.1).

    ``above`` is ``None`` for a root, which need not name its issuer's key.
    """
    curve = is_ec(public_key)
    kind = "ec" if curve else "rsa" if isinstance(public_key, rsa.RSAPublicKey) else ""
    pieces = [
        _rights(profile.is_ca, profile.path_length, profile.key_usage, kind),
        _subject_key(spki(public_key)),
        above.key if above else b"",
        _uses(profile.eku),
    ]
    if profile.san is SanRule.DNS:
        pieces.append(_write(x509.SubjectAlternativeName([x509.DNSName(common_name)])))
    if profile.purpose is CertificatePurpose.OCSP:
        pieces.append(_write(x509.OCSPNoCheck()))  # RFC 6960 4.2.2.2.1
    if services:
        pieces.append(_pointers(profile, services, serial))
    return b"".join(pieces)


def _write(content: x509.ExtensionType, *, critical: bool = False) -> bytes:
    return encode.extension(content.oid.dotted_string, content.public_bytes(), critical=critical)


@lru_cache(REMEMBERED)
def _rights(is_ca: bool, path_length: int | None, uses: frozenset[KeyUse], kind: str) -> bytes:
    basic = _write(x509.BasicConstraints(is_ca, path_length), critical=True)
    return basic + _write(_key_usage(uses, kind), critical=True)


@lru_cache(REMEMBERED)
def _uses(eku: tuple[ObjectIdentifier, ...]) -> bytes:
    return _write(x509.ExtendedKeyUsage(eku)) if eku else b""


def _pointers(profile: CertificateProfile, services: Services | Published, serial: CertificateSerial) -> bytes:
    shard = shard_of(serial, services.shards)
    return _places(services, shard, profile.crl, profile.ocsp, not profile.der_length)


@lru_cache(REMEMBERED)
def _places(services: Services | Published, shard: int, crl: bool, ocsp: bool, roomy: bool) -> bytes:
    return b"".join(map(_write, pointers(services, shard, crl=crl, ocsp=ocsp, roomy=roomy)))


def _subject_key(key: bytes) -> bytes:
    """RFC 5280 4.2.1.2 (1): SHA-1 over the bits of the key, which nobody relies on to be hard to forge."""
    algorithm, _ = header(key, 0)
    _, bits = header(key, algorithm)
    begin, end = header(key, bits)
    digest = hashlib.sha1(key[begin + 1 : end], usedforsecurity=False).digest()  # behind the count of unused bits
    return encode.sequence(_SUBJECT_KEY, encode.octets(encode.octets(digest)))


def _key_usage(uses: frozenset[KeyUse], kind: str) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=KeyUse.DIGITAL_SIGNATURE in uses,
        content_commitment=False,
        # RFC 5480 3: an elliptic-curve key enciphers nothing
        key_encipherment=KeyUse.KEY_ENCIPHERMENT in uses and kind == "rsa",
        data_encipherment=False,
        # RFC 8410 5: Ed25519 and Ed448 keys sign and agree on nothing; RSA keys never did
        key_agreement=KeyUse.KEY_AGREEMENT in uses and kind == "ec",
        key_cert_sign=KeyUse.KEY_CERT_SIGN in uses,
        crl_sign=KeyUse.CRL_SIGN in uses,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    own = extension(issuer, x509.SubjectKeyIdentifier)
    if own is None:
        return x509.AuthorityKeyIdentifier(
            x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest, None, None
        )
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)
