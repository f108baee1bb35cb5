"""The rules that a path of certificates is held against, one function each, with the clause beside it.

A path runs from the leaf to the anchor; every link's signature has been verified already. ``judge_path`` applies all of
the rules and gathers what they find: those here, on what an authority may do and what a leaf is for, and those of
``form_rules``, ``name_constraints``, ``path_policies``, ``server_name`` and ``crl``.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier

from pki.certificate import hash_of_signature, key_id
from pki.dn import compared
from pki.errors import InputError
from pki.findings import Finding, error, warning
from pki.form_rules import examine_form
from pki.name_constraints import examine_names
from pki.paper import Paper
from pki.path_policies import examine_policies
from pki.question import Purpose, Question, lapse
from pki.server_name import examine_name
from pki.strength import check_key, check_signature_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

Path: TypeAlias = tuple[Paper, ...]

_EXTENDED: Final = {
    Purpose.STATION: ExtendedKeyUsageOID.CLIENT_AUTH,
    Purpose.CSMS: ExtendedKeyUsageOID.SERVER_AUTH,
    Purpose.FIRMWARE: ExtendedKeyUsageOID.CODE_SIGNING,
}
_POLICY_MAPPINGS: Final = ObjectIdentifier("2.5.29.33")
_UNDERSTOOD: Final[frozenset[ObjectIdentifier]] = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.INHIBIT_ANY_POLICY,
        _POLICY_MAPPINGS,
    }
)


def judge_path(path: Path, question: Question, *, trusted: bool) -> list[Finding]:
    """Find everything wrong with a path. Where none leads to an anchor, ``path`` is the leaf alone, not ``trusted``."""
    found: list[Finding] = []
    for position, paper in enumerate(path):
        found += examine_form(paper, question)
        found += _examine_times(paper, question)
        found += _examine_strength(paper, is_anchor=trusted and position == len(path) - 1)
        found += _examine_critical(paper, question)
        if position > 0:
            below = sum(not between.is_self_issued for between in path[1:position])
            found += _examine_issuer(paper, below, question)
            found += _examine_extended_usage(paper, question)
    found += _examine_leaf(path[0], question)
    found += examine_name(path[0], question)
    if trusted:
        found += _examine_whole(path, question)
    return found


def _examine_whole(path: Path, question: Question) -> Iterator[Finding]:
    """What can be asked of a whole path only, from its leaf to its anchor."""
    if len(path) == 1:
        yield from _examine_lone(path[0], question)
    yield from _examine_keys(path, question)
    yield from examine_names(path, question)
    yield from examine_policies(path, question)
    yield from _examine_revocation(path, question)
    if len(path) - 1 > question.max_depth:
        says = f"{len(path) - 1} certificates stand above it; {question.max_depth} may"
        yield error(question.code("depth"), question.clause, says)


def _examine_times(paper: Paper, question: Question) -> Iterator[Finding]:
    """RFC 5280 6.1.3 (a)(2), asked of the anchor too: an anchor past its end is not renewed trust."""
    if paper.end < question.now:
        says = f"{paper} expired {paper.end:%Y-%m-%d %H:%M} UTC"
        yield error(question.code("expired"), "RFC 5280 6.1.3", says)
    if paper.begin > question.now:
        says = f"{paper} is not valid before {paper.begin:%Y-%m-%d %H:%M} UTC"
        yield error(question.code("not_yet_valid"), "RFC 5280 6.1.3", says)


def _examine_strength(paper: Paper, *, is_anchor: bool) -> Iterator[Finding]:
    """A00.FR.501 to .506. An anchor is trusted for its key: nobody relies on the signature it carries."""
    found = check_key(paper.key)
    if not is_anchor:
        found += _check_signature(paper.certificate)
    for finding in found:
        yield Finding(finding.code, finding.severity, finding.clause, f"{paper}: {finding.says}")


def _check_signature(certificate: x509.Certificate) -> list[Finding]:
    try:
        found = check_signature_hash(hash_of_signature(certificate))
    except InputError:
        return [error("alg.unsupported", "A00.FR.504", "signed with an algorithm that is not known here")]
    way = certificate.signature_algorithm_parameters
    if isinstance(way, padding.PSS):
        found += check_signature_hash(way.mgf._algorithm)  # noqa: SLF001 - the library tells it in no other way
    return found


def _examine_critical(paper: Paper, question: Question) -> Iterator[Finding]:
    """RFC 5280 4.2: what is critical and not understood refuses, in the anchor too."""
    for found in paper.extensions:
        if found.critical and found.oid not in _UNDERSTOOD:
            says = f"{paper} has a constraint {found.oid.dotted_string} that is not understood here"
            yield error(question.code("path"), "RFC 5280 4.2", says)


def _examine_issuer(paper: Paper, below: int, question: Question) -> Iterator[Finding]:
    """RFC 5280 6.1.4 (k) to (n): ``below`` authorities, those apart that issued to themselves, stand below this one."""
    basic, usage = paper.find(x509.BasicConstraints), paper.find(x509.KeyUsage)
    if basic is None or not basic.value.ca:
        yield error(question.code("path"), "RFC 5280 6.1.4", f"{paper} issued, but is no authority")
    elif basic.value.path_length is not None and below > basic.value.path_length:
        says = f"{paper} allows {basic.value.path_length} authorities below it, not {below}"
        yield error(question.code("path"), "RFC 5280 6.1.4", says)
    if usage is None:
        says = f"{paper} issued, but has no key usage that says so"
        yield lapse(question, question.code("path"), "RFC 5280 4.2.1.3", says)
    elif not usage.value.key_cert_sign:
        yield error(question.code("path"), "RFC 5280 6.1.4", f"{paper} may not sign certificates")


def _examine_leaf(leaf: Paper, question: Question) -> Iterator[Finding]:
    """What the leaf is for: key usage and extended key usage, where present, must allow it (RFC 5280 4.2.1.3, .12)."""
    if question.use is Purpose.ANY:
        return
    if leaf.is_authority:
        yield error(question.code("is_ca"), "RFC 5280 4.2.1.9", f"{leaf} is an authority, not a {question.use}")
    usage = leaf.find(x509.KeyUsage)
    if usage is not None and not usage.value.digital_signature:
        yield error(question.code("purpose"), "RFC 5280 4.2.1.3", f"the key usage of {leaf} lacks digital signature")
    yield from _examine_extended_usage(leaf, question)
    found = leaf.find(x509.ExtendedKeyUsage)
    if question.use is Purpose.CSMS and found and ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in found.value:
        says = f"{leaf} is for any use; a server's certificate says that it is a server's"
        yield error(question.code("purpose"), "RFC 5280 4.2.1.12", says)


def _examine_lone(leaf: Paper, question: Question) -> Iterator[Finding]:
    """A00.FR.601: a leaf belongs to a hierarchy. One that is itself an anchor has nobody above who could revoke it."""
    if not leaf.is_authority:
        yield error(question.code("untrusted"), "A00.FR.601", f"{leaf} is an anchor itself; no authority issued it")


def _examine_extended_usage(paper: Paper, question: Question) -> Iterator[Finding]:
    """Asked of the leaf and of everything above it: an authority held to one use vouches for no other."""
    if question.use is Purpose.ANY:
        return
    found = paper.find(x509.ExtendedKeyUsage)
    allowed = {_EXTENDED[question.use]}
    if question.use is not Purpose.CSMS:  # a server says that it is one; web authorities may not write "any"
        allowed.add(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    if found is None and question.purpose is Purpose.FIRMWARE and not paper.is_authority:
        says = f"{paper} does not say that it is for code signing"
        yield warning(question.code("purpose"), "RFC 5280 4.2.1.12", says)
    elif found is not None and allowed.isdisjoint(found.value):
        says = f"the extended key usage of {paper} does not allow this use"
        yield error(question.code("purpose"), "RFC 5280 4.2.1.12", says)


def _examine_keys(path: Path, question: Question) -> Iterator[Finding]:
    """RFC 5280 4.2.1.1 and 4.2.1.2: each certificate names the key that signed it, and each authority its own."""
    for paper in path:
        if paper.is_authority and paper.find(x509.SubjectKeyIdentifier) is None:
            yield lapse(question, question.code("key_id"), "RFC 5280 4.2.1.2", f"{paper} does not identify its key")
    for paper, issuer in pairwise(path):
        yield from _examine_key_of_issuer(paper, issuer, question)
        bound = paper.is_authority or question.to_the_letter  # OCPP's own examples of leaves have none
        if bound and paper.find(x509.AuthorityKeyIdentifier) is None:
            says = f"{paper} does not say which key signed it"
            yield lapse(question, question.code("key_id"), "RFC 5280 4.2.1.1", says)
    if path[-1].is_self_issued:
        yield from _examine_key_of_issuer(path[-1], path[-1], question)


def _examine_key_of_issuer(paper: Paper, issuer: Paper, question: Question) -> Iterator[Finding]:
    """What a certificate says of the key that signed it must be true, as far as the issuer says it of itself."""
    found, own = paper.find(x509.AuthorityKeyIdentifier), issuer.find(x509.SubjectKeyIdentifier)
    if found is None:
        return
    named = found.value.key_identifier
    if named is None:
        says = f"{paper} points to a key without its identifier"
        yield lapse(question, question.code("key_id"), "RFC 5280 4.2.1.1", says)
    elif own is not None and named != own.value.digest:
        says = f"{paper} says that another key signed it than that of {issuer}"
        yield error(question.code("key_id"), "RFC 5280 4.2.1.1", says)
    if found.value.authority_cert_serial_number is not None and not _is_that_one(found.value, issuer):
        says = f"{paper} says that another certificate than {issuer} belongs above it"
        yield error(question.code("key_id"), "RFC 5280 4.2.1.1", says)


def _is_that_one(named: x509.AuthorityKeyIdentifier, issuer: Paper) -> bool:
    names = [name.value for name in named.authority_cert_issuer or () if isinstance(name, x509.DirectoryName)]
    is_named = any(compared(name.public_bytes()) == issuer.issuer for name in names)
    return is_named and named.authority_cert_serial_number == issuer.serial


def _examine_revocation(path: Path, question: Question) -> Iterator[Finding]:
    """A00.FR.705: every certificate below the anchor, asked of the one that issued it."""
    for paper, issuer in pairwise(path):
        if question.is_revoked(key_id(issuer.certificate), paper.serial):
            yield error(question.code("revoked"), "A00.FR.705", f"{paper} is revoked")
        elif question.lists is not None:
            yield from _examine_lists(paper, issuer, question)


def _examine_lists(paper: Paper, issuer: Paper, question: Question) -> Iterator[Finding]:
    """RFC 5280 6.3: where lists are given, silence is no consent."""
    standing = question.lists.ask(paper, issuer) if question.lists else None
    if standing is not None and standing.is_revoked:
        yield error(question.code("revoked"), "RFC 5280 6.3", f"{paper} is revoked by a list of its issuer")
    elif standing is not None and not standing.is_cleared:
        why = "; ".join(standing.reasons[:4]) or "none of them is its issuer's"
        yield error(question.code("status"), "RFC 5280 6.3", f"no list given clears {paper}: {why}")
