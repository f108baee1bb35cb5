"""The rules that a path of certificates is held against, one function each, with the clause beside it.

A path runs from the leaf to the anchor; every link's signature has been verified already. ``judge_path`` applies all of
the rules and gathers what they find.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier

from pki.certificate import extension, hash_of_signature, is_readable, key_id
from pki.errors import InputError
from pki.findings import Finding, error, warning
from pki.strength import check_key, check_signature_hash

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

Path: TypeAlias = tuple[x509.Certificate, ...]


class Purpose(StrEnum):
    """What a chain is to prove."""

    STATION = "station"
    """The leaf is a station's client certificate."""
    CSMS = "csms"
    """The leaf is the CSMS's server certificate."""
    FIRMWARE = "firmware"
    """The leaf signs firmware, and stands directly below its manufacturer's anchor."""
    ANY = "any"
    """The path holds; what the leaf may do is not asked."""


DEPTH_MOST: Final = {Purpose.STATION: 4, Purpose.CSMS: 4, Purpose.FIRMWARE: 1, Purpose.ANY: 4}
"""Certificates above the leaf. OCPP lists four children of a chain at most; a firmware signer has no field for more."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a path, and what is known while judging it."""

    purpose: Purpose
    now: dt.datetime
    max_depth: int
    is_revoked: Callable[[bytes, int], bool]
    """Takes the issuer's key id (32 bytes) and the serial number."""

    def code(self, name: str) -> str:
        """Return the stable code of a finding."""
        return f"{'signer' if self.purpose is Purpose.FIRMWARE else 'chain'}.{name}"

    @property
    def clause(self) -> str:
        """The clause that demands a valid path for this purpose."""
        return _CLAUSES[self.purpose]


_CLAUSES: Final = {
    Purpose.STATION: "A00.FR.403",
    Purpose.CSMS: "A00.FR.308",
    Purpose.FIRMWARE: "A00.FR.707",
    Purpose.ANY: "RFC 5280 6.1",
}
_EXTENDED: Final = {
    Purpose.STATION: ExtendedKeyUsageOID.CLIENT_AUTH,
    Purpose.CSMS: ExtendedKeyUsageOID.SERVER_AUTH,
    Purpose.FIRMWARE: ExtendedKeyUsageOID.CODE_SIGNING,
}
_UNDERSTOOD: Final[frozenset[ObjectIdentifier]] = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }
)


def judge_path(path: Path, question: Question, *, trusted: bool) -> list[Finding]:
    """Find everything wrong with a path. Where none leads to an anchor, ``path`` is the leaf alone, not ``trusted``."""
    found: list[Finding] = []
    for position, certificate in enumerate(path):
        if not is_readable(certificate):
            says = f"the extensions or times of {_call(certificate)} are unreadable"
            return [error(question.code("path"), "RFC 5280 4.2", says)]
        found += _examine_times(certificate, question)
        found += _examine_strength(certificate, is_anchor=trusted and position == len(path) - 1)
        found += _examine_critical(certificate, question)
        if position > 0:
            found += _examine_issuer(certificate, position - 1, question)
        if 0 < position < len(path) - 1:
            found += _examine_extended_usage(certificate, question)
    found += _examine_leaf(path[0], question)
    if trusted and len(path) == 1:
        found += _examine_lone(path[0], question)
    found += _examine_revocation(path, question)
    if len(path) - 1 > question.max_depth:
        says = f"{len(path) - 1} certificates stand above it; {question.max_depth} may"
        found.append(error(question.code("depth"), question.clause, says))
    return found


def _examine_times(certificate: x509.Certificate, question: Question) -> Iterator[Finding]:
    """RFC 5280 6.1.3 (a)(2), asked of the anchor too: an anchor past its end is not renewed trust."""
    if certificate.not_valid_after_utc < question.now:
        says = f"{_call(certificate)} expired {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        yield error(question.code("expired"), "RFC 5280 6.1.3", says)
    if certificate.not_valid_before_utc > question.now:
        says = f"{_call(certificate)} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        yield error(question.code("not_yet_valid"), "RFC 5280 6.1.3", says)


def _examine_strength(certificate: x509.Certificate, *, is_anchor: bool) -> Iterator[Finding]:
    """A00.FR.501 to .506. An anchor is trusted for its key: nobody relies on the signature it carries."""
    found = check_key(certificate.public_key())
    if not is_anchor:
        try:
            found += check_signature_hash(hash_of_signature(certificate))
        except InputError:
            found.append(error("alg.unsupported", "A00.FR.504", "signed with an algorithm that is not known here"))
    for finding in found:
        yield Finding(finding.code, finding.severity, finding.clause, f"{_call(certificate)}: {finding.says}")


