"""Facts read out of certificates."""

from __future__ import annotations

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.certificate import (
    CERTIFICATES_MOST,
    common_names,
    extension,
    hash_of_signature,
    is_self_issued,
    key_id,
    organisations,
    read_certificates,
    to_pem,
)
from pki.errors import InputError
from tests.pki.papers import issuing, key, leaf, request, root


def test_a_chain_is_read_in_the_order_it_was_written() -> None:
    """OCPP wants the leaf first, and what goes in comes out."""
    chain = [leaf().certificate, issuing().certificate]

    assert read_certificates(to_pem(chain)) == chain


def test_the_key_id_is_the_hash_of_the_whole_public_key_structure() -> None:
    """SHA-256 over SubjectPublicKeyInfo, the same from the key and from a certificate that holds it."""
    public = key("p256", "leaf").public_key()
    whole = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    assert key_id(public) == key_id(leaf().certificate) == hashlib.sha256(whole).digest()


def test_names_come_out_as_they_stand() -> None:
    """Every common name and organisation is told, so that a second one cannot hide."""
    subject = leaf().certificate.subject

    assert (common_names(subject), organisations(subject)) == (("SN-001",), ("Example Charging",))


def test_an_extension_is_found_or_is_not() -> None:
    """A station's certificate has basic constraints and no alternative name."""
    basic = extension(leaf().certificate, x509.BasicConstraints)

    assert basic is not None
    assert not basic.value.ca
    assert extension(leaf().certificate, x509.SubjectAlternativeName) is None


def test_a_root_is_self_issued_and_a_leaf_is_not() -> None:
    """Names tell; trust is another question."""
    assert is_self_issued(root().certificate)
    assert not is_self_issued(leaf().certificate)


def test_the_hash_of_a_signature_is_the_curve_s() -> None:
    """A P-256 issuer signs over SHA-256."""
    algorithm = hash_of_signature(leaf().certificate)

    assert algorithm is not None
    assert algorithm.name == "sha256"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n", id="no certificate inside"),
        pytest.param(request(), id="a request"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_certificate_is_unreadable(text: str) -> None:
    """The refusal carries one stable code and a next step."""
    with pytest.raises(InputError) as refusal:
        read_certificates(text)

    assert refusal.value.code == "certificate.unreadable"
    assert refusal.value.advice


def test_a_bundle_beyond_the_limit_is_refused() -> None:
    """A text full of certificates is somebody's mistake or somebody's attack."""
    one = to_pem([leaf().certificate])

    assert len(read_certificates(one * CERTIFICATES_MOST)) == CERTIFICATES_MOST
    with pytest.raises(InputError):
        read_certificates(one * (CERTIFICATES_MOST + 1))
