"""The rules that every certificate is held against, one function each, with the clause beside it.

A rule takes a certificate whose extensions can be read, and the purpose it is for, and yields what it finds.
``RULES`` at the end of the file is all of them, with those for names, for the form and for V2G, each with the clauses
it speaks for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

from pki.certificate import common_names, extension, hash_of_signature, is_self_issued, pem_length
from pki.errors import InputError
from pki.findings import Finding, error, info, warning
from pki.lint_form import FORM_RULES, OWN_FORM
from pki.lint_names import NAME_RULES
from pki.lint_v2g import V2G_RULES
from pki.names import CERTIFICATE_SERIAL_BITS
from pki.profile import EXTENDED_KEY_USES, STATION_DAYS_LEAST, CertificatePurpose
from pki.profile_keys import ALLOWED_USES, DUE_USES, NEEDED_USES, PATH_LENGTHS
from pki.raw_form import read_form
from pki.signed import is_pss_only
from pki.strength import check_key, check_pss, check_signature_hash

Rule: TypeAlias = Callable[[x509.Certificate, CertificatePurpose], Iterator[Finding]]

SERIAL_BITS_LEAST: Final = 64  # bits; CA/Browser Forum's answer to chosen-prefix collisions, taken over here
PEM_LENGTH_MOST: Final = 5_500  # characters; InstallCertificate and firmware.signingCertificate
CSMS_DAY: Final = dt.timedelta(hours=24)  # A00.FR.701

_COMMON: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
_DUE_USES: Final = {purpose: frozenset({EXTENDED_KEY_USES[use]}) for purpose, use in DUE_USES.items()}
_ALLOWED_USES: Final = {
    purpose: frozenset(EXTENDED_KEY_USES[use] for use in uses) for purpose, uses in ALLOWED_USES.items()
}
_NEEDED_USES: Final = {purpose: frozenset({EXTENDED_KEY_USES[use]}) for purpose, use in NEEDED_USES.items()}
_ALSO: Final = {CertificatePurpose.OCSP: ExtensionOID.OCSP_NO_CHECK}


def _serial(certificate: x509.Certificate, _: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.508 wants one, RFC 5280 positive and short, OCPP's messages at most 40 hex digits without a sign bit."""
    serial = certificate.serial_number
    bits = serial.bit_length()
    if serial <= 0 or bits > CERTIFICATE_SERIAL_BITS:
        yield error(
            "lint.serial", "RFC 5280 4.1.2.2", f"its serial number is not within 1..{CERTIFICATE_SERIAL_BITS} bits"
        )
    elif bits < SERIAL_BITS_LEAST:
        yield error(
            "lint.serial", "A00.FR.508", f"its serial number has {bits} bits; {SERIAL_BITS_LEAST} are the least"
        )


def _version(certificate: x509.Certificate, _: CertificatePurpose) -> Iterator[Finding]:
    if certificate.version is not x509.Version.v3:
        yield error("lint.version", "RFC 5280 4.1.2.1", "it is not of X.509 version 3")


