"""Signs CRLs and OCSP answers: the raw signature, and the words that name its algorithm.

Certificates are signed by ``pki.issue``, through a token that only the lint gives; the raw signature is made here
(``make``). There as here, one is verified before anybody sees it: a fault in the machine can spoil a signature, and a
spoilt one can give the key away. What stands in for one before there is any is ``longest``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from pki import encode
from pki.der import NULL
from pki.errors import RefusedError
from pki.strength import (
    CURVES,
    HASHES,
    RSA_BITS,
    RSA_HASH,
    KeyKind,
    Padding,
    curve_hash,
    kind_of,
    signing_hash,
    signing_padding,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from pki.strength import SigningKey

Signed: TypeAlias = "x509.Certificate | x509.CertificateSigningRequest"

_NAMES: Final[Mapping[KeyKind, str]] = {
    KeyKind.EC_P256: "1.2.840.10045.4.3.2",
    KeyKind.EC_P384: "1.2.840.10045.4.3.3",
    KeyKind.EC_P521: "1.2.840.10045.4.3.4",
    KeyKind.ED25519: "1.3.101.112",
    KeyKind.ED448: "1.3.101.113",
    KeyKind.ML_DSA_44: "2.16.840.1.101.3.4.3.17",
    KeyKind.ML_DSA_65: "2.16.840.1.101.3.4.3.18",
    KeyKind.ML_DSA_87: "2.16.840.1.101.3.4.3.19",
}
"""What signatures of these kinds of key are called, each with its hash (RFC 5758 3.2, 8410 3, 9881 2)."""
_LENGTHS: Final[Mapping[KeyKind, int]] = {
    KeyKind.ED25519: 64,
    KeyKind.ED448: 114,
    KeyKind.ML_DSA_44: 2420,
    KeyKind.ML_DSA_65: 3309,
    KeyKind.ML_DSA_87: 4627,
}
"""Bytes of signatures that are always as long (RFC 8032 5.1.6 and 5.2.6, FIPS 204 4)."""
_RSA_SHA256, _RSA_PSS, _MGF1 = "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
_SHA256: Final = encode.sequence(encode.oid(HASHES["sha256"]), encode.write(NULL))
_SALT: Final = 32  # bytes; as long as the hash, RFC 4055 3.1


def algorithm(key: CertificatePublicKeyTypes, padding: Padding = Padding.PKCS1) -> bytes:
    """Return the AlgorithmIdentifier, in DER, of our signatures under this key (RFC 4055 3.1 and 5 for RSA)."""
    kind = kind_of(key)
    if kind is not None and kind in _NAMES:
        return _plain(_NAMES[kind])
    if isinstance(key, rsa.RSAPublicKey):
        return _rsa(padding)
    raise ValueError("nothing is signed with a key of this kind")


@cache
def _plain(name: str) -> bytes:
    return encode.sequence(encode.oid(name))


@cache
def _rsa(padding: Padding) -> bytes:
    if padding is Padding.PKCS1:
        return encode.sequence(encode.oid(_RSA_SHA256), encode.write(NULL))
    parameters = (
        encode.explicit(0, _SHA256),
        encode.explicit(1, encode.sequence(encode.oid(_MGF1), _SHA256)),
        encode.explicit(2, encode.integer(_SALT)),
    )
    return encode.sequence(encode.oid(_RSA_PSS), encode.sequence(*parameters))


def sign(key: SigningKey, tbs: bytes, padding: Padding = Padding.PKCS1) -> bytes:
    """Sign these bytes, and verify the result. Raises ``RefusedError("signature.spoilt")``."""
    signature = make(key, tbs, padding)
    try:
        verify(key.public_key(), signature, tbs, padding)
    except InvalidSignature:
        raise RefusedError(
            "signature.spoilt",
            "a new signature does not verify, so it was thrown away",
            "Ask again; when it happens twice, suspect the machine or the token that holds the key.",
        ) from None
    return signature


def make(key: SigningKey, tbs: bytes, padding: Padding = Padding.PKCS1) -> bytes:
    """Make the raw signature of these bytes. Whoever asks has to verify it before anybody else sees it."""
    match key:
        case ec.EllipticCurvePrivateKey():
            return key.sign(tbs, _ecdsa(key.curve.name))
        case rsa.RSAPrivateKey():
            return key.sign(tbs, signing_padding(key.public_key(), padding) or PKCS1v15(), RSA_HASH())
        case (
            ed25519.Ed25519PrivateKey()
            | ed448.Ed448PrivateKey()
            | mldsa.MLDSA44PrivateKey()
            | mldsa.MLDSA65PrivateKey()
            | mldsa.MLDSA87PrivateKey()
        ):
            return key.sign(tbs)
        case _:
            raise ValueError("nothing is signed with a key of this kind")


@cache
def _ecdsa(curve: str) -> ec.ECDSA:
    return ec.ECDSA(curve_hash(curve))


def longest(key: CertificatePublicKeyTypes) -> bytes:
    """Return what no signature under this key is, and none is longer than: it stands in for one that is still to come.

    All bits are set: numbers beyond every curve's order, and values that no key of the other kinds makes.
    """
    kind = kind_of(key)
    if kind is None:
        raise ValueError("nothing is signed with a key of this kind")
    return _longest(kind)


@cache
def _longest(kind: KeyKind) -> bytes:
    if kind in CURVES:
        number = encode.integer((1 << CURVES[kind].key_size) - 1)
        return encode.sequence(number, number)
    return b"\xff" * (RSA_BITS[kind] // 8 if kind in RSA_BITS else _LENGTHS[kind])


def verify_ecdsa(key: ec.EllipticCurvePublicKey, paper: Signed, body: bytes) -> None:
    """Verify a paper's signature over its body in the way that the paper names. Raises ``InvalidSignature``.

    The library can do so by itself, but reads the key anew each time, although it is at hand.
    """
    way = paper.signature_algorithm_parameters
    if not isinstance(way, ec.ECDSA):
        raise InvalidSignature
    key.verify(paper.signature, body, way)


def verify(key: CertificatePublicKeyTypes, signature: bytes, tbs: bytes, padding: Padding = Padding.PKCS1) -> None:
    """Verify a signature as ``sign`` makes it. Raises ``InvalidSignature``."""
    using = signing_hash(key)
    match key:
        case ec.EllipticCurvePublicKey() if using is not None:
            key.verify(signature, tbs, ec.ECDSA(using))
        case rsa.RSAPublicKey() if using is not None:
            key.verify(signature, tbs, signing_padding(key, padding) or PKCS1v15(), using)
        case (
            ed25519.Ed25519PublicKey()
            | ed448.Ed448PublicKey()
            | mldsa.MLDSA44PublicKey()
            | mldsa.MLDSA65PublicKey()
            | mldsa.MLDSA87PublicKey()
        ):
            key.verify(signature, tbs)
        case _:
            raise ValueError("nothing is signed with a key of this kind")
