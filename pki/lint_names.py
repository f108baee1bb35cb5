"""The rules for names, which certificates and requests have in common, one function each, with the clause beside it.

A rule takes a paper, and the purpose it is for, and yields what it finds. ``NAME_RULES`` at the end of the file is all
of them, each with the clauses it speaks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki import dn
from pki.errors import InputError
from pki.findings import Finding, error, warning
from pki.names import HolderName, Host, SeccId, StationSerial
from pki.profile import CertificatePurpose
from pki.raw_form import read_form
from pki.recall import of_the_last
from pki.v2g import DOMAIN_CPO, RULES

Paper: TypeAlias = x509.Certificate | x509.CertificateSigningRequest
NameRule: TypeAlias = Callable[[Paper, CertificatePurpose], Iterator[Finding]]

UNIQUE: Final = frozenset({NameOID.COMMON_NAME, NameOID.SERIAL_NUMBER, NameOID.COUNTRY_NAME})  # one of each at most
_COUNTED_HERE: Final = tuple(sorted(UNIQUE - {NameOID.COMMON_NAME}, key=lambda each: each.dotted_string))
_PLAIN_KINDS: Final = {dn.COMMON_NAME: NameOID.COMMON_NAME, dn.ORGANISATION: NameOID.ORGANIZATION_NAME}
_CLAUSES: Final = {CertificatePurpose.CSMS: "A00.FR.510", CertificatePurpose.STATION: "A00.FR.511"}


def _common_name(paper: Paper, purpose: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.510 for the CSMS, A00.FR.511 for stations, ISO 15118 for what is shown to cars."""
    clause = _clause_of(purpose)
    names = _texts(paper, NameOID.COMMON_NAME)
    if len(names) != 1:
        yield error("lint.common_name", clause, f"it has {len(names)} common names; exactly one is due")
        return
    if _is_wildcard(names[0], purpose):
        return
    try:
        if _normal_name(names[0], purpose) != names[0]:
            yield error("lint.common_name", clause, f"its common name {names[0][:72]!r} is not in normal form")
    except InputError as wrong:
        yield error("lint.common_name", clause, wrong.cause)


def _clause_of(purpose: CertificatePurpose) -> str:
    if purpose.is_secc and purpose.edition:
        return RULES[purpose.edition].subject_clause
    return _CLAUSES.get(purpose, "RFC 5280 A.1")


def _normal_name(name: str, purpose: CertificatePurpose) -> str:
    if purpose is CertificatePurpose.CSMS:
        return Host.parse(name).text
    if purpose is CertificatePurpose.STATION:
        return StationSerial.parse(name).text
    if purpose.is_secc:
        return SeccId.parse(name).text
    return HolderName.parse(name).text


def _wildcard(paper: Paper, purpose: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.510 wants the full name; a station takes a wildcard only where its AllowCSMSTLSWildcards was set."""
    for name in _texts(paper, NameOID.COMMON_NAME):
        if _is_wildcard(name, purpose):
            yield error("lint.wildcard", "A00.FR.510", f"its common name {name[:72]!r} is a wildcard, not one host")


def _is_wildcard(name: str, purpose: CertificatePurpose) -> bool:
    return purpose is CertificatePurpose.CSMS and name.startswith("*.")


def _organisation(paper: Paper, purpose: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.509; its absence is a warning, since some testers leave it out."""
    names = _texts(paper, NameOID.ORGANIZATION_NAME)
    if len(names) > 1:
        yield error("lint.organisation", "A00.FR.509", f"it names {len(names)} organisations; one is due")
    elif not names and not purpose.is_ca:
        yield warning("lint.organisation", "A00.FR.509", "it names no organisation")


def _empty_attribute(paper: Paper, _: CertificatePurpose) -> Iterator[Finding]:
    """RFC 5280 4.1.2.4: an attribute says something; two of one kind say two things."""
    seen = [oid for oid, _ in _attributes(paper)]
    if not all(text.strip() for _, text in _attributes(paper)):
        yield error("lint.name", "RFC 5280 4.1.2.4", "an attribute of its subject is empty")
    for oid in _COUNTED_HERE:
        if seen.count(oid) > 1:
            yield error("lint.name", "RFC 5280 4.1.2.4", f"its subject has several attributes {oid.dotted_string}")


def _domain_component(paper: Paper, purpose: CertificatePurpose) -> Iterator[Finding]:
    """V2G2-875: cars hang up on a station whose certificate does not say CPO."""
    if not purpose.is_secc:
        return
    found = _texts(paper, NameOID.DOMAIN_COMPONENT)
    if found != (DOMAIN_CPO,):
        shown = ", ".join(each[:20] for each in found[:3]) or "none"
        yield error("lint.domain_component", "V2G2-875", f"its domain component is {shown!r}; {DOMAIN_CPO!r} is due")


def _country(paper: Paper, purpose: CertificatePurpose) -> Iterator[Finding]:
    """ISO 15118 wants a country in what is shown to cars; the operator is told by the SECCID already."""
    if not purpose.is_secc or purpose.edition is None:
        return
    if not _texts(paper, NameOID.COUNTRY_NAME):
        yield error("lint.country", RULES[purpose.edition].subject_clause, "it names no country")


def _texts(paper: Paper, kind: x509.ObjectIdentifier) -> tuple[str, ...]:
    return tuple(text for oid, text in _attributes(paper) if oid == kind)


@of_the_last  # the rules ask one after the other
def _attributes(paper: Paper) -> tuple[tuple[x509.ObjectIdentifier, str], ...]:
    """Return the attributes of the subject, in order; those of a plain one are read sooner than made by the library."""
    plain = dn.read_plain(read_form(paper).subject) if isinstance(paper, x509.Certificate) else None
    if plain is not None:
        return tuple((_PLAIN_KINDS[kind], text) for kind, text in plain)
    return tuple((attribute.oid, str(attribute.value)) for attribute in paper.subject)


NAME_RULES: Final[Mapping[NameRule, tuple[str, ...]]] = {
    _common_name: ("A00.FR.510", "A00.FR.511", "ISO 15118-2 F", "ISO 15118-20", "RFC 5280 A.1"),
    _wildcard: ("A00.FR.510",),
    _organisation: ("A00.FR.509",),
    _empty_attribute: ("RFC 5280 4.1.2.4",),
    _domain_component: ("V2G2-875",),
    _country: ("ISO 15118-2 F", "ISO 15118-20"),
}
"""Every rule for names, with the clauses it speaks for."""
