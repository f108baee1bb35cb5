"""Tells whether a certificate or a revocation list carries the signature of a key.

The signature is checked over the bytes that came, never over bytes written anew. Keys and signatures of kinds that are
refused anyway are never tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa

from pki.unreadable import UNREADABLE

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from pki.fields import Fields, ListFields


def is_signed(
    paper: x509.Certificate | x509.CertificateRevocationList,
    fields: Fields | ListFields,
    key: CertificatePublicKeyTypes,
) -> bool:
    """Tell whether ``key`` signed the body of ``paper``, in the way that both of its algorithm fields name."""
    if fields.inner_algorithm != fields.outer_algorithm:
        return False
    try:
        _verify(paper, fields, key)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


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