def _examine_critical(certificate: x509.Certificate, question: Question) -> Iterator[Finding]:
    """RFC 5280 4.2: what is critical and not understood refuses. Name constraints are not evaluated, so they do too."""
    for found in certificate.extensions:
        unknown = found.critical and found.oid not in _UNDERSTOOD
        if unknown or found.oid == ExtensionOID.NAME_CONSTRAINTS:
            says = f"{_call(certificate)} has a constraint {found.oid.dotted_string} that is not understood here"
            yield error(question.code("path"), "RFC 5280 4.2", says)


def _examine_issuer(certificate: x509.Certificate, below: int, question: Question) -> Iterator[Finding]:
    """RFC 5280 6.1.4 (k) to (n): ``below`` authorities stand between this one and the leaf."""
    basic, usage = extension(certificate, x509.BasicConstraints), extension(certificate, x509.KeyUsage)
    if basic is None or not basic.value.ca:
        yield error(question.code("path"), "RFC 5280 6.1.4", f"{_call(certificate)} issued, but is no authority")
    elif basic.value.path_length is not None and below > basic.value.path_length:
        says = f"{_call(certificate)} allows {basic.value.path_length} authorities below it, not {below}"
        yield error(question.code("path"), "RFC 5280 6.1.4", says)
    if usage is not None and not usage.value.key_cert_sign:
        yield error(question.code("path"), "RFC 5280 6.1.4", f"{_call(certificate)} may not sign certificates")


def _examine_leaf(leaf: x509.Certificate, question: Question) -> Iterator[Finding]:
    """What the leaf is for: key usage and extended key usage, where present, must allow it (RFC 5280 4.2.1.3, .12)."""
    if question.purpose is Purpose.ANY:
        return
    basic, usage = extension(leaf, x509.BasicConstraints), extension(leaf, x509.KeyUsage)
    if basic is not None and basic.value.ca:
        yield error(
            question.code("is_ca"), "RFC 5280 4.2.1.9", f"{_call(leaf)} is an authority, not a {question.purpose}"
        )
    if usage is not None and not usage.value.digital_signature:
        yield error(
            question.code("purpose"), "RFC 5280 4.2.1.3", f"the key usage of {_call(leaf)} lacks digital signature"
        )
    yield from _examine_extended_usage(leaf, question)


def _examine_lone(leaf: x509.Certificate, question: Question) -> Iterator[Finding]:
    """A00.FR.601: a leaf belongs to a hierarchy. One that is itself an anchor has nobody above who could revoke it."""
    basic = extension(leaf, x509.BasicConstraints)
    if question.purpose is not Purpose.ANY and not (basic is not None and basic.value.ca):
        yield error(
            question.code("untrusted"), "A00.FR.601", f"{_call(leaf)} is an anchor itself; no authority issued it"
        )


def _examine_extended_usage(certificate: x509.Certificate, question: Question) -> Iterator[Finding]:
    """Asked of the leaf, and of those between it and the anchor: an authority held to one use vouches for no other."""
    if question.purpose is Purpose.ANY:
        return
    found = extension(certificate, x509.ExtendedKeyUsage)
    allowed = {_EXTENDED[question.purpose], ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if found is None and question.purpose is Purpose.FIRMWARE:
        says = f"{_call(certificate)} does not say that it is for code signing"
        yield warning(question.code("purpose"), "RFC 5280 4.2.1.12", says)
    elif found is not None and allowed.isdisjoint(found.value):
        says = f"the extended key usage of {_call(certificate)} does not allow this use"
        yield error(question.code("purpose"), "RFC 5280 4.2.1.12", says)


def _examine_revocation(path: Path, question: Question) -> Iterator[Finding]:
    """A00.FR.705: every certificate below the anchor, asked of the one that issued it."""
    for certificate, issuer in pairwise(path):
        if question.is_revoked(key_id(issuer), certificate.serial_number):
            yield error(question.code("revoked"), "A00.FR.705", f"{_call(certificate)} is revoked")


def _call(certificate: x509.Certificate) -> str:
    """Name a certificate in a sentence; its subject is a stranger's text, so it is cut and escaped."""
    return repr(certificate.subject.rfc4514_string()[:96])
