"""The rules that every certificate is held against, one function each, with the clause beside it.

A rule takes a certificate whose extensions can be read, and the purpose it is for, and yields what it finds.
``RULES`` at the end of the file is all of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

from pki.certificate import common_names, extension, hash_of_signature, is_self_issued, organisations, to_pem
from pki.errors import InputError
from pki.findings import Finding, error, info, warning
from pki.names import CERTIFICATE_SERIAL_BITS, Host, StationSerial
from pki.profile import STATION_DAYS_LEAST, CertificatePurpose
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
    }
)
_ALSO: Final = {
    CertificatePurpose.CSMS: ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    CertificatePurpose.OCSP: ExtensionOID.OCSP_NO_CHECK,
}


def _serial(certificate: x509.Certificate, _: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.508 wants one, RFC 5280 positive and short, OCPP's messages at most 40 hex digits without a sign bit."""
    bits = certificate.serial_number.bit_length()
    if certificate.serial_number <= 0 or bits > CERTIFICATE_SERIAL_BITS:
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


def _signature(certificate: x509.Certificate, _: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.504 to .506."""
    try:
        algorithm = hash_of_signature(certificate)
        yield from check_signature_hash(algorithm)
        if certificate.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS:
            yield from check_pss(certificate.signature_algorithm_parameters, algorithm)
    except InputError:
        yield error("alg.unsupported", "A00.FR.504", "it is signed with an algorithm that is not known here")


def _organisation(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.509; its absence is a warning, since some testers leave it out."""
    names = organisations(certificate.subject)
    if len(names) > 1:
        yield error("lint.organisation", "A00.FR.509", f"it names {len(names)} organisations; one is due")
    elif not names and not purpose.is_ca:
        yield warning("lint.organisation", "A00.FR.509", "it names no organisation")


def _common_name(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """A00.FR.510 for the CSMS, A00.FR.511 for stations."""
    clause = "A00.FR.510" if purpose is CertificatePurpose.CSMS else "A00.FR.511"
    names = common_names(certificate.subject)
    if len(names) != 1:
        yield error("lint.common_name", clause, f"it has {len(names)} common names; exactly one is due")
        return
    try:
        if _normal_name(names[0], purpose) != names[0]:
            yield error("lint.common_name", clause, f"its common name {names[0][:72]!r} is not in normal form")
    except InputError as wrong:
        yield error("lint.common_name", clause, wrong.cause)


def _normal_name(name: str, purpose: CertificatePurpose) -> str:
    if purpose is CertificatePurpose.CSMS:
        return Host.parse(name).text
    if purpose is CertificatePurpose.STATION:
        return StationSerial.parse(name).text
    return name


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
    """A00.FR.514 advises against it; RFC 6960 4.2.2.2 demands it of an OCSP signer and lets nobody else have it."""
    found = extension(certificate, x509.ExtendedKeyUsage)
    answers = found is not None and ExtendedKeyUsageOID.OCSP_SIGNING in found.value
    if answers is not (purpose is CertificatePurpose.OCSP):
        yield error(
            "lint.extended_key_usage", "RFC 6960 4.2.2.2", "OCSP signing belongs to OCSP signers, and to them alone"
        )
    if found is not None and purpose in {CertificatePurpose.CSMS, CertificatePurpose.STATION}:
        yield warning(
            "lint.extended_key_usage", "A00.FR.514", "it has an extended key usage; some stations stumble over it"
        )


def _key_identifiers(certificate: x509.Certificate, _: CertificatePurpose) -> Iterator[Finding]:
    """RFC 5280 4.2.1.1 and .2; a root needs not name its issuer's key, which is its own."""
    if extension(certificate, x509.SubjectKeyIdentifier) is None:
        yield error("lint.subject_key", "RFC 5280 4.2.1.2", "it does not identify its own key")
    if extension(certificate, x509.AuthorityKeyIdentifier) is None and not is_self_issued(certificate):
        yield error("lint.authority_key", "RFC 5280 4.2.1.1", "it does not name its issuer's key")


def _stray_extensions(certificate: x509.Certificate, purpose: CertificatePurpose) -> Iterator[Finding]:
    """RFC 5280 4.2: what nobody planned must not be signed. Alternative names have their own rule."""
    allowed = {*_COMMON, _ALSO.get(purpose), ExtensionOID.SUBJECT_ALTERNATIVE_NAME}
    for found in certificate.extensions:
        if found.oid not in allowed:
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
    if (length := len(to_pem([certificate]))) > PEM_LENGTH_MOST:
        yield error("lint.length", "A00.FR.507", f"it takes {length} characters of PEM; {PEM_LENGTH_MOST} are the most")


RULES: Final[tuple[Rule, ...]] = (
    _version,
    _serial,
    _key,
    _signature,
    _common_name,
    _organisation,
    _alternative_name,
    _basic_constraints,
    _key_usage,
    _extended_key_usage,
    _key_identifiers,
    _stray_extensions,
    _validity,
    _length,
)
