"""Requests by themselves: what would be refused whoever sent them."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pki.findings import Severity
from pki.lint_request import lint_request
from pki.profile import CertificatePurpose
from tests.marked import marked_request
from tests.pki.papers import codes, key, over_sha1, request
from tests.pki.specimens import SECC_ID

STATION, SECC_2, SECC_20 = CertificatePurpose.STATION, CertificatePurpose.V2G_SECC_2, CertificatePurpose.V2G_SECC_20


def read(pem: str) -> x509.CertificateSigningRequest:
    """A request from PEM."""
    return x509.load_pem_x509_csr(pem.encode())


def errors(csr: x509.CertificateSigningRequest, purpose: CertificatePurpose = STATION) -> set[str]:
    """The codes of what refuses."""
    return codes(each for each in lint_request(csr, purpose) if each.severity is Severity.ERROR)


def test_a_sound_request_has_nothing_wrong() -> None:
    """As a station sends it."""
    assert lint_request(read(request()), STATION) == ()


def test_what_our_profile_puts_in_need_not_be_in_the_request() -> None:
    """Country and domain of a SECC are told, and refuse nothing."""
    found = lint_request(read(request((SECC_ID,))), SECC_2)

    assert {(each.code, each.severity) for each in found} == {
        ("lint.country", Severity.WARNING), ("lint.domain_component", Severity.WARNING),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("csr", "purpose", "code"),
    [
        pytest.param(read(request(("10.0.0.1",))), STATION, "lint.common_name", id="an address for a name"),
        pytest.param(read(request(holder=key("rsa1024"))), STATION, "alg.weak", id="a weak key"),
        pytest.param(read(request((SECC_ID,))), SECC_20, "lint.v2g_key", id="a curve of the other edition"),
        pytest.param(
            read(request(("SN-001",), ("X",), None, x509.SubjectAlternativeName([x509.DNSName("x" * 60)] * 90))),
            STATION,
            "lint.length",
            id="longer than its field",
        ),
    ],
)
def test_a_fault_is_an_error_by_its_own_code(
    csr: x509.CertificateSigningRequest, purpose: CertificatePurpose, code: str
) -> None:
    """Whoever sends it."""
    assert errors(csr, purpose) == {code}


def test_a_signature_over_sha1_is_an_error() -> None:
    """A00.FR.506."""
    csr = read(request(holder=key("rsa2048", "old")))
    weak = over_sha1(csr.public_bytes(Encoding.DER), csr.tbs_certrequest_bytes)

    assert errors(x509.load_der_x509_csr(weak)) == {"alg.weak"}


def test_a_spoilt_signature_proves_nothing() -> None:
    """RFC 2986 4.2."""
    der = bytearray(read(request()).public_bytes(Encoding.DER))
    der[-1] ^= 1

    assert errors(x509.load_der_x509_csr(bytes(der))) == {"csr.proof"}


def test_what_is_asked_for_in_vain_is_told() -> None:
    """Extensions are not taken over; a person may wonder."""
    csr = read(request(("SN-001",), ("X",), None, x509.BasicConstraints(True, None)))

    assert codes(lint_request(csr, STATION)) == {"csr.extensions"}


def test_a_key_that_is_marked_for_pss_alone_is_found() -> None:
    """RFC 4055 1.2: what issuing would refuse is told beforehand."""
    holder = key("rsa2048", "marked")
    assert isinstance(holder, rsa.RSAPrivateKey)

    assert errors(read(marked_request(holder, "SN-001"))) == {"alg.pss_only"}
