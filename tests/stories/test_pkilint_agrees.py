"""Another linter, written by people who never saw this project, finds no error in what we issue.

pkilint holds certificates against the ASN.1 and the rules of RFC 5280 and its kin. Whatever it says at the severity
ERROR fails, unless it stands in ``TOLERATED`` with its reason.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from pkilint import loader
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingSeverity

from pki.profile import CertificatePurpose
from tests.pki.specimens import altered, specimen

if TYPE_CHECKING:
    from cryptography import x509
    from pkilint.validation import ValidatorContainer

TOLERATED = {
    "pkix.name_domain_components_invalid_domain_name": "V2G2-875: cars ask for CPO, which is no domain",
}
"""Findings of severity ERROR that are left standing, by code, each with its reason."""


@cache
def linter() -> ValidatorContainer:
    """pkilint's checks for PKIX certificates."""
    decoding = certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS)
    parts = [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ]
    return certificate.create_pkix_certificate_validator_container(decoding, parts)


def errors(judged: x509.Certificate) -> dict[str, str]:
    """What pkilint holds for an error, by code."""
    document = loader.load_der_certificate(judged.public_bytes(Encoding.DER), "specimen")
    return {
        found.finding.code: str(found.message)
        for result in linter().validate(document.root)
        for found in result.finding_descriptions
        if found.finding.severity in {ValidationFindingSeverity.ERROR, ValidationFindingSeverity.FATAL}
    }


@pytest.mark.parametrize("purpose", CertificatePurpose)
def test_pkilint_finds_no_error_in_a_certificate_of_ours(purpose: CertificatePurpose) -> None:
    """Of any purpose: made the whole way, by the profiles that ship."""
    assert errors(specimen(purpose)).keys() <= TOLERATED.keys()


def test_pkilint_would_find_an_error() -> None:
    """Else the test above could not fail: an authority's key usage on a leaf, a subject key that is marked critical."""
    odd = altered(CertificatePurpose.STATION, (specimen(CertificatePurpose.ISSUING).extensions[1].value, True))

    assert errors(odd)