def _key(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.501 to .504; an experiment with a new kind of key ends at authorities."""
    yield from check_key(certificate.public_key(), unsafe_experimental=purpose.is_ca)


def _mark(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """RFC 4055 1.2: such an authority signs as it is bound to; a leaf that cannot be read in the field is told of."""
    if not purpose.is_ca and is_pss_only(certificate.public_key(), read_form(certificate).key):
        yield warning("alg.pss_only", "RFC 4055 1.2", "its key is marked as one for RSA-PSS alone, which few can read")


def _signature(certificate: x509.Certificate, _: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.504 to .506."""
    try:
        algorithm = hash_of_signature(certificate)
        yield from check_signature_hash(algorithm)
        if certificate.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS:
            yield from check_pss(certificate.signature_algorithm_parameters, algorithm)
    except InputError:
        yield error("alg.unsupported", "A00.FR.504", "it is signed with an algorithm that is not known here")


def _alternative_name(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.511 wants none; for the CSMS one name equal to the CN, as today's TLS libraries demand."""
    found = extension(certificate, x509.SubjectAlternativeName)
    if found is None:
        return
    if purpose is not CertificatePurpose.CSMS:
        yield error(
            "lint.alternative_name", "A00.FR.511", "it has a subject alternative name, which is for the CSMS alone"
        )
    elif [name.value for name in found.value] != list(common_names(certificate.subject)):
        yield error("lint.alternative_name", "A00.FR.511", "its alternative names are not exactly its common name")


def _basic_constraints(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """RFC 5280 4.2.1.9: above all, no leaf may sign certificates."""
    found = extension(certificate, x509.BasicConstraints)
    if found is None or not found.critical:
        yield error("lint.basic_constraints", "RFC 5280 4.2.1.9", "it has no critical basic constraints")
    if found is not None and found.value.ca is not purpose.is_ca:
        says = "it is an authority's certificate" if found.value.ca else "it is not an authority's certificate"
        yield error("lint.ca", "RFC 5280 4.2.1.9", f"{says}, which does not fit its purpose, {purpose}")


def _key_usage(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.512, RFC 5280 4.2.1.3."""
    found = extension(certificate, x509.KeyUsage)
    if found is None:
        yield error("lint.key_usage", "A00.FR.512", "it has no key usage")
        return
    if not found.critical:
        yield error("lint.key_usage", "RFC 5280 4.2.1.3", "its key usage is not critical")
    if found.value.key_cert_sign is not purpose.is_ca:
        says = "its key usage lacks certificate signing" if purpose.is_ca else "its key usage has certificate signing"
        yield error("lint.key_usage", "RFC 5280 4.2.1.3", says)
    if not purpose.is_ca and not found.value.digital_signature:
        yield error("lint.key_usage", "A00.FR.512", "its key usage lacks digital signature")


def _extended_key_usage(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.514 advises against it. Who is for one thing alone must say so; nobody else may (RFC 6960 4.2.2.2)."""
    found = extension(certificate, x509.ExtendedKeyUsage)
    uses = frozenset() if found is None else frozenset(found.value)
    due, allowed = _DUE_USES.get(purpose, frozenset()), _ALLOWED_USES.get(purpose, frozenset())
    lacks = _NEEDED_USES.get(purpose, frozenset()) - uses if uses else frozenset()
    if purpose.is_ca:
        return
    if ExtendedKeyUsageOID.OCSP_SIGNING in uses ^ due:
        says = "OCSP signing belongs to OCSP signers, and to them alone"
        yield error("lint.extended_key_usage", "RFC 6960 4.2.2.2", says)
    elif due - uses or lacks or uses - due - allowed:
        says = "its extended key usage is not the one due" if due or lacks else "its key is for other uses too"
        yield error("lint.extended_key_usage", "RFC 5280 4.2.1.12", says)
    elif uses and not due:
        says = "it has an extended key usage; some stations stumble over it"
        yield warning("lint.extended_key_usage", "A00.FR.514", says)


def _path_length(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """RFC 5280 4.2.1.9: an authority that signs leaves alone says so, and so does the one above it."""
    basic, due = extension(certificate, x509.BasicConstraints), PATH_LENGTHS.get(purpose)
    if basic is None or not basic.value.ca or due is None or basic.value.path_length == due:
        return
    says = f"it allows {_count(basic.value.path_length)} authorities below it; {due} may stand there"
    yield error("lint.path_length", "RFC 5280 4.2.1.9", says)


def _count(length: int | None) -> str:
    return "any number of" if length is None else str(length)


def _key_identifiers(certificate: x509.Certificate, _: CertificatePurpose) -> Iterator[Finding]:
    """RFC 5280 4.2.1.1 and .2; a root needs not name its issuer's key, which is its own."""
    if extension(certificate, x509.SubjectKeyIdentifier) is None:
        yield error("lint.subject_key", "RFC 5280 4.2.1.2", "it does not identify its own key")
    if extension(certificate, x509.AuthorityKeyIdentifier) is None and not is_self_issued(certificate):
        yield error("lint.authority_key", "RFC 5280 4.2.1.1", "it does not name its issuer's key")


def _stray_extensions(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """RFC 5280 4.2: what nobody planned must not be signed. Alternative names have their own rule."""
    for found in certificate.extensions:
        if found.oid not in _COMMON and found.oid != _ALSO.get(purpose):
            yield error(
                "lint.stray_extension", "RFC 5280 4.2", f"it has an extension {found.oid.dotted_string} not due"
            )


def _validity(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """RFC 5280 4.1.2.5; A03.FR.02 makes short station certificates a nuisance, A00.FR.701 long CSMS ones a choice."""
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    if lifetime <= dt.timedelta(0):
        yield error("lint.validity", "RFC 5280 4.1.2.5", "its validity ends before it begins")
    if purpose is CertificatePurpose.STATION and lifetime < dt.timedelta(days=STATION_DAYS_LEAST):
        says = f"it lives less than {STATION_DAYS_LEAST} days; stations renew one month before the end"
        yield warning("lint.short_life", "A03.FR.02", says)
    if purpose is CertificatePurpose.CSMS and lifetime > CSMS_DAY:
        yield info(
            "lint.long_life", "A00.FR.701", "it lives longer than a day, so it must be revoked when its key is lost"
        )


def _length(certificate: x509.Certificate, _: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.507 and the schemas' limit on one certificate."""
    if (length := pem_length(read_form(certificate).length)) > PEM_LENGTH_MOST:
        yield error("lint.length", "A00.FR.507", f"it takes {length} characters of PEM; {PEM_LENGTH_MOST} are the most")


_NAMES: Final[Mapping[Rule, tuple[str, ...]]] = dict(NAME_RULES.items())

RULES: Final[Mapping[Rule, tuple[str, ...]]] = {
    _version: ("RFC 5280 4.1.2.1",),
    _serial: ("A00.FR.508", "RFC 5280 4.1.2.2"),
    _key: ("A00.FR.502", "A00.FR.503", "A00.FR.504"),
    _mark: ("RFC 4055 1.2",),
    _signature: ("A00.FR.504", "A00.FR.506"),
    **_NAMES,
    _alternative_name: ("A00.FR.511",),
    _basic_constraints: ("RFC 5280 4.2.1.9",),
    _path_length: ("RFC 5280 4.2.1.9",),
    _key_usage: ("A00.FR.512", "RFC 5280 4.2.1.3"),
    _extended_key_usage: ("A00.FR.514", "RFC 5280 4.2.1.12", "RFC 6960 4.2.2.2"),
    _key_identifiers: ("RFC 5280 4.2.1.1", "RFC 5280 4.2.1.2"),
    _stray_extensions: ("RFC 5280 4.2",),
    _validity: ("A00.FR.701", "A03.FR.02", "RFC 5280 4.1.2.5"),
    _length: ("A00.FR.507",),
    **FORM_RULES,
    **V2G_RULES,
}
"""Every rule, with the clauses it speaks for."""

OF_ITS_OWN: Final[tuple[Rule, ...]] = (_serial, *_NAMES, _validity, _length, *OWN_FORM)
"""The rules that look at what differs between certificates of one frame (``pki.frame``): serial, names, times, size.

All others find the same in each of a station's certificates that has the frame, and a test holds them to it.
"""
