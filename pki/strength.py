"""Which keys and hashes are strong enough to be trusted, and which hash goes with which key.

One table for all examiners: what is weak for a request is weak for a chain. Weak means ``alg.weak``; strong enough, but
of a kind that stations or this program cannot use, means ``alg.unsupported``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from pki.findings import Finding, error

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

RSA_BITS_LEAST: Final = 2048  # bits; A00.FR.502
RSA_BITS_MOST: Final = 4096  # bits; a signature of RSA-8192 does not fit OCPP's 800 base64 characters
RSA_EXPONENT_LEAST: Final = 65537  # FIPS 186-5 A.1.1, BSI TR-02102-1
EC_BITS_LEAST: Final = 224  # bits; A00.FR.503
WEAK_HASHES: Final = frozenset({"md5", "sha1"})  # A00.FR.504 and .506

SigningKey: TypeAlias = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
)
"""The private keys that may sign a certificate."""

SigningHash: TypeAlias = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

_CURVE_HASHES: Final[dict[str, type[SigningHash]]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}


def check_key(key: CertificatePublicKeyTypes) -> list[Finding]:
    """Find what is wrong with a public key: RSA 2048 to 4096, P-256, P-384, P-521, Ed25519 and Ed448 pass."""
    match key:
        case rsa.RSAPublicKey():
            return _check_rsa(key)
        case ec.EllipticCurvePublicKey():
            return _check_curve(key.curve)
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return []
        case dsa.DSAPublicKey():
            return [error("alg.unsupported", "A00.FR.504", "a DSA key, which no station's TLS offers")]
        case _:
            return [error("alg.unsupported", "A00.FR.504", "a key of a kind that cannot sign or is not known here")]


def check_signature_hash(algorithm: hashes.HashAlgorithm | None) -> list[Finding]:
    """Find what is wrong with the hash under a signature; Ed25519 and Ed448 bring their own and give ``None``."""
    if algorithm is not None and algorithm.name in WEAK_HASHES:
        return [error("alg.weak", "A00.FR.506", f"signed over {algorithm.name.upper()}, which can be forged")]
    return []


def signing_hash(key: CertificatePublicKeyTypes) -> SigningHash | None:
    """Return the hash our signatures use under this key: by curve, SHA-256 for RSA, ``None`` for Ed25519 and Ed448."""
    match key:
        case rsa.RSAPublicKey():
            return hashes.SHA256()
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVE_HASHES:
            return _CURVE_HASHES[key.curve.name]()
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return None
        case _:
            raise ValueError("no certificate is signed with a key of this kind")


def _check_rsa(key: rsa.RSAPublicKey) -> list[Finding]:
    found = []
    if key.key_size < RSA_BITS_LEAST:
        says = f"an RSA key of {key.key_size} bits; {RSA_BITS_LEAST} are the least"
        found.append(error("alg.weak", "A00.FR.502", says))
    if key.key_size > RSA_BITS_MOST:
        says = f"an RSA key of {key.key_size} bits; stations take {RSA_BITS_MOST} at most"
        found.append(error("alg.unsupported", "A00.FR.502", says))
    if key.public_numbers().e < RSA_EXPONENT_LEAST:
        says = f"an RSA key with a public exponent below {RSA_EXPONENT_LEAST}"
        found.append(error("alg.weak", "A00.FR.504", says))
    return found


def _check_curve(curve: ec.EllipticCurve) -> list[Finding]:
    if curve.key_size < EC_BITS_LEAST:
        return [error("alg.weak", "A00.FR.503", f"a key on {curve.name}, below {EC_BITS_LEAST} bits")]
    if curve.name not in _CURVE_HASHES:
        return [error("alg.unsupported", "A00.FR.504", f"a key on {curve.name}; P-256, P-384 and P-521 are supported")]
    return []
