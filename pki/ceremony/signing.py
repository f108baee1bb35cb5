"""Signatures that come out alike every time, so that a ceremony can be repeated and compared byte for byte.

ECDSA draws its nonce from key and message (RFC 6979 3.2); RSA PKCS#1 v1.5, Ed25519 and Ed448 are so by nature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

from pki.strength import SigningKey, signing_hash

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes


def deterministic(key: SigningKey) -> SigningKey:
    """Return the key as one that gives one signature for one message; certificate and CRL builders take it."""
    return Deterministic(key) if isinstance(key, ec.EllipticCurvePrivateKey) else key


def sign_bytes(key: SigningKey, message: bytes) -> bytes:
    """Sign a message as ``key`` signs certificates, the same way every time."""
    match deterministic(key):
        case ec.EllipticCurvePrivateKey() as curve:
            return curve.sign(message, ec.ECDSA(_hash(key.public_key())))
        case rsa.RSAPrivateKey() as old:
            return old.sign(message, padding.PKCS1v15(), _hash(key.public_key()))
        case ed25519.Ed25519PrivateKey() | ed448.Ed448PrivateKey() as edwards:
            return edwards.sign(message)
        case _:
            raise ValueError("no certificate is signed with a key of this kind")


def is_signed(key: CertificatePublicKeyTypes, message: bytes, signature: bytes) -> bool:
    """Tell whether ``sign_bytes`` made this signature; the caller turns a no into a refusal."""
    try:
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(signature, message, ec.ECDSA(_hash(key)))
            case rsa.RSAPublicKey():
                key.verify(signature, message, padding.PKCS1v15(), _hash(key))
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                key.verify(signature, message)
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def _hash(key: CertificatePublicKeyTypes) -> hashes.HashAlgorithm:
    found = signing_hash(key)
    if found is None:
        raise ValueError("this kind of key brings its own hash")
    return found


class Deterministic(ec.EllipticCurvePrivateKey):
    """An ECDSA key that signs as RFC 6979 3.2 says. It signs, and does nothing else that a key can do."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The key that its signatures verify under."""
        return self._key.public_key()

    @property
    def curve(self) -> ec.EllipticCurve:
        """Its curve."""
        return self._key.curve

    @property
    def key_size(self) -> int:
        """Its size in bits."""
        return self._key.key_size

    def sign(self, data: bytes, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:  # type: ignore[override] # the base takes any buffer
        """Sign with the hash asked for, and a nonce that follows from key and data."""
        return self._key.sign(data, ec.ECDSA(signature_algorithm.algorithm, deterministic_signing=True))

    def exchange(self, *_: object, **__: object) -> NoReturn:
        """Not what this key is for."""
        raise TypeError("this key signs, and does nothing else")

    def private_numbers(self) -> NoReturn:
        """Not what this key is for."""
        raise TypeError("this key signs, and does nothing else")

    def private_bytes(self, *_: object, **__: object) -> NoReturn:
        """Not what this key is for."""
        raise TypeError("this key signs, and does nothing else")

    def __copy__(self) -> Deterministic:
        return self

    def __deepcopy__(self, memo: object) -> Deterministic:
        return self
