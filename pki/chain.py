"""Judges whether a certificate is to be trusted, by way of a chain that ends in an anchor we hold.

``verify`` finds a path, then holds every certificate on it against every rule, and returns the path as evidence or
raises with all findings. An empty list of anchors trusts nobody. Codes begin with ``signer.`` for firmware signers and
``chain.`` for all others; weak keys and hashes are ``alg.weak`` everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from pki.certificate import key_id, read_certificates
from pki.chain_rules import DEPTH_MOST, Path, Purpose, Question, judge_path
from pki.findings import Finding, Severity, error, refuse_errors
from pki.strength import check_key

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from cryptography import x509

__all__ = ["Chain", "Purpose", "Revoked", "check_key", "key_id", "read_certificates", "verify"]

INTERMEDIATES_MOST: Final = 16  # certificates a stranger may send along; real chains hold one to three
LINKS_MOST: Final = 64  # signatures verified for one question; bounds what a maze of look-alike names can cost
PATHS_MOST: Final = 8  # whole paths judged for one question; more than one exists only while roots are exchanged

Revoked: TypeAlias = Callable[[bytes, int], bool] | frozenset[tuple[bytes, int]]
"""Which certificates are revoked, by (issuer's key id, serial number)."""

_ADVICES: Final = {
    Purpose.STATION: "Issue the station a new certificate, or trust its issuer: 'bollard ca trust add'.",
    Purpose.CSMS: "Check the server's certificate and the root that stations were given.",
    Purpose.FIRMWARE: "Ask the manufacturer for the certificate that signed this image, or trust its root.",
    Purpose.ANY: "Check which root is meant, and that every intermediate is given.",
}


@dataclass(frozen=True, slots=True)
class Chain:
    """Evidence: this path was found and every rule held. ``path`` runs from the leaf to the anchor, both included."""

    path: tuple[x509.Certificate, ...]
    purpose: Purpose
    findings: tuple[Finding, ...]

    @property
    def anchor(self) -> x509.Certificate:
        """The certificate that we trusted already."""
        return self.path[-1]


def verify(
    leaf: x509.Certificate,
    anchors: Sequence[x509.Certificate],
    intermediates: Sequence[x509.Certificate],
    purpose: Purpose,
    now: dt.datetime,
    *,
    max_depth: int | None = None,
    revoked: Revoked = frozenset(),
) -> Chain:
    """Verify a certificate. Raises ``RefusedError("chain.refused")`` with every finding of the path that came nearest.

    ``now`` carries its time zone. ``max_depth`` is how many certificates may stand above the leaf;
    where ``None``, the purpose says.
    """
    question = Question(purpose, now, DEPTH_MOST[purpose] if max_depth is None else max_depth, _lookup(revoked))
    path, findings = _judge(leaf, anchors, intermediates, question)
    subject = f"the certificate {leaf.subject.rfc4514_string()[:96]!r}"
    return Chain(path, purpose, refuse_errors(findings, "chain.refused", subject, _ADVICES[purpose]))


def _judge(
    leaf: x509.Certificate,
    anchors: Sequence[x509.Certificate],
    intermediates: Sequence[x509.Certificate],
    question: Question,
) -> tuple[Path, list[Finding]]:
    """Judge each path; take the first without an error, else the one with the fewest."""
    search = _Search(tuple(anchors), tuple(intermediates[:INTERMEDIATES_MOST]))
    judged = [(path, judge_path(path, question, trusted=True)) for path in search.paths(leaf)]
    if judged:
        return min(judged, key=lambda item: sum(finding.severity is Severity.ERROR for finding in item[1]))
    untrusted = error(question.code("untrusted"), question.clause, "no path leads from it to a certificate we trust")
    return (leaf,), [untrusted, *judge_path((leaf,), question, trusted=False)]


def _lookup(revoked: Revoked) -> Callable[[bytes, int], bool]:
    if isinstance(revoked, frozenset):
        return lambda issuer, serial: (issuer, serial) in revoked
    return revoked


class _Search:
    """Finds paths by name and verifies each link's signature, within bounds that a stranger cannot raise."""

    def __init__(self, anchors: Path, intermediates: Path) -> None:
        self._anchors = anchors
        self._intermediates = intermediates
        self._links_left = LINKS_MOST

    def paths(self, leaf: x509.Certificate) -> list[Path]:
        """Return the paths from the leaf to an anchor. An anchor is its own path."""
        return list(islice(self._extend((leaf,)), PATHS_MOST))

    def _extend(self, path: Path) -> Iterator[Path]:
        if path[-1] in self._anchors:
            yield path
        if len(path) > INTERMEDIATES_MOST:
            return
        for issuer in self._issuers(path):
            if issuer in self._anchors:
                yield (*path, issuer)
            else:
                yield from self._extend((*path, issuer))

    def _issuers(self, path: Path) -> Iterator[x509.Certificate]:
        """Yield certificates that signed the last one; anchors come first, none appears twice on a path."""
        for candidate in (*self._anchors, *self._intermediates):
            if candidate.subject == path[-1].issuer and candidate not in path and self._links_left > 0:
                self._links_left -= 1
                if _signed(path[-1], candidate):
                    yield candidate


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True
