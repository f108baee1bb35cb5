"""Whether a single certificate is written as RFC 5280 section 4 demands, whoever issued it and whatever it is for.

A certificate that breaks its own form was made by something that does not know the rules, or by somebody who hopes
that two readers will understand it differently. Each rule stands alone; ``examine_form`` gathers what they find.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID

from pki.der import UTC_TIME, Box, read_box
from pki.fields import ANY_POLICY, KEY_USAGE, VERSION
from pki.findings import Finding, error
from pki.question import lapse
from pki.server_name import is_written_well

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pki.paper import Paper
    from pki.question import Question

SERIAL_BYTES_MOST: Final = 20  # octets of a serial number with its sign, RFC 5280 4.1.2.2
GENERALIZED_FROM: Final = "2050"  # the first year that is not written as UTCTime, RFC 5280 4.1.2.5
TIME_LENGTH: Final = {True: 13, False: 15}  # characters of YYMMDDHHMMSSZ and YYYYMMDDHHMMSSZ

_EMPTY: Final = b"\x30\x00"
_ALWAYS_CRITICAL: Final = {
    ExtensionOID.NAME_CONSTRAINTS: "RFC 5280 4.2.1.10",
    ExtensionOID.POLICY_CONSTRAINTS: "RFC 5280 4.2.1.11",
    ExtensionOID.INHIBIT_ANY_POLICY: "RFC 5280 4.2.1.14",
}
_NEVER_CRITICAL: Final = {
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER: "RFC 5280 4.2.1.1",
    ExtensionOID.SUBJECT_KEY_IDENTIFIER: "RFC 5280 4.2.1.2",
    ExtensionOID.SUBJECT_DIRECTORY_ATTRIBUTES: "RFC 5280 4.2.1.8",
    ExtensionOID.FRESHEST_CRL: "RFC 5280 4.2.1.15",
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS: "RFC 5280 4.2.2.1",
    ExtensionOID.SUBJECT_INFORMATION_ACCESS: "RFC 5280 4.2.2.2",
}


def examine_form(paper: Paper, question: Question) -> Iterator[Finding]:
    """Find everything in a certificate that is not written as it must be."""
    yield from _examine_fields(paper, question)
    yield from _examine_version(paper, question)
    yield from _examine_times(paper, question)
    yield from _examine_names(paper, question)
    yield from _examine_critical(paper, question)
    yield from _examine_alternative_name(paper, question)
    yield from _examine_usage(paper, question)
    yield from _examine_constraints(paper, question)
    yield from _examine_policies(paper, question)


def _wrong(question: Question, clause: str, says: str) -> Finding:
    return error(question.code("malformed"), clause, says)


def _examine_fields(paper: Paper, question: Question) -> Iterator[Finding]:
    """RFC 5280 4.1.1.2, 4.1.2.2, 4.1.2.8: the plain fields."""
    fields = paper.fields
    if paper.serial <= 0:
        yield _wrong(question, "RFC 5280 4.1.2.2", f"the serial number of {paper} is not positive")
    if len(fields.serial) > SERIAL_BYTES_MOST:
        says = f"the serial number of {paper} has {len(fields.serial)} octets, {SERIAL_BYTES_MOST} are the most"
        yield _wrong(question, "RFC 5280 4.1.2.2", says)
    if fields.inner_algorithm != fields.outer_algorithm:
        yield _wrong(question, "RFC 5280 4.1.1.2", f"{paper} names two different signature algorithms")
    if _has_parameters(paper):
        yield _wrong(
            question, "RFC 5280 4.1.1.2", f"the signature algorithm of {paper} has parameters it must not have"
        )
    if fields.has_unique_ids:
        yield _wrong(question, "RFC 5280 4.1.2.8", f"{paper} has a unique identifier, which nothing may rest on")


def _has_parameters(paper: Paper) -> bool:
    """RFC 5758 3.2: a signature algorithm for ECDSA stands alone."""
    way = paper.certificate.signature_algorithm_parameters
    return isinstance(way, ec.ECDSA) and len(read_box(paper.fields.outer_algorithm).boxes()) > 1


def _examine_version(paper: Paper, question: Question) -> Iterator[Finding]:
    """An old version without extensions can say nothing of itself; a new certificate has no reason to be one."""
    if paper.fields.version == VERSION:
        return
    says = f"{paper} is of version {paper.fields.version}, not 3"
    if paper.fields.extensions:
        yield _wrong(question, "RFC 5280 4.1.2.1", f"{says}, and has extensions all the same")
    else:
        yield lapse(question, question.code("malformed"), "RFC 5280 4.1.2.1", says)


def _examine_times(paper: Paper, question: Question) -> Iterator[Finding]:
    if not all(map(_is_time, paper.fields.times)):
        yield _wrong(question, "RFC 5280 4.1.2.5", f"a time of {paper} is not written in the one form for it")
    if paper.begin > paper.end:
        yield _wrong(question, "RFC 5280 4.1.2.5", f"{paper} ends before it begins")


def _is_time(box: Box) -> bool:
    is_short = box.tag == UTC_TIME
    digits = box.content[:-1]
    well = len(box.content) == TIME_LENGTH[is_short] and digits.isdigit() and box.content.endswith(b"Z")
    return well and (is_short or digits[:4].decode("ascii") >= GENERALIZED_FROM)


def _examine_names(paper: Paper, question: Question) -> Iterator[Finding]:
    """RFC 5280 4.1.2.4 and 4.1.2.6: there is an issuer; an authority has a subject, a leaf that or another name."""
    if paper.fields.issuer == _EMPTY:
        yield _wrong(question, "RFC 5280 4.1.2.4", "a certificate on the path names no issuer")
    if paper.fields.subject != _EMPTY:
        return
    alternative = paper.find(x509.SubjectAlternativeName)
    if paper.is_authority:
        yield _wrong(question, "RFC 5280 4.1.2.6", "an authority on the path has no subject")
    elif alternative is None or not alternative.critical:
        says = "a certificate without a subject has no critical alternative name"
        yield _wrong(question, "RFC 5280 4.1.2.6", says)


def _examine_critical(paper: Paper, question: Question) -> Iterator[Finding]:
    """RFC 5280 4.2: some extensions must be critical, some must not."""
    for found in paper.extensions:
        name = found.oid.dotted_string
        if found.critical and found.oid in _NEVER_CRITICAL:
            says = f"the extension {name} of {paper} is critical, and must not be"
            yield _wrong(question, _NEVER_CRITICAL[found.oid], says)
        if not found.critical and found.oid in _ALWAYS_CRITICAL:
            says = f"the extension {name} of {paper} is not critical, and must be"
            yield _wrong(question, _ALWAYS_CRITICAL[found.oid], says)


def _examine_alternative_name(paper: Paper, question: Question) -> Iterator[Finding]:
    found = paper.find(x509.SubjectAlternativeName)
    if found is None:
        return
    if not list(found.value):
        yield _wrong(question, "RFC 5280 4.2.1.6", f"the alternative name of {paper} holds no name")
    if found.critical and paper.fields.subject != _EMPTY:
        says = f"the alternative name of {paper} is critical beside a subject"
        yield lapse(question, question.code("malformed"), "RFC 5280 4.2.1.6", says)
    for name in found.value.get_values_for_type(x509.DNSName):
        if not is_written_well(name):
            yield _wrong(question, "RFC 5280 4.2.1.6", f"{name[:64]!r} of {paper} is no DNS name")
    for address in found.value.get_values_for_type(x509.IPAddress):
        if isinstance(address, IPv4Network | IPv6Network):
            yield _wrong(question, "RFC 5280 4.2.1.6", f"{str(address)!r} of {paper} is no address")


def _examine_usage(paper: Paper, question: Question) -> Iterator[Finding]:
    usage = paper.find(x509.KeyUsage)
    if usage is None:
        return
    raw = paper.fields.extension(KEY_USAGE)
    if raw is not None and not any(read_box(raw.value).content[1:]):
        yield _wrong(question, "RFC 5280 4.2.1.3", f"the key usage of {paper} allows nothing")
    if usage.value.key_cert_sign and not paper.is_authority:
        says = f"{paper} may sign certificates by its key usage, but is no authority"
        yield _wrong(question, "RFC 5280 4.2.1.9", says)


def _examine_constraints(paper: Paper, question: Question) -> Iterator[Finding]:
    """RFC 5280 4.2.1.9 and 4.2.1.10: what only an authority may say, and in which form."""
    basic, usage = paper.find(x509.BasicConstraints), paper.find(x509.KeyUsage)
    if paper.find(x509.NameConstraints) is not None and not paper.is_authority:
        yield _wrong(question, "RFC 5280 4.2.1.10", f"{paper} constrains names, but is no authority")
    if basic is None or not basic.value.ca:
        return
    if basic.value.path_length is not None and (usage is None or not usage.value.key_cert_sign):
        says = f"{paper} has a path length, but no key usage that lets it sign certificates"
        yield lapse(question, question.code("malformed"), "RFC 5280 4.2.1.9", says)
    if not basic.critical:
        says = f"the basic constraints of {paper}, an authority, are not critical"
        yield lapse(question, question.code("malformed"), "RFC 5280 4.2.1.9", says)


def _examine_policies(paper: Paper, question: Question) -> Iterator[Finding]:
    """RFC 5280 4.2.1.4 and 4.2.1.5: no policy stands twice, and none is mapped to or from any policy."""
    found = paper.find(x509.CertificatePolicies)
    named = [each.policy_identifier for each in found.value] if found else ["none"]
    if not named or len(set(named)) != len(named):
        yield _wrong(question, "RFC 5280 4.2.1.4", f"{paper} names no certificate policy, or one of them twice")
    pairs = paper.mappings
    if pairs is not None and (not pairs or any(ANY_POLICY in pair for pair in pairs)):
        yield _wrong(question, "RFC 5280 4.2.1.5", f"{paper} maps no certificate policy, or maps any policy")
