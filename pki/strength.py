"""Which keys and hashes are strong enough to be trusted, and which hash and padding go with which key.

One table for all examiners: what is weak for a request is weak for a chain. Weak means ``alg.weak``; strong enough, but
of a kind that stations or this program cannot use, means ``alg.unsupported``. ML-DSA is of that sort: only an authority
of our own may have such a key, as an experiment, and then it means the warning ``alg.experimental``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias, TypeGuard

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa

from pki.findings import Finding, error, warning

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

RSA_BITS_LEAST: Final = 2048  # bits; A00.FR.502
RSA_BITS_MOST: Final = 4096  # bits; a signature of RSA-8192 does not fit OCPP's 800 base64 characters
RSA_EXPONENT_LEAST: Final = 65537  # FIPS 186-5 A.1.1, BSI TR-02102-1
RSA_EXPONENT: Final = 65537  # of the keys we make; the least allowed, and what every verifier knows
RSA_EXPONENT_BITS: Final = 256  # bits; FIPS 186-5 A.1.1, and what checking a signature may cost
EC_BITS_LEAST: Final = 224  # bits; A00.FR.503
WEAK_HASHES: Final = frozenset({"md5", "sha1"})  # A00.FR.504 and .506

HASHES: Final[Mapping[str, str]] = {
    "sha1": "1.3.14.3.2.26",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
"""The hashes that are known here, weak ones too, with their object identifiers (RFC 4055 2.1)."""

MlDsaPublicKey: TypeAlias = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
MlDsaPrivateKey: TypeAlias = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey

SigningKey: TypeAlias = (
    rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | MlDsaPrivateKey
)
"""The private keys that may sign a certificate."""

SigningHash: TypeAlias = hashes.SHA256 | hashes.SHA384 | hashes.SHA512


class KeyKind(StrEnum):
    """The kinds of key we make (A00.FR.501-503: at least 112 bits of strength); V2G asks for P-521 or Ed448 too."""

    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"
    EC_P521 = "ec-p521"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    ED25519 = "ed25519"
    ED448 = "ed448"
    ML_DSA_44 = "ml-dsa-44"
    ML_DSA_65 = "ml-dsa-65"
    ML_DSA_87 = "ml-dsa-87"


class Padding(StrEnum):
    """How an RSA key signs. PKCS#1 v1.5 is the default: old stations stumble over PSS, which A00.FR.505 prefers."""

    PKCS1 = "pkcs1"
    PSS = "pss"


CURVES: Final[dict[KeyKind, ec.EllipticCurve]] = {
    KeyKind.EC_P256: ec.SECP256R1(),
    KeyKind.EC_P384: ec.SECP384R1(),
    KeyKind.EC_P521: ec.SECP521R1(),
}
RSA_BITS: Final[dict[KeyKind, int]] = {KeyKind.RSA_2048: 2048, KeyKind.RSA_3072: 3072, KeyKind.RSA_4096: 4096}
RSA_HASH: Final = hashes.SHA256  # of our RSA signatures; what every station's TLS has
EXPERIMENTAL: Final = frozenset({KeyKind.ML_DSA_44, KeyKind.ML_DSA_65, KeyKind.ML_DSA_87})

_ON_A_CURVE: Final[dict[type, bool]] = {}  # what ``is_ec`` found of each class
_KINDS_BY_CURVE: Final = {curve.name: kind for kind, curve in CURVES.items()}
_CURVE_HASHES: Final[dict[str, type[SigningHash]]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}


def is_ec(key: object) -> TypeGuard[ec.EllipticCurvePublicKey]:
    """Tell whether this is a public key on an elliptic curve, as almost every key here is: all others are asked later.

    To ask a class of the library about an object costs more than what is then done with the key.
    """
    kind = type(key)
    if kind not in _ON_A_CURVE:
        _ON_A_CURVE[kind] = issubclass(kind, ec.EllipticCurvePublicKey)
    return _ON_A_CURVE[kind]


def kind_of(key: CertificatePublicKeyTypes) -> KeyKind | None:
    """Return the kind of a public key, or ``None`` when it is none that we make."""
    if is_ec(key):
        return _KINDS_BY_CURVE.get(key.curve.name)
    match key:
        case rsa.RSAPublicKey():
            return next((kind for kind, bits in RSA_BITS.items() if bits == key.key_size), None)
        case ed25519.Ed25519PublicKey():
            return KeyKind.ED25519
        case ed448.Ed448PublicKey():
            return KeyKind.ED448
        case mldsa.MLDSA44PublicKey():
            return KeyKind.ML_DSA_44
        case mldsa.MLDSA65PublicKey():
            return KeyKind.ML_DSA_65
        case mldsa.MLDSA87PublicKey():
            return KeyKind.ML_DSA_87
        case _:
            return None


def check_key(key: CertificatePublicKeyTypes, *, unsafe_experimental: bool = False) -> list[Finding]:
    """Find what is wrong with a public key: RSA 2048 to 4096, P-256, P-384, P-521, Ed25519 and Ed448 pass.

    With ``unsafe_experimental``, for an authority of our own, an ML-DSA key is warned of in place of refused.
    """
    if is_ec(key):
        return _check_curve(key.curve)
    match key:
        case rsa.RSAPublicKey():
            return _check_rsa(key)
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return []
        case mldsa.MLDSA44PublicKey() | mldsa.MLDSA65PublicKey() | mldsa.MLDSA87PublicKey():
            return [_judge_ml_dsa(unsafe_experimental=unsafe_experimental)]
        case dsa.DSAPublicKey():
            return [error("alg.unsupported", "A00.FR.504", "a DSA key, which no station's TLS offers")]
        case _:
            return [error("alg.unsupported", "A00.FR.504", "a key of a kind that cannot sign or is not known here")]


