"""Tells whether a certificate or a revocation list carries the signature of a key.

The signature is checked over the bytes that came, never over bytes written anew. Keys and signatures of kinds that are
refused anyway are never tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

from pki.der import INTEGER, SEQUENCE, Box, read_box
from pki.strength import Padding, is_ec
from pki.unreadable import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from pki.fields import Fields, ListFields

_RSA: Final = bytes.fromhex("2a864886f70d010101")
_RSASSA_PSS: Final = bytes.fromhex("2a864886f70d01010a")
MGF1: Final = bytes.fromhex("06092a864886f70d010108")  # the object identifier in DER
_HASH, _MASK, _SALT = 0xA0, 0xA1, 0xA2  # the tags of RSASSA-PSS-params; one that is left out stands for SHA-1
_SALT_BYTES: Final = 20  # bytes of salt where nothing is said, RFC 4055 3.1


def is_signed(
    paper: x509.Certificate | x509.CertificateRevocationList,
    fields: Fields | ListFields,
    key: CertificatePublicKeyTypes,
    spki: bytes,
) -> bool:
    """Tell whether ``key`` signed the body of ``paper``, in the way that both of its algorithm fields name.

    ``spki`` is the same key as it came, in DER: there it may be held to one way of signing, which the library does not
    keep.
    """
    if fields.inner_algorithm != fields.outer_algorithm:
        return False
    try:
        if isinstance(key, rsa.RSAPublicKey):
            _check_way(spki, fields.inner_algorithm)
        _verify(paper, fields, key)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


@dataclass(frozen=True, slots=True)
class PssTerms:
    """RSASSA-PSS-params (RFC 4055 3.1): the hash's object identifier in DER, the mask's with that of its hash behind
    it, and the length of the salt in bytes. What is empty was left out, which stands for SHA-1."""

    digest: bytes
    mask: bytes
    salt: int


@dataclass(frozen=True, slots=True)
class PssKey:
    """An RSA key that signs with RSASSA-PSS alone; ``terms`` are those that it is held to as well, if any are."""

    terms: PssTerms | None = None


def read_pss_key(spki: bytes) -> PssKey | None:
    """Read whether an RSA key, as it came, is held to RSASSA-PSS (RFC 4055 1.2); ``None`` when it is not.

    The library reads both kinds alike, and does not keep the difference. Raises ``TypeError`` or ``ValueError`` for a
    key that is neither.
    """
    named, *held = read_box(spki).held(SEQUENCE).boxes()[0].held(SEQUENCE).boxes()
    if named.content == _RSA:
        return None
    if named.content != _RSASSA_PSS:
        raise TypeError("the key signs in another way")
    return PssKey(_read_pss(held[0]) if held else None)


def is_pss_only(key: CertificatePublicKeyTypes, spki: bytes) -> bool:
    """Tell whether a key is marked for RSASSA-PSS alone; ``spki`` is the key as it came. Raises as ``read_pss_key``."""
    return not is_ec(key) and isinstance(key, rsa.RSAPublicKey) and read_pss_key(spki) is not None


def padding_of(key: CertificatePublicKeyTypes, spki: bytes, chosen: Padding) -> Padding:
    """Return how a key signs: as chosen, or by PSS where it is marked as one that signs in no other way (RFC 4055 1.2).

    ``spki`` is the key as it stands in its certificate.
    """
    return Padding.PSS if is_pss_only(key, spki) else chosen


def may_sign(key: CertificatePublicKeyTypes, spki: bytes, algorithm: bytes) -> bool:
    """Tell whether what a key says of itself allows signatures that are named so, in DER (RFC 4055 1.2 and 3.3)."""
    if is_ec(key) or not isinstance(key, rsa.RSAPublicKey):
        return True
    try:
        _check_way(spki, algorithm)
    except (TypeError, ValueError):
        return False
    return True


def _check_way(spki: bytes, algorithm: bytes) -> None:
    """RFC 4055 1.2 and 3.3: a key of the kind RSASSA-PSS signs in no other way, and only as its parameters allow."""
    key = read_pss_key(spki)
    if key is None:
        return
    used, *parameters = read_box(algorithm).held(SEQUENCE).boxes()
    if used.content != _RSASSA_PSS:
        raise TypeError("the key signs in another way")
    if key.terms:
        due, given = key.terms, _read_pss(*parameters)
        if (due.digest, due.mask) != (given.digest, given.mask) or given.salt < due.salt:
            raise TypeError("the key signs with other parameters, or with a longer salt")


def _read_pss(parameters: Box) -> PssTerms:
    """Read RSASSA-PSS-params (RFC 4055 3.1)."""
    found = {part.tag: part.boxes() for part in parameters.held(SEQUENCE).boxes()}
    if not found.keys() <= {_HASH, _MASK, _SALT} or any(len(each) != 1 for each in found.values()):
        raise ValueError("parameters that are none of RSASSA-PSS")
    digest = found[_HASH][0].boxes()[0].raw if _HASH in found else b""
    if _MASK not in found:
        return PssTerms(digest, b"", _read_salt(found))
    mask, inner = found[_MASK][0].boxes()
    return PssTerms(digest, mask.raw + inner.boxes()[0].raw, _read_salt(found))


def _read_salt(found: Mapping[int, Sequence[Box]]) -> int:
    return int.from_bytes(found[_SALT][0].held(INTEGER).content, signed=True) if _SALT in found else _SALT_BYTES


def _verify(
    paper: x509.Certificate | x509.CertificateRevocationList,
    fields: Fields | ListFields,
    key: CertificatePublicKeyTypes,
) -> None:
    """Raise ``InvalidSignature`` unless it is one; ``TypeError`` where key and algorithm do not go together."""
    way, digest = paper.signature_algorithm_parameters, paper.signature_hash_algorithm
    match key, way:
        case rsa.RSAPublicKey(), (padding.PKCS1v15() | padding.PSS()) if digest is not None:
            key.verify(fields.signature, fields.body, way, digest)
        case ec.EllipticCurvePublicKey(), ec.ECDSA():
            key.verify(fields.signature, fields.body, way)
        case ((ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey()), None):
            _same_kind(paper, key)
            key.verify(fields.signature, fields.body)
        case _:
            raise TypeError("this key does not make such signatures")


def _same_kind(
    paper: x509.Certificate | x509.CertificateRevocationList, key: ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
) -> None:
    named = paper.signature_algorithm_oid.dotted_string
    if named != ("1.3.101.112" if isinstance(key, ed25519.Ed25519PublicKey) else "1.3.101.113"):  # RFC 8410 3
        raise TypeError("the algorithm named is not the key's")
