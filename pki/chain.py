"""Judges whether a certificate is to be trusted, by way of a chain that ends in an anchor we hold.

``verify`` finds paths, holds every certificate on each against every rule, and returns the first path without fault as
evidence, or raises with all findings of the one that came nearest. A path that our rules find good is put before a
second verifier as well (``second_opinion``). An empty list of anchors trusts nobody. Codes begin with ``signer.`` for
firmware signers and ``chain.`` for all others; weak keys and hashes are ``alg.weak`` everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from pki.certificate import key_id, read_certificates
from pki.chain_rules import judge_path
from pki.crl import RevocationLists
from pki.errors import RefusedError
from pki.findings import Finding, Severity, error, refuse_errors, warning
from pki.paper import Paper
from pki.path_search import INTERMEDIATES_MOST, LINKS_MOST, PATHS_MOST, Search
from pki.question import DEPTH_MOST, Purpose, Question
from pki.second_opinion import examine_again
from pki.strength import check_key
from pki.unreadable import UNREADABLE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from cryptography import x509

    from pki.chain_rules import Path
    from pki.crl import RevocationList
    from pki.server_name import ServerName

__all__ = [
    "INTERMEDIATES_MOST", "LINKS_MOST", "PATHS_MOST", "Chain", "ChainRefusedError", "Purpose", "Revoked", "check_key",
    "key_id", "read_certificates", "verify",
]  # fmt: skip

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


class ChainRefusedError(RefusedError):
    """No trust follows from a certificate; ``path`` is the one that came nearest, or the leaf alone."""

    def __init__(self, refused: RefusedError, path: tuple[x509.Certificate, ...]) -> None:
        super().__init__(refused.code, refused.cause, refused.advice, findings=refused.findings)
        self.path = path


def verify(
    leaf: x509.Certificate,
    anchors: Sequence[x509.Certificate],
    intermediates: Sequence[x509.Certificate],
    purpose: Purpose,
    now: dt.datetime,
    *,
    max_depth: int | None = None,
    revoked: Revoked = frozenset(),
    name: ServerName | None = None,
    crls: Sequence[RevocationList] | None = None,
) -> Chain:
    """Verify a certificate. Raises ``ChainRefusedError("chain.refused")`` with every finding of the nearest path.

    ``now`` carries its time zone. ``max_depth`` is how many certificates may stand above the leaf; where ``None``, the
    purpose says. ``name`` is what the leaf must be for. With ``crls``, each certificate below the anchor must be
    cleared by one of them.
    """
    papers, others, roots = _read((leaf,)), _read(intermediates[:INTERMEDIATES_MOST]), _read(anchors)
    depth = DEPTH_MOST[purpose] if max_depth is None else max_depth
    lists = _lists(crls, (*papers, *others, *roots), now)
    question = Question(purpose, now, depth, _lookup(revoked), name, lists)
    path, findings = _judge(papers[0], roots, others, question) if papers else ((), [_unreadable(question)])
    findings += _left_out(len(set(anchors) | set(intermediates)) - len(set(others) | set(roots)), question)
    found = tuple(paper.certificate for paper in path) or (leaf,)
    subject = f"the certificate {_subject(leaf)!r}"
    try:
        return Chain(found, purpose, refuse_errors(findings, "chain.refused", subject, _ADVICES[purpose]))
    except RefusedError as refused:
        raise ChainRefusedError(refused, found) from None


def _read(certificates: Iterable[x509.Certificate]) -> tuple[Paper, ...]:
    """Read certificates; one that cannot be read is on no path."""
    papers = []
    for certificate in dict.fromkeys(certificates):
        try:
            papers.append(Paper.read(certificate))
        except ValueError:
            continue
    return tuple(papers)


def _left_out(count: int, question: Question) -> list[Finding]:
    says = f"{count} of the other certificates given cannot be read, or are too many, and were left out"
    return [warning(question.code("malformed"), "RFC 5280 4.1", says)] if count > 0 else []


def _lists(crls: Sequence[RevocationList] | None, papers: Path, now: dt.datetime) -> RevocationLists | None:
    return None if crls is None else RevocationLists(crls, (paper.fields.serial for paper in papers), now)


def _subject(leaf: x509.Certificate) -> str:
    try:
        return leaf.subject.rfc4514_string()[:96]
    except UNREADABLE:
        return "(unreadable)"


def _unreadable(question: Question) -> Finding:
    return error(question.code("malformed"), "RFC 5280 4.1", "a field or an extension of it cannot be read")


def _judge(leaf: Paper, anchors: Path, intermediates: Path, question: Question) -> tuple[Path, list[Finding]]:
    """Judge path by path; take the first without an error, else the one with the fewest."""
    search = Search(anchors, intermediates, question.now)
    nearest: tuple[int, Path, list[Finding]] | None = None
    for path in search.paths(leaf):
        found = judge_path(path, question, trusted=True)
        errors = _errors(found) or _errors(again := [*examine_again(path, question)])
        if not errors:
            return path, found
        found = found if _errors(found) else [*found, *again]
        if nearest is None or errors < nearest[0]:
            nearest = (errors, path, found)
    if nearest is not None:
        return nearest[1], nearest[2]
    return (leaf,), [_untrusted(search, question), *judge_path((leaf,), question, trusted=False)]


def _errors(findings: Iterable[Finding]) -> int:
    return sum(finding.severity is Severity.ERROR for finding in findings)


def _untrusted(search: Search, question: Question) -> Finding:
    says = "no path leads from it to a certificate we trust"
    if search.is_exhausted:
        says += f", as far as {LINKS_MOST} signatures go"
    return error(question.code("untrusted"), question.clause, says)


def _lookup(revoked: Revoked) -> Callable[[bytes, int], bool]:
    if isinstance(revoked, frozenset):
        return lambda issuer, serial: (issuer, serial) in revoked
    return revoked