def check_mark(*, is_pss_only: bool) -> list[Finding]:
    """Find whether a key may be certified as far as its mark goes (RFC 4055 1.2).

    Whoever marks a key for RSA-PSS alone wants it used in no other way. To drop the mark would certify more than was
    asked for; to keep it makes certificates that many stations and testers cannot read.
    """
    if not is_pss_only:
        return []
    says = "its key is marked as one for RSA-PSS alone; without that mark it signs with PSS as well"
    return [error("alg.pss_only", "RFC 4055 1.2", says)]


def check_signature_hash(algorithm: hashes.HashAlgorithm | None) -> list[Finding]:
    """Find what is wrong with the hash under a signature; Ed25519 and Ed448 bring their own and give ``None``."""
    if algorithm is not None and algorithm.name in WEAK_HASHES:
        return [error("alg.weak", "A00.FR.506", f"signed over {algorithm.name.upper()}, which can be forged")]
    return []


def name_key(key: CertificatePublicKeyTypes) -> str:
    """Return the kind of a public key in a word, as profiles write it: ``ec-p256``, ``rsa-2048``."""
    if kind := kind_of(key):
        return kind.value
    match key:
        case rsa.RSAPublicKey():
            return f"rsa-{key.key_size}"
        case ec.EllipticCurvePublicKey():
            return key.curve.name
        case _:
            return "unknown"


def check_padding(key: CertificatePublicKeyTypes, chosen: Padding) -> list[Finding]:
    """Find whether an issuer's key can sign with the padding chosen for it."""
    if chosen is Padding.PKCS1 or isinstance(key, rsa.RSAPublicKey):
        return []
    return [error("plan.padding", "A00.FR.505", "PSS is a padding for RSA keys, and the issuer's is of another kind")]


def check_pss(parameters: object, algorithm: hashes.HashAlgorithm | None) -> list[Finding]:
    """Find whether a PSS signature names one hash throughout and a salt as long as it (RFC 4055 3.1)."""
    if algorithm is not None and parameters == padding.PSS(padding.MGF1(algorithm), algorithm.digest_size):
        return []
    says = "its PSS signature has another mask hash than its hash, or a salt that is not as long as the hash"
    return [error("alg.unsupported", "RFC 4055 3.1", says)]


def signing_padding(key: CertificatePublicKeyTypes, chosen: Padding) -> padding.PSS | None:
    """Return the padding as the library's builders take it; ``None`` stands for PKCS#1 v1.5, or for a key without."""
    if chosen is Padding.PKCS1 or not isinstance(key, rsa.RSAPublicKey):
        return None
    return padding.PSS(padding.MGF1(RSA_HASH()), padding.PSS.DIGEST_LENGTH)


def signing_hash(key: CertificatePublicKeyTypes) -> SigningHash | None:
    """Return the hash our signatures use under this key: by curve, SHA-256 for RSA, ``None`` where it is built in."""
    if is_ec(key):
        return curve_hash(key.curve.name)
    match key:
        case rsa.RSAPublicKey():
            return RSA_HASH()
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return None
        case mldsa.MLDSA44PublicKey() | mldsa.MLDSA65PublicKey() | mldsa.MLDSA87PublicKey():
            return None
        case _:
            raise ValueError("no certificate is signed with a key of this kind")


def curve_hash(curve: str) -> SigningHash:
    """Return the hash our signatures use under keys on the curve of this name."""
    if curve not in _CURVE_HASHES:
        raise ValueError("no certificate is signed with a key of this kind")
    return _CURVE_HASHES[curve]()


def _judge_ml_dsa(*, unsafe_experimental: bool) -> Finding:
    if unsafe_experimental:
        return warning("alg.experimental", "A00.FR.504", "an ML-DSA key: an experiment that no station can verify yet")
    return error("alg.unsupported", "A00.FR.504", "an ML-DSA key, which no station's TLS offers yet")


def _check_rsa(key: rsa.RSAPublicKey) -> list[Finding]:
    found = []
    if key.key_size < RSA_BITS_LEAST:
        says = f"an RSA key of {key.key_size} bits; {RSA_BITS_LEAST} are the least"
        found.append(error("alg.weak", "A00.FR.502", says))
    if key.key_size > RSA_BITS_MOST:
        says = f"an RSA key of {key.key_size} bits; stations take {RSA_BITS_MOST} at most"
        found.append(error("alg.unsupported", "A00.FR.502", says))
    if key.key_size % 8:
        says = f"an RSA key of {key.key_size} bits, which is no number of whole bytes"
        found.append(error("alg.unsupported", "A00.FR.502", says))
    if key.public_numbers().e < RSA_EXPONENT_LEAST:
        says = f"an RSA key with a public exponent below {RSA_EXPONENT_LEAST}"
        found.append(error("alg.weak", "A00.FR.504", says))
    if key.public_numbers().e.bit_length() > RSA_EXPONENT_BITS:
        says = f"an RSA key with a public exponent of more than {RSA_EXPONENT_BITS} bits"
        found.append(error("alg.unsupported", "A00.FR.504", says))
    return found


def _check_curve(curve: ec.EllipticCurve) -> list[Finding]:
    if curve.key_size < EC_BITS_LEAST:
        return [error("alg.weak", "A00.FR.503", f"a key on {curve.name}, below {EC_BITS_LEAST} bits")]
    if curve.name not in _CURVE_HASHES:
        return [error("alg.unsupported", "A00.FR.504", f"a key on {curve.name}; P-256, P-384 and P-521 are supported")]
    return []
