"""The addresses that stand in certificates: where others find what became of them."""

from __future__ import annotations

import pytest
from cryptography import x509

from pki.lint import approve
from pki.names import CertificateSerial
from pki.plan import Subject, plan
from pki.services import SHARDS, Services, shard_of
from tests.pki.papers import NOW, ORGANISATION, issuing, key, profile, root, serial

SERVICES = Services("http://csms.example.org:8480", "station")


def pointed(name: str, common_name: str) -> x509.Certificate:
    """A certificate of this profile, as the lint saw it."""
    above = root() if name == "issuing" else issuing()
    subject = Subject(common_name, ORGANISATION)
    planned = plan(profile(name), subject, key("p256", "leaf").public_key(), above, serial(9), NOW, services=SERVICES)
    approve(planned)
    return planned.twin()


def urls(certificate: x509.Certificate) -> set[str]:
    """Every address in a certificate."""
    found = set()
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.CRLDistributionPoints):
            assert not extension.critical
            found |= {name.value for point in extension.value for name in point.full_name or ()}
        if isinstance(extension.value, x509.AuthorityInformationAccess):
            assert not extension.critical
            found |= {f"{each.access_method._name} {each.access_location.value}" for each in extension.value}
    return found


CRL = f"http://csms.example.org:8480/crl/station/{serial(9).number % SHARDS}.crl"
OCSP = "OCSP http://csms.example.org:8480/ocsp"
ISSUER = "caIssuers http://csms.example.org:8480/ca/station.crt"


@pytest.mark.parametrize(
    ("name", "common_name", "expected"),
    [
        ("station", "SN-001", {CRL, OCSP, ISSUER}),
        ("csms", "csms.example.org", {CRL, OCSP, ISSUER}),
        ("issuing", "Some CA", {CRL, ISSUER}),
        ("ocsp", "OCSP Signer", set[str]()),
    ],
)
def test_each_profile_says_where_its_status_is_found(name: str, common_name: str, expected: set[str]) -> None:
    """RFC 5280 4.2.1.13 and 4.2.2.1; the signer of answers is not to be checked (RFC 6960 4.2.2.2.1)."""
    assert urls(pointed(name, common_name)) == expected


def test_without_an_address_nothing_is_pointed_at() -> None:
    """Homes that set none issue as they did before."""
    planned = plan(
        profile("station"), Subject("SN-001", ORGANISATION), key("p256", "leaf").public_key(), issuing(), serial(9), NOW
    )
    assert urls(planned.twin()) == set()


@pytest.mark.parametrize("shards", [1, 2, 32, 256])
def test_a_shard_is_the_last_bits_of_the_serial(shards: int) -> None:
    """So that an index over its last two hex digits finds all of a shard."""
    numbers = [CertificateSerial(number) for number in (1, 0xFF, 0xABCDEF, serial(4).number)]

    assert [shard_of(each, shards) for each in numbers] == [int(each.hex[-2:], 16) % shards for each in numbers]
