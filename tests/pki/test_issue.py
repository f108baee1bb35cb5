"""Signing: once, with the right key, exactly what was approved."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import SignatureAlgorithmOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.certificate import read_certificates, to_pem
from pki.errors import ConflictError, RefusedError
from pki.issue import sign
from pki.lint import approve
from pki.plan import Issuer, Plan, Subject, plan
from pki.strength import Padding
from tests.pki.papers import NOW, ORGANISATION, issuing, key, leaf, leaf_plan, profile, root, serial

ISSUER_KEY = key("p256", "issuing")


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa2048", "ed25519", "ed448"])
def test_an_issuer_of_every_kind_signs_what_was_approved(kind: str) -> None:
    """The result is the approved bytes under the issuer's key, and goes through PEM unharmed."""
    above = issuing(kind)
    public = key("p256", "leaf").public_key()
    permission = approve(plan(profile("station"), Subject("SN-1", ORGANISATION), public, above, serial(5), NOW))
    issued = sign(permission, key(kind, "issuing"))

    assert issued.certificate.tbs_certificate_bytes == permission.tbs
    assert issued.serial == serial(5)
    assert read_certificates(to_pem([issued.certificate])) == [issued.certificate]
    issued.certificate.verify_directly_issued_by(above.certificate)


@settings(max_examples=20)
@given(st.integers(0, 2**64), st.integers(1, 1096), st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True))
def test_whatever_is_issued_is_what_was_asked(number: int, days: int, name: str) -> None:
    """Serial, name, key and lifetime come out as they went in."""
    public = key("p256", "leaf").public_key()
    made = plan(profile("station"), Subject(name, ORGANISATION), public, issuing(), serial(number), NOW, days)
    certificate = sign(approve(made), ISSUER_KEY).certificate

    assert certificate.serial_number == serial(number).number
    assert certificate.public_key() == public
    assert (certificate.not_valid_after_utc - NOW).days == days


def test_an_rsa_issuer_signs_with_the_padding_that_stations_read() -> None:
    """PKCS#1 v1.5: RSA-PSS, which A00.FR.505 prefers, is not read by old stacks and testers."""
    above = issuing("rsa2048")
    public = key("p256", "leaf").public_key()
    made = plan(profile("station"), Subject("SN-1", ORGANISATION), public, above, serial(5), NOW)
    certificate = sign(approve(made), key("rsa2048", "issuing")).certificate

    assert isinstance(above.certificate.public_key(), rsa.RSAPublicKey)
    assert isinstance(certificate.signature_algorithm_parameters, padding.PKCS1v15)


@pytest.mark.parametrize("kind", ["rsa2048", "rsa3072"])
def test_an_rsa_issuer_that_was_made_for_pss_signs_with_it(kind: str) -> None:
    """With one hash throughout and a salt as long as it, which openssl and the library both verify."""
    above = issuing(kind, padding=Padding.PSS)
    permission = approve(planned_below(above))
    certificate = sign(permission, key(kind, "issuing")).certificate

    assert permission.findings == ()
    assert certificate.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS
    assert certificate.signature_algorithm_parameters == padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    certificate.verify_directly_issued_by(above.certificate)


def test_a_root_may_sign_itself_with_pss() -> None:
    """The choice is the key's, so its own certificate follows it too."""
    certificate = root("rsa2048", Padding.PSS).certificate

    assert certificate.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS
    certificate.verify_directly_issued_by(certificate)


def planned_below(above: Issuer) -> Plan:
    """A plan for a station below this issuer."""
    public = key("p256", "leaf").public_key()
    return plan(profile("station"), Subject("SN-1", ORGANISATION), public, above, serial(5), NOW)


def test_an_approval_signs_once() -> None:
    """A second certificate under the same record is impossible."""
    permission = approve(leaf_plan())
    sign(permission, ISSUER_KEY)

    with pytest.raises(ConflictError) as refusal:
        sign(permission, ISSUER_KEY)

    assert refusal.value.code == "issue.spent"


def test_another_key_than_the_issuer_s_is_refused_and_spends_the_approval() -> None:
    """A mixed-up key is found before anything is handed out, and nothing is tried twice."""
    permission = approve(leaf_plan())

    with pytest.raises(RefusedError) as refusal:
        sign(permission, key("p256", "stranger"))

    assert refusal.value.code == "issue.key"
    with pytest.raises(ConflictError):
        sign(permission, ISSUER_KEY)


def test_bytes_that_differ_from_the_approved_ones_never_leave() -> None:
    """If the record and the certificate disagree, there is no certificate."""
    permission = approve(leaf_plan())
    permission.tbs = permission.tbs[:-1] + bytes([permission.tbs[-1] ^ 1])

    with pytest.raises(RefusedError) as refusal:
        sign(permission, ISSUER_KEY)

    assert refusal.value.code == "issue.bytes"


def test_the_der_is_the_certificate() -> None:
    """What is stored and what is shown are the same bytes."""
    issued = leaf()

    assert x509.load_der_x509_certificate(issued.der) == issued.certificate
