"""What is shown to cars: each rule is broken in ``test_lint_rules``; here are the sizes, and the other edition."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.lint import lint_certificate
from pki.lint_v2g import V2G_RULES
from pki.profile import CertificatePurpose
from tests.pki.papers import codes, key, usage
from tests.pki.specimens import altered, specimen

V2G = [purpose for purpose in CertificatePurpose if purpose.edition]
SECC_20 = CertificatePurpose.V2G_SECC_20


@pytest.mark.parametrize("purpose", V2G)
def test_our_v2g_certificates_fit_into_cars(purpose: CertificatePurpose) -> None:
    """800 bytes in ISO 15118-2 (V2G2-010), 1600 in ISO 15118-20, with room to spare."""
    assert len(specimen(purpose).public_bytes(Encoding.DER)) <= (800 if purpose.edition == "2" else 1600) - 200


def test_the_rules_are_silent_about_everything_else() -> None:
    """A station's client certificate may be on any curve."""
    others = [purpose for purpose in CertificatePurpose if not purpose.edition]

    assert [found for rule in V2G_RULES for each in others for found in rule(specimen(each), each)] == []


def test_a_longer_certificate_fits_the_newer_edition_alone() -> None:
    """Between 800 and 1600 bytes."""
    place = [x509.UniformResourceIdentifier("http://crl.example/" + "x" * 400)]
    wide = x509.CRLDistributionPoints([x509.DistributionPoint(place, None, None, None)])

    assert codes(lint_certificate(altered(CertificatePurpose.V2G_SECC_2, (wide, False)), CertificatePurpose.V2G_SECC_2))
    assert codes(lint_certificate(altered(SECC_20, (wide, False)), SECC_20)) == set()


def test_ed448_signs_and_agrees_on_nothing() -> None:
    """RFC 8410 5: the newer edition knows it, and its key usage is another."""
    signs = (usage(digital_signature=True), True)
    sound = altered(SECC_20, signs, public=key("ed448", "leaf"), signer=key("ed448", "sub"))
    wrong = altered(SECC_20, public=key("ed448", "leaf"), signer=key("ed448", "sub"))

    assert codes(lint_certificate(sound, SECC_20)) == set()
    assert codes(lint_certificate(wrong, SECC_20)) == {"lint.v2g_key_usage"}
