"""Each rule, broken once: the finding has its code and its clause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki.clauses import explain
from pki.findings import Severity
from pki.lint import lint_certificate
from pki.lint_rules import RULES
from pki.profile import CertificatePurpose
from tests.chains import held_to
from tests.pki.papers import codes, handmade, issuing, key, leaf, over_sha1, root, usage
from tests.pki.specimens import SECC_ID, altered, box, rewritten, specimen, split

if TYPE_CHECKING:
    from collections.abc import Callable

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


def test_a_station_that_says_it_is_a_server_alone_is_refused() -> None:
    """Our own listeners would turn it away; A00.FR.428 has one certificate for both sides, which says both."""
    server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    alone, both = (altered(STATION, (x509.ExtendedKeyUsage(uses), False)) for uses in ([server], [server, client]))
    found = [[each.severity for each in lint_certificate(paper, STATION)] for paper in (alone, both)]

    assert found == [[Severity.ERROR], [Severity.WARNING]]


def test_a_leaf_whose_key_is_marked_for_pss_alone_is_told_of() -> None:
    """RFC 4055 1.2: others may issue such, and few can read it; an authority of such a key binds itself alone."""
    leaf_marked, above = (rewritten(specimen(purpose), 6, marked) for purpose in (STATION, CertificatePurpose.ISSUING))
    found = {each.code: each.severity for each in lint_certificate(leaf_marked, STATION)}

    assert found["alg.pss_only"] is Severity.WARNING
    assert "alg.pss_only" not in codes(lint_certificate(above, CertificatePurpose.ISSUING))


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


STATION = CertificatePurpose.STATION
SECC = CertificatePurpose.V2G_SECC_2
WIDE = x509.CRLDistributionPoints(
    [x509.DistributionPoint([x509.UniformResourceIdentifier("http://crl.example/" + "x" * 5000)], None, None, None)]
)
LONG = x509.CRLDistributionPoints(
    [x509.DistributionPoint([x509.UniformResourceIdentifier("http://crl.example/" + "x" * 400)], None, None, None)]
)


def subject(*pairs: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    """A subject of these attributes."""
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs])


def old_text() -> x509.Name:
    """A subject whose organisation is a BMPString."""
    odd = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Charging", _type=_ASN1Type.BMPString)
    return x509.Name([odd, x509.NameAttribute(NameOID.COMMON_NAME, "SN-001")])


def four_digit_years(validity: bytes) -> bytes:
    """A validity whose beginning is a GeneralizedTime although its year is before 2050."""
    _, whole, content = split(validity)[0]
    assert whole == validity
    (_, _, begin), (_, end, _) = split(content)
    return box(0x30, box(0x18, b"20" + begin) + end)


def first_version(part: bytes) -> bytes:
    """No version at all, which means the first, written where there are extensions."""
    assert part == bytes.fromhex("a003020102")
    return b""


def other_algorithm(part: bytes) -> bytes:
    """ECDSA with SHA-384 where the signature says SHA-256."""
    return part.replace(bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d040303"))


def over_an_old_hash() -> x509.Certificate:
    """A certificate signed over SHA-1."""
    old = key("rsa2048", "old")
    sound = altered(STATION, signer=old)
    return x509.load_der_x509_certificate(over_sha1(sound.public_bytes(Encoding.DER), sound.tbs_certificate_bytes))


def marked(_: bytes) -> bytes:
    """A key that is marked for RSA-PSS alone."""
    holder = key("rsa2048", "marked")
    assert isinstance(holder, rsa.RSAPrivateKey)
    return held_to(holder.public_key())


CN, C, DC = NameOID.COMMON_NAME, NameOID.COUNTRY_NAME, NameOID.DOMAIN_COMPONENT
OURS = (NameOID.ORGANIZATION_NAME, "Example Charging")
WILD = x509.SubjectAlternativeName([x509.DNSName("*.example.org")])

BROKEN: dict[str, tuple[Callable[[], x509.Certificate], CertificatePurpose]] = {
    "_version": (lambda: rewritten(specimen(STATION), 0, first_version), STATION),
    "_serial": (lambda: altered(STATION, number=12345), STATION),
    "_key": (lambda: altered(STATION, public=key("rsa1024")), STATION),
    "_mark": (lambda: rewritten(specimen(STATION), 6, marked), STATION),
    "_signature": (over_an_old_hash, STATION),
    "_common_name": (lambda: altered(STATION, subject=subject(OURS, (CN, "10.0.0.1"))), STATION),
    "_wildcard": (
        lambda: altered(CertificatePurpose.CSMS, (WILD, False), subject=subject(OURS, (CN, "*.example.org"))),
        CertificatePurpose.CSMS,
    ),
    "_organisation": (lambda: altered(STATION, subject=subject((CN, "SN-001"))), STATION),
    "_empty_attribute": (lambda: altered(STATION, subject=subject(OURS, (C, "DE"), (C, "FR"), (CN, "S1"))), STATION),
    "_domain_component": (
        lambda: altered(SECC, subject=subject((DC, "V2G"), (C, "DE"), OURS, (CN, SECC_ID))), SECC,
    ),
    "_country": (lambda: altered(SECC, subject=subject((DC, "CPO"), OURS, (CN, SECC_ID))), SECC),
    "_alternative_name": (lambda: altered(STATION, (WILD, False)), STATION),
    "_basic_constraints": (lambda: altered(STATION, (LEAF, False)), STATION),
    "_path_length": (
        lambda: altered(CertificatePurpose.ISSUING, (x509.BasicConstraints(True, 3), True)),
        CertificatePurpose.ISSUING,
    ),
    "_key_usage": (lambda: altered(STATION, without=(x509.KeyUsage,)), STATION),
    "_extended_key_usage": (
        lambda: altered(STATION, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)), STATION,
    ),
    "_key_identifiers": (lambda: altered(STATION, without=(x509.SubjectKeyIdentifier,)), STATION),
    "_stray_extensions": (lambda: altered(STATION, (x509.OCSPNoCheck(), False)), STATION),
    "_validity": (lambda: altered(STATION, days=(0, 30)), STATION),
    "_length": (lambda: altered(STATION, (WIDE, False)), STATION),
    "_time_form": (lambda: rewritten(specimen(STATION), 4, four_digit_years), STATION),
    "_string_form": (lambda: altered(STATION, subject=old_text()), STATION),
    "_algorithm_form": (lambda: rewritten(specimen(STATION), 2, other_algorithm), STATION),
    "_critical_form": (lambda: altered(STATION, (SKI, True)), STATION),
    "_v2g_key": (lambda: altered(SECC, public=key("p384", "odd")), SECC),
    "_v2g_signature": (lambda: altered(SECC, signer=key("rsa2048", "old")), SECC),
    "_v2g_length": (lambda: altered(SECC, (LONG, False)), SECC),
    "_v2g_key_usage": (lambda: altered(SECC, (usage(digital_signature=True), True)), SECC),
}  # fmt: skip
"""For each rule a certificate that breaks it and no other, and what it is for."""


def test_every_rule_has_a_certificate_that_breaks_it() -> None:
    """A rule that nothing breaks is no rule, and one that is left out of the table would never be tried."""
    assert {rule.__name__ for rule in RULES} == BROKEN.keys()


@pytest.mark.parametrize("name", BROKEN)
def test_a_fault_is_found_by_the_one_rule_that_is_about_it(name: str) -> None:
    """The others stay silent, and what is said names a clause that the rule speaks for."""
    make, purpose = BROKEN[name]
    certificate = make()
    heard = {
        rule: [each for each in rule(certificate, purpose) if each.severity is not Severity.INFO] for rule in RULES
    }
    spoke = {rule: found for rule, found in heard.items() if found}

    assert [rule.__name__ for rule in spoke] == [name]
    assert {each.clause for found in spoke.values() for each in found} <= {
        clause for rule in spoke for clause in RULES[rule]
    }


@pytest.mark.parametrize("purpose", CertificatePurpose)
def test_a_sound_certificate_of_every_purpose_keeps_every_rule(purpose: CertificatePurpose) -> None:
    """What we issue passes what we ask of others; remarks are allowed, warnings are not."""
    assert {found.severity for found in lint_certificate(specimen(purpose), purpose)} <= {Severity.INFO}


@pytest.mark.parametrize("purpose", CertificatePurpose)
@pytest.mark.parametrize("claimed", CertificatePurpose)
def test_no_certificate_passes_for_another_purpose(purpose: CertificatePurpose, claimed: CertificatePurpose) -> None:
    """An authority is no leaf, a signer of firmware is no station, and V2G of one edition is not that of the other.

    Two that look the same cannot be told apart: an operator's own root, and one that is a manufacturer's or V2G's.
    """
    if purpose is claimed or (purpose.is_ca and claimed.is_ca) or (purpose, claimed) in ALIKE:
        return
    assert Severity.ERROR in {found.severity for found in lint_certificate(specimen(purpose), claimed)}


ALIKE = {
    # a serial number is any short text, and a SECCID is one: only what is more than a station's tells them apart
    (CertificatePurpose.OPERATOR, STATION),
    (SECC, STATION),
    (CertificatePurpose.V2G_SECC_20, STATION),
}


def test_every_clause_of_a_rule_can_be_explained() -> None:
    """Each rule says which clauses it speaks for, and each of them is known."""
    assert all(RULES.values())
    assert all(explain(clause).says for clauses in RULES.values() for clause in clauses)
