"""Names, in certificates and in requests alike."""

from __future__ import annotations

import pytest
from cryptography import x509

from pki.lint_names import NAME_RULES
from pki.profile import CertificatePurpose
from tests.pki.papers import codes, request
from tests.pki.specimens import SECC_ID

STATION, CSMS, SECC = CertificatePurpose.STATION, CertificatePurpose.CSMS, CertificatePurpose.V2G_SECC_2


def found(names: tuple[str, ...], purpose: CertificatePurpose, organisations: tuple[str, ...] = ("X",)) -> set[str]:
    """The codes for a request of these names."""
    csr = x509.load_pem_x509_csr(request(names, organisations).encode())
    return codes(each for rule in NAME_RULES for each in rule(csr, purpose))


@pytest.mark.parametrize(
    ("name", "purpose", "code"),
    [
        ("SN-001", STATION, ""),
        ("www.example.org", STATION, "lint.common_name"),
        ("https://example.org", STATION, "lint.common_name"),
        ("10.0.0.1", STATION, "lint.common_name"),
        ("fe80::1", STATION, "lint.common_name"),
        ("csms.example.org", CSMS, ""),
        ("10.0.0.1", CSMS, "lint.common_name"),
        ("CSMS.example.org", CSMS, "lint.common_name"),
        ("csms.example.org.", CSMS, "lint.common_name"),
        ("*.example.org", CSMS, "lint.wildcard"),
        ("a.*.example.org", CSMS, "lint.common_name"),
        ("Volta Signer", CertificatePurpose.FIRMWARE_SIGNER, ""),
        ("Volta\tSigner", CertificatePurpose.FIRMWARE_SIGNER, "lint.common_name"),
    ],
)
def test_a_name_has_the_shape_of_its_purpose(name: str, purpose: CertificatePurpose, code: str) -> None:
    """A00.FR.510 for hosts, .511 for serial numbers."""
    assert found((name,), purpose) == ({code} if code else set())


def test_there_is_one_name() -> None:
    """Neither none nor two."""
    assert found((), STATION) == found(("SN-1", "SN-2"), STATION) == {"lint.common_name"}


def test_a_secc_without_country_and_domain_is_told_both() -> None:
    """Cars would hang up."""
    assert found((SECC_ID,), SECC) == {"lint.country", "lint.domain_component"}


@pytest.mark.parametrize("organisations", [(), ("A", "B")])
def test_there_is_one_organisation(organisations: tuple[str, ...]) -> None:
    """A00.FR.509; none is a warning, two are an error."""
    assert found(("SN-001",), STATION, organisations) == {"lint.organisation"}
