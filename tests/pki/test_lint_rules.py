"""Each rule, broken once: the finding has its code and its clause."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.findings import Severity
from pki.lint import lint_certificate
from pki.lint_rules import RULES
from pki.profile import CertificatePurpose
from tests.pki.papers import codes, handmade, issuing, key, leaf, over_sha1, root, usage

HOLDER, SIGNER = key("p256", "leaf"), key("p256", "issuing")
LEAF = x509.BasicConstraints(False, None)
SIGNS = usage(digital_signature=True)
SKI = x509.SubjectKeyIdentifier.from_public_key(HOLDER.public_key())
AKI = x509.AuthorityKeyIdentifier(b"\1" * 20, None, None)
GOOD: tuple[tuple[x509.ExtensionType, bool], ...] = ((LEAF, True), (SIGNS, True), (SKI, False), (AKI, False))
SERIAL = 1 << 100


def other(
    *extensions: tuple[x509.ExtensionType, bool], subject: str = "SN-001", number: int = SERIAL
) -> x509.Certificate:
    """A leaf of another authority."""
    return handmade(subject, HOLDER, issuing().certificate, SIGNER, *extensions, number=number)


@pytest.mark.parametrize(
    ("certificate", "purpose"),
    [
        (root().certificate, CertificatePurpose.ROOT),
        (issuing().certificate, CertificatePurpose.ISSUING),
        (leaf().certificate, CertificatePurpose.STATION),
        (leaf("csms", "csms.example.org").certificate, CertificatePurpose.CSMS),
        (leaf("csms", "csms.example.org", "rsa2048").certificate, CertificatePurpose.CSMS),
        (leaf("ocsp", "Example OCSP").certificate, CertificatePurpose.OCSP),
    ],
)
def test_our_own_certificates_keep_every_rule(certificate: x509.Certificate, purpose: CertificatePurpose) -> None:
    """What we issue passes what we ask of others; remarks are allowed, warnings are not."""
    assert {found.severity for found in lint_certificate(certificate, purpose)} <= {Severity.INFO}


@pytest.mark.parametrize(
    ("certificate", "code"),
    [
        pytest.param(other(*GOOD, number=12345), "lint.serial", id="a serial that can be guessed"),
        pytest.param(other(*GOOD, number=(1 << 159) + 1), "lint.serial", id="a serial of 160 bits"),
        pytest.param(other(*GOOD, subject="http://x"), "lint.common_name", id="a URL as name"),
        pytest.param(other((SIGNS, True), (SKI, False), (AKI, False)), "lint.basic_constraints", id="no constraints"),
        pytest.param(other((LEAF, False), *GOOD[1:]), "lint.basic_constraints", id="constraints not critical"),
        pytest.param(
            other((x509.BasicConstraints(True, None), True), *GOOD[1:]), "lint.ca", id="an authority as station"
        ),
        pytest.param(other(GOOD[0], *GOOD[2:]), "lint.key_usage", id="no key usage"),
        pytest.param(other(GOOD[0], (SIGNS, False), *GOOD[2:]), "lint.key_usage", id="key usage not critical"),
        pytest.param(
            other(GOOD[0], (usage(digital_signature=True, key_cert_sign=True), True), *GOOD[2:]),
            "lint.key_usage",
            id="a leaf that may sign certificates",
        ),
        pytest.param(other(GOOD[0], (usage(key_agreement=True), True), *GOOD[2:]), "lint.key_usage", id="cannot sign"),
        pytest.param(other(*GOOD[:2], (AKI, False)), "lint.subject_key", id="own key not identified"),
        pytest.param(other(*GOOD[:3]), "lint.authority_key", id="issuer's key not identified"),
        pytest.param(
            other(*GOOD, (x509.SubjectAlternativeName([x509.DNSName("a.example")]), False)),
            "lint.alternative_name",
            id="an alternative name on a station",
        ),
        pytest.param(
            other(*GOOD, (x509.OCSPNoCheck(), False)), "lint.stray_extension", id="an extension nobody planned"
        ),
        pytest.param(
            other(*GOOD, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False)),
            "lint.extended_key_usage",
            id="a station that may answer for the authority",
        ),
    ],
)
def test_a_broken_rule_is_an_error_by_its_own_code(certificate: x509.Certificate, code: str) -> None:
    """One fault gives exactly one kind of error, with a clause beside it."""
    found = lint_certificate(certificate, CertificatePurpose.STATION)
    errors = [each for each in found if each.severity is Severity.ERROR]

    assert codes(errors) == {code}
    assert all(each.clause for each in errors)


@pytest.mark.parametrize("names", [["other.example.org"], ["csms.example.org", "other.example.org"], ["*.example.org"]])
def test_the_csms_has_no_other_name_than_its_own(names: list[str]) -> None:
    """A00.FR.510: neither a second name nor a wildcard."""
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    certificate = other(*GOOD, (alternative, False), subject="csms.example.org")

    assert "lint.alternative_name" in codes(lint_certificate(certificate, CertificatePurpose.CSMS))


def test_extended_key_usage_on_a_station_is_a_warning() -> None:
    """A00.FR.514 advises against it, and does not forbid it."""
    certificate = other(*GOOD, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False))
    found = [each for each in lint_certificate(certificate, CertificatePurpose.STATION) if "extended" in each.code]

    assert [(each.severity, each.clause) for each in found] == [(Severity.WARNING, "A00.FR.514")]


def test_a_short_lived_station_certificate_is_a_warning() -> None:
    """A03.FR.02: it would be renewed at every boot."""
    certificate = handmade("SN-001", HOLDER, issuing().certificate, SIGNER, *GOOD, days=(0, 30), number=SERIAL)

    assert "lint.short_life" in codes(lint_certificate(certificate, CertificatePurpose.STATION))


def test_an_ocsp_signer_without_its_usage_is_an_error() -> None:
    """RFC 6960 4.2.2.2."""
    assert "lint.extended_key_usage" in codes(lint_certificate(other(*GOOD), CertificatePurpose.OCSP))


def test_a_sha1_signature_is_an_error() -> None:
    """A00.FR.506, found in the bytes themselves."""
    old = key("rsa2048", "old")
    sound = handmade("SN-001", HOLDER, "Old CA", old, *GOOD, number=SERIAL)
    weak = x509.load_der_x509_certificate(over_sha1(sound.public_bytes(Encoding.DER), sound.tbs_certificate_bytes))

    assert "alg.weak" in codes(lint_certificate(weak, CertificatePurpose.STATION))


def test_a_weak_key_is_an_error() -> None:
    """A00.FR.502."""
    certificate = handmade("SN-001", key("rsa1024"), issuing().certificate, SIGNER, *GOOD, number=SERIAL)

    assert "alg.weak" in codes(lint_certificate(certificate, CertificatePurpose.STATION))


def test_a_certificate_too_long_for_one_message_field_is_an_error() -> None:
    """5,500 characters are what InstallCertificate carries."""
    fat = x509.SubjectAlternativeName([x509.DNSName("a" * 60 + f"{number}.example") for number in range(80)])

    assert "lint.length" in codes(lint_certificate(other(*GOOD, (fat, False)), CertificatePurpose.CSMS))


def test_every_rule_has_its_clause_in_its_code_or_docstring() -> None:
    """A reader finds the reason beside the rule."""
    assert len(RULES) == len(set(RULES))
    assert all(rule.__name__.startswith("_") for rule in RULES)
