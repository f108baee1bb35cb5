"""Judges a request by itself, before it is known who asks: what would be refused whoever sent it, all at once.

The names follow the same rules as a certificate's. What is not taken over from a request anyway is a warning at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding

from pki.findings import Finding, Severity, error, warning
from pki.lint_names import NAME_RULES
from pki.request import REQUEST_LENGTH, subject_and_key
from pki.signed import is_pss_only
from pki.strength import check_key, check_mark, check_signature_hash, name_key
from pki.unreadable import UNREADABLE
from pki.v2g import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography import x509

    from pki.profile import CertificatePurpose

OURS_TO_SET: Final = frozenset({"lint.domain_component", "lint.country"})
"""What the certificate profile puts into the subject: a request may leave it out."""


def lint_request(request: x509.CertificateSigningRequest, purpose: CertificatePurpose) -> tuple[Finding, ...]:
    """Find everything wrong with a request for a certificate of this purpose; refuses nothing by itself."""
    names = [_weigh(finding) for rule in NAME_RULES for finding in rule(request, purpose)]
    return (*_proof(request), *_key(request, purpose), *names, *_asks(request), *_length(request))


def _weigh(finding: Finding) -> Finding:
    severity = Severity.WARNING if finding.code in OURS_TO_SET else finding.severity
    return Finding(finding.code, severity, finding.clause, finding.says)


def _proof(request: x509.CertificateSigningRequest) -> Iterator[Finding]:
    """RFC 2986 4.2, and A00.FR.506 for the hash under it."""
    try:
        weak = check_signature_hash(request.signature_hash_algorithm)
        proved = bool(weak) or request.is_signature_valid
    except UNREADABLE:
        weak, proved = [], False
    yield from weak
    if not proved:
        yield error("csr.proof", "RFC 2986 4.2", "its signature does not prove that the key is held")


def _key(request: x509.CertificateSigningRequest, purpose: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.501 to .504, RFC 4055 1.2, and the kinds of key that cars know."""
    yield from check_key(request.public_key())
    written = subject_and_key(request.public_bytes(Encoding.DER))[1]
    yield from check_mark(is_pss_only=is_pss_only(request.public_key(), written))
    kind = name_key(request.public_key())
    if purpose.edition is not None and kind not in RULES[purpose.edition].keys:
        rules = RULES[purpose.edition]
        says = f"its key is {kind}; cars of this edition know {' or '.join(rules.keys)}"
        yield error("lint.v2g_key", rules.keys_clause, says)


def _asks(request: x509.CertificateSigningRequest) -> Iterator[Finding]:
    """Nothing asked for is taken over; say so, since a person may wonder."""
    if len(request.attributes) > 0:
        says = "it asks for extensions or attributes; none of them is taken over"
        yield warning("csr.extensions", "A02.FR.04", says)


def _length(request: x509.CertificateSigningRequest) -> Iterator[Finding]:
    """A02.FR.03: SignCertificate.csr carries no more."""
    if (length := len(request.public_bytes(Encoding.PEM))) > REQUEST_LENGTH:
        says = f"it takes {length} characters of PEM; {REQUEST_LENGTH} are the most"
        yield error("lint.length", "A02.FR.03", says)
