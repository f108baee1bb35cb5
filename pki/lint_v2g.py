"""The rules for what stations show to cars, and for the authorities above it, one function each, with its clause.

They hold for purposes of a V2G hierarchy alone; what each edition allows stands in ``pki.v2g``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import SignatureAlgorithmOID

from pki.certificate import extension
from pki.findings import Finding, error
from pki.profile import CertificatePurpose
from pki.raw_form import read_form
from pki.strength import name_key
from pki.v2g import RULES, V2gEdition

V2gRule: TypeAlias = Callable[[x509.Certificate, CertificatePurpose], Iterator[Finding]]

_SIGNATURES: Final = {
    V2gEdition.TWO: (frozenset({SignatureAlgorithmOID.ECDSA_WITH_SHA256}), "V2G2-007", "ECDSA with SHA-256"),
    V2gEdition.TWENTY: (
        frozenset({SignatureAlgorithmOID.ECDSA_WITH_SHA512, SignatureAlgorithmOID.ED448}),
        "ISO 15118-20",
        "ECDSA with SHA-512, or Ed448",
    ),
}


def _v2g_key(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """V2G2-006 for ISO 15118-2: cars know one curve."""
    if purpose.edition is None:
        return
    rules, kind = RULES[purpose.edition], name_key(certificate.public_key())
    if kind not in rules.keys:
        says = f"its key is {kind}; cars of this edition know {' or '.join(rules.keys)}"
        yield error("lint.v2g_key", rules.keys_clause, says)


def _v2g_signature(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """V2G2-007 for ISO 15118-2."""
    if purpose.edition is None:
        return
    allowed, clause, words = _SIGNATURES[purpose.edition]
    if certificate.signature_algorithm_oid not in allowed:
        yield error(
            "lint.v2g_signature", clause, f"it is not signed in the way that cars of this edition know: {words}"
        )


def _v2g_length(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """V2G2-010 for ISO 15118-2: a car keeps no more room for one certificate."""
    if purpose.edition is None:
        return
    rules, length = RULES[purpose.edition], read_form(certificate).length
    if length > rules.length_most:
        says = f"it takes {length} bytes of DER; {rules.length_most} are the most"
        yield error("lint.v2g_length", rules.length_clause, says)


def _v2g_key_usage(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """ISO 15118 wants the key to agree on others as well; an Ed448 key cannot (RFC 8410 5)."""
    usage = extension(certificate, x509.KeyUsage)
    if not purpose.is_secc or purpose.edition is None or usage is None:
        return
    if usage.value.key_agreement is not isinstance(certificate.public_key(), ec.EllipticCurvePublicKey):
        clause = RULES[purpose.edition].subject_clause
        yield error("lint.v2g_key_usage", clause, "its key usage names key agreement where it must not, or lacks it")


V2G_RULES: Final[Mapping[V2gRule, tuple[str, ...]]] = {
    _v2g_key: ("V2G2-006", "ISO 15118-20"),
    _v2g_signature: ("V2G2-007", "ISO 15118-20"),
    _v2g_length: ("V2G2-010", "ISO 15118-20"),
    _v2g_key_usage: ("ISO 15118-2 F", "ISO 15118-20"),
}
"""Every rule for V2G, with the clauses it speaks for."""
