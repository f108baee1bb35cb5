"""Reads certificates and requests out of a file of any form, and lints each: the whole answer to "what is wrong here?".

PEM and DER are both taken, and several papers in one PEM file. What cannot be read as any of them is refused once, with
one cause; a paper that can be read, and has something unreadable inside, gets a finding like any other fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from pki.certificate import extension
from pki.errors import InputError
from pki.findings import Finding, Severity, error
from pki.likely_purpose import guess_between, guess_purpose
from pki.lint import lint_certificate
from pki.lint_below import BELOW
from pki.lint_request import lint_request
from pki.pem import read_blocks
from pki.profile import CertificatePurpose
from pki.unreadable import UNREADABLE, touch, touch_name

if TYPE_CHECKING:
    import datetime as dt

    from pki.lint_names import Paper

FILE_BYTES: Final = 262_144  # of a file to lint; far above any honest bundle
PAPERS_MOST: Final = 64  # certificates and requests in one file

_LABELS: Final = frozenset({"CERTIFICATE", "X509 CERTIFICATE", "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"})
_SEQUENCE: Final = b"\x30"
_ADVICE: Final = "Give certificates or PKCS#10 requests, in PEM or in DER."


@dataclass(frozen=True, slots=True)
class Linted:
    """One paper of a file, what it was held to be for, and everything that was found."""

    kind: str
    """``certificate`` or ``request``."""
    subject: str
    serial: str
    """In hex; empty for a request."""
    purpose: CertificatePurpose
    guessed: bool
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found that refuses."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


def lint_file(content: bytes, purpose: CertificatePurpose | None, now: dt.datetime) -> tuple[Linted, ...]:
    """Lint every paper of a file; without a purpose, each is guessed. Raises ``InputError("lint.unreadable")``.

    The purpose of a leaf is not held against the authorities that follow it in the file: those are its chain. Where one
    certificate names the next as its issuer, the two are held against each other as well.
    """
    papers = _read(content)
    above = (purpose if purpose is None or purpose.is_ca or not _is_ca(each) else None for each in papers[1:])
    given = [purpose, *above]
    purposes = _guess(papers, given)
    judged = [_findings(paper, due, now) for paper, due in zip(papers, purposes, strict=True)]
    for number, (below, issuer) in enumerate(pairwise(papers)):
        judged[number] += _findings_below(below, issuer)
    return tuple(
        _linted(paper, due, findings, guessed=said is None)
        for paper, due, findings, said in zip(papers, purposes, judged, given, strict=True)
    )


def _guess(papers: list[Paper], given: list[CertificatePurpose | None]) -> list[CertificatePurpose]:
    """Guess what was not given, each by itself, then from the leaf up by its neighbours in a chain."""
    alone = [said or _guess_alone(paper) for paper, said in zip(papers, given, strict=True)]
    for number, said in enumerate(given):
        below = alone[number - 1] if number > 0 and _issued(papers[number], papers[number - 1]) else None
        last = number + 1 == len(papers)
        above = None if last or not _issued(papers[number + 1], papers[number]) else alone[number + 1]
        alone[number] = said or guess_between(below, alone[number], above)
    return alone


def _guess_alone(paper: Paper) -> CertificatePurpose:
    return CertificatePurpose.STATION if _trouble(paper) else guess_purpose(paper)


def _issued(above: Paper, below: Paper) -> bool:
    """Tell whether one paper of a file says that the next issued it: then the two are links of one chain."""
    if not (isinstance(above, x509.Certificate) and isinstance(below, x509.Certificate)):
        return False
    return not _trouble(above) and not _trouble(below) and below != above and below.issuer == above.subject


def _findings_below(below: Paper, above: Paper) -> tuple[Finding, ...]:
    """What keeps two neighbours from being links of a chain, by the rules that stand before our own signature."""
    if not (isinstance(above, x509.Certificate) and isinstance(below, x509.Certificate) and _issued(above, below)):
        return ()
    return tuple(finding for rule in BELOW for finding in rule(below, above))


def _is_ca(paper: Paper) -> bool:
    if not isinstance(paper, x509.Certificate) or _trouble(paper):
        return False
    basic = extension(paper, x509.BasicConstraints)
    return basic is not None and basic.value.ca


def _linted(paper: Paper, purpose: CertificatePurpose, findings: tuple[Finding, ...], *, guessed: bool) -> Linted:
    certificate = paper if isinstance(paper, x509.Certificate) else None
    return Linted(
        kind="certificate" if certificate else "request",
        subject=_subject(paper),
        serial=f"{certificate.serial_number:x}" if certificate else "",
        purpose=purpose,
        guessed=guessed,
        findings=tuple(dict.fromkeys(findings)),
    )


def _findings(paper: Paper, purpose: CertificatePurpose, now: dt.datetime) -> tuple[Finding, ...]:
    if trouble := _trouble(paper):
        return trouble
    if isinstance(paper, x509.Certificate):
        return lint_certificate(paper, purpose, now)
    return lint_request(paper, purpose)


def _trouble(paper: Paper) -> tuple[Finding, ...]:
    """What keeps the rules from being asked at all: a key, a name, times or extensions that cannot be read."""
    try:
        paper.public_key()
        touch_name(paper.subject)
    except UnsupportedAlgorithm:
        return (error("alg.unsupported", "A00.FR.504", "its key is of a kind that is not known here"),)
    except UNREADABLE as problem:
        return (error("lint.extensions", "RFC 5280 4.1", f"it cannot be read: {str(problem)[:120]!r}"),)
    try:
        _ = paper.extensions
        touch(paper)
    except UNREADABLE as problem:
        return (error("lint.extensions", "RFC 5280 4.2", f"it cannot be read: {str(problem)[:120]!r}"),)
    return ()


def _subject(paper: Paper) -> str:
    try:
        return paper.subject.rfc4514_string()[:400]
    except UNREADABLE:
        return ""


def _read(content: bytes) -> list[Paper]:
    if not content:
        raise _unreadable("the file is empty")
    if content.startswith(_SEQUENCE):
        return [_read_der(content)]
    blocks = read_blocks(content, _LABELS, "lint.unreadable", FILE_BYTES)
    if len(blocks) > PAPERS_MOST:
        raise _unreadable(f"{len(blocks)} certificates and requests; {PAPERS_MOST} are the most")
    return [_read_der(block) for block in blocks]


def _read_der(der: bytes) -> Paper:
    try:
        return x509.load_der_x509_certificate(der)
    except UNREADABLE:
        pass
    try:
        return x509.load_der_x509_csr(der)
    except UNREADABLE:
        raise _unreadable("it is neither a certificate nor a request, or it is cut short") from None


def _unreadable(cause: str) -> InputError:
    return InputError("lint.unreadable", cause, _ADVICE)
