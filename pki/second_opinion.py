"""Asks the cryptography library's own path verifier about a path that our rules found good.

Two readers of one RFC, written apart, seldom make the same mistake. The library is asked whether the path holds: its
signatures, times, path lengths, and the constraints on DNS names and addresses. It is given no list of extensions to
expect, since its own is the web's and refuses ordinary station certificates (no alternative name, no key identifiers);
uses, names, policies and revocation are judged by our rules alone. So is the whole of a path that it cannot judge:
with keys on other curves than its three, with Ed25519, Ed448 or version 1 in it, with critical certificate policies, or
constraints on all DNS names or on other forms of names, with names that are equal but written differently, with an
authority that issued to itself (which it counts in path lengths, against RFC 5280 6.1.4 (l)), or of one certificate.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from pki.fields import VERSION
from pki.findings import Finding, error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pki.paper import Paper
    from pki.question import Question

_NAMES: Final = (x509.DNSName, x509.IPAddress)
_CRITICAL: Final = frozenset(
    {x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectAlternativeName, x509.NameConstraints}
)
_ANYTHING: Final = ExtensionPolicy.permit_all()
_AUTHORITY: Final = _ANYTHING.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)


def examine_again(path: Sequence[Paper], question: Question) -> Iterator[Finding]:
    """Have the library judge a path (leaf first, anchor last) that it is able to judge."""
    if len(path) < 2 or not _is_able(path):
        return
    leaf, *above, anchor = (paper.certificate for paper in path)
    builder = PolicyBuilder().time(question.now).store(Store([anchor])).max_chain_depth(len(path))
    verifier = builder.extension_policies(ca_policy=_AUTHORITY, ee_policy=_ANYTHING).build_client_verifier()
    try:
        verifier.verify(leaf, above)
    except (VerificationError, ValueError) as refused:
        says = f"a second verifier, asked about the same path, refuses it: {str(refused)[:160]!r}"
        yield error(question.code("second_opinion"), "RFC 5280 6.1", says)


def _is_able(path: Sequence[Paper]) -> bool:
    if not all(below.fields.issuer == above.fields.subject for below, above in pairwise(path)):
        return False
    if any(between.is_self_issued for between in path[:-1]):
        return False
    return all(_is_known_kind(paper) and _is_known_extension(paper) for paper in path)


def _is_known_kind(paper: Paper) -> bool:
    way, key = paper.certificate.signature_algorithm_parameters, paper.key
    known = isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) and paper.fields.version == VERSION
    return known and isinstance(way, padding.PKCS1v15 | ec.ECDSA)


def _is_known_extension(paper: Paper) -> bool:
    limits = paper.find(x509.NameConstraints)
    trees = [*(limits.value.permitted_subtrees or ()), *(limits.value.excluded_subtrees or ())] if limits else []
    critical = {type(each.value) for each in paper.extensions if each.critical}
    return critical <= _CRITICAL and all(isinstance(tree, _NAMES) and tree.value for tree in trees)
