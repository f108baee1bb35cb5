"""The rules for how a certificate is written, one function each, with the clause beside it.

They find what can be read here, and may be read otherwise elsewhere.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from pki.der import GENERALIZED_TIME, IA5_STRING, PRINTABLE_STRING, UTC_TIME, UTF8_STRING
from pki.findings import Finding, error
from pki.profile import CertificatePurpose
from pki.raw_form import read_form

FormRule: TypeAlias = Callable[[x509.Certificate, CertificatePurpose], Iterator[Finding]]

TURN: Final = dt.datetime(2050, 1, 1, tzinfo=dt.UTC)  # from here on times have four digits of a year, RFC 5280 4.1.2.5

_STRINGS: Final = frozenset({UTF8_STRING, PRINTABLE_STRING, IA5_STRING})
_NEVER_CRITICAL: Final = {
    ExtensionOID.SUBJECT_KEY_IDENTIFIER: "RFC 5280 4.2.1.2",
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER: "RFC 5280 4.2.1.1",
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS: "RFC 5280 4.2.2.1",
}


def _time_form(certificate: x509.Certificate, _: CertificatePurpose) -> Iterator[Finding]:
    """RFC 5280 4.1.2.5: two digits of a year until 2049, four from 2050 on."""
    times = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    due = tuple(UTC_TIME if time < TURN else GENERALIZED_TIME for time in times)
    if read_form(certificate).times != due:
        yield error("lint.time_form", "RFC 5280 4.1.2.5", "its times are not written in the form due for their years")


def _string_form(certificate: x509.Certificate, _: CertificatePurpose) -> Iterator[Finding]:
    """RFC 5280 4.1.2.4: older kinds of text are read differently by different programs."""
    strange = sorted({text.tag for text in read_form(certificate).names} - _STRINGS)
    if strange:
        says = f"its names hold text of a kind ({strange[0]:#04x}) that is neither UTF8String nor PrintableString"
        yield error("lint.string_form", "RFC 5280 4.1.2.4", says)


def _algorithm_form(certificate: x509.Certificate, _: CertificatePurpose) -> Iterator[Finding]:
    """RFC 5280 4.1.1.2: the algorithm is named twice, once where the signature protects it."""
    form = read_form(certificate)
    if form.inner_algorithm != form.outer_algorithm:
        yield error("lint.algorithm_form", "RFC 5280 4.1.1.2", "it names two algorithms for its one signature")


def _critical_form(certificate: x509.Certificate, _: CertificatePurpose) -> Iterator[Finding]:
    """RFC 5280 4.2.1.1, 4.2.1.2 and 4.2.2.1: what only helps to find a path must not break one."""
    for found in certificate.extensions:
        if found.critical and found.oid in _NEVER_CRITICAL:
            says = f"its extension {found.oid.dotted_string} is critical"
            yield error("lint.critical_form", _NEVER_CRITICAL[found.oid], says)


FORM_RULES: Final[Mapping[FormRule, tuple[str, ...]]] = {
    _time_form: ("RFC 5280 4.1.2.5",),
    _string_form: ("RFC 5280 4.1.2.4",),
    _algorithm_form: ("RFC 5280 4.1.1.2",),
    _critical_form: tuple(sorted(_NEVER_CRITICAL.values())),
}
"""Every rule for the form, with the clauses it speaks for."""

OWN_FORM: Final[tuple[FormRule, ...]] = (_time_form, _string_form)
"""Those that look at what differs between the certificates of one frame (``pki.frame``)."""
