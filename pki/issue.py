"""Signs what was approved, once, and makes sure that exactly that was signed."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from pki import encode, signature
from pki.errors import RefusedError
from pki.strength import is_ec

if TYPE_CHECKING:
    from pki.lint import Approved
    from pki.names import CertificateSerial
    from pki.plan import Plan
    from pki.strength import SigningKey

_ADVICE = "Nothing was handed out. Check which key the issuing authority holds, then issue again."


@dataclass(frozen=True, slots=True)
class Issued:
    """A finished certificate: its bytes are the approved ones, its signature verifies under the issuer's key."""

    der: bytes
    certificate: x509.Certificate
    serial: CertificateSerial


def sign(approved: Approved, issuer_key: SigningKey) -> Issued:
    """Sign the very bytes that were linted: ECDSA with the hash of its curve, RSA with its issuer's padding.

    A00.FR.505 is about that padding. The permission is spent whatever happens next. A second use raises
    ``ConflictError("issue.spent")``; a key that is not the issuer's, or a result that is not what was recorded, raises
    ``RefusedError``.
    """
    linted, plan = approved.redeem(), approved.plan
    if issuer_key.public_key() != plan.issuer_public_key:
        raise RefusedError("issue.key", "the key at hand is not the one in the issuer's certificate", _ADVICE)
    made = signature.make(issuer_key, linted.tbs, plan.padding)
    der = encode.sequence(linted.tbs, linted.algorithm, encode.bits(made))
    certificate = x509.load_der_x509_certificate(der)
    if not hmac.compare_digest(certificate.tbs_certificate_bytes, approved.tbs):
        raise RefusedError("issue.bytes", "what was signed is not what was approved", _ADVICE)
    _verify(certificate, plan, approved.tbs)
    return Issued(der, certificate, plan.serial)


def _verify(certificate: x509.Certificate, plan: Plan, tbs: bytes) -> None:
    """A fault in the machine or the token can spoil a signature, and a spoilt one can give the key away."""
    issuer = certificate if plan.issuer is None else plan.issuer.certificate
    key = plan.issuer_public_key
    try:
        if is_ec(key):
            signature.verify_ecdsa(key, certificate, tbs)
        else:
            certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        raise RefusedError("issue.signature", "the new signature does not verify", _ADVICE) from None
