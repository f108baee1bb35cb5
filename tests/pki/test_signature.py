"""Signatures of lists and answers: each kind of key under its own name, and none that does not verify."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki import encode, signature
from pki.der import read_box
from pki.errors import RefusedError
from pki.strength import Padding, is_ec, signing_hash, signing_padding
from tests.pki.papers import key


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa2048", "ed25519", "ed448", "mldsa44"])
def test_the_algorithm_is_named_as_the_library_names_it(kind: str) -> None:
    """RFC 5758 3.2, 4055 5, 8410 3: parameters are absent, NULL for RSA alone."""
    holder = key(kind)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    request = x509.CertificateSigningRequestBuilder(name).sign(holder, signing_hash(holder.public_key()))

    assert read_box(request.public_bytes(Encoding.DER)).boxes()[1].raw == signature.algorithm(holder.public_key())
    assert signature.sign(holder, b"to be signed")


def test_rsa_with_pss_is_named_with_its_hash_its_mask_and_its_salt() -> None:
    """RFC 4055 3.1, as the library writes it for an issuer that signs so."""
    holder = key("rsa2048")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    using = signing_padding(holder.public_key(), Padding.PSS)
    request = x509.CertificateSigningRequestBuilder(name).sign(holder, hashes.SHA256(), rsa_padding=using)
    parts = read_box(request.public_bytes(Encoding.DER)).boxes()

    assert parts[1].raw == signature.algorithm(holder.public_key(), Padding.PSS)
    assert signature.sign(holder, b"to be signed", Padding.PSS)


KINDS = ["p256", "p384", "p521", "rsa2048", "rsa3072", "ed25519", "ed448", "mldsa44", "mldsa65", "mldsa87"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_for_a_signature_is_as_long_as_one_can_be_and_is_none(kind: str) -> None:
    """Those of ECDSA differ by a few bytes, all others are of one length; it verifies under no key, over nothing."""
    holder, subject = key(kind), x509.Name([])
    longest = signature.longest(holder.public_key())
    lengths = {len(signature.sign(holder, b"to be signed")) for _ in range(20)}
    builder = x509.CertificateSigningRequestBuilder(subject)
    request = read_box(builder.sign(holder, signing_hash(holder.public_key())).public_bytes(Encoding.DER)).boxes()
    forged = encode.sequence(request[0].raw, request[1].raw, encode.bits(longest))

    assert max(lengths) <= len(longest) <= min(lengths) + 12 * is_ec(holder.public_key())
    assert not x509.load_der_x509_csr(forged).is_signature_valid


@pytest.mark.parametrize(("kind", "length"), [("p256", 72), ("p384", 104), ("p521", 139)])
def test_the_longest_signature_on_a_curve_has_two_numbers_of_full_length(kind: str, length: int) -> None:
    """RFC 3279 2.2.3: as DER writes them, with room for their sign where they need it."""
    assert len(signature.longest(key(kind).public_key())) == length


def test_nothing_stands_in_for_what_no_key_of_ours_signs() -> None:
    """As nothing is signed with it."""
    with pytest.raises(ValueError, match="kind"):
        signature.longest(key("rsa1024").public_key())


def test_a_signature_that_does_not_verify_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a fault in memory would spoil it."""
    other = key("p256", "other")
    assert isinstance(other, ec.EllipticCurvePrivateKey)
    foreign = other.sign(b"to be signed", ec.ECDSA(signing_hash(other.public_key())))  # type: ignore[arg-type]  # P-256 has a hash
    monkeypatch.setattr(signature, "make", lambda *_: foreign)

    with pytest.raises(RefusedError, match=r"signature\.spoilt"):
        signature.sign(key("p256"), b"to be signed")


def test_a_curve_that_nothing_is_signed_with_is_a_fault_of_ours() -> None:
    """Such a key never becomes an authority's."""
    with pytest.raises(ValueError, match="kind"):
        signature.sign(key("p192"), b"x")


@pytest.mark.parametrize("kind", ["p256", "p384", "p521"])
def test_a_paper_verifies_under_its_own_key_alone(kind: str) -> None:
    """In the way that it names, over its own body; under another key, or over another body, it does not."""
    holder = key(kind)
    assert isinstance(holder, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    request = x509.CertificateSigningRequestBuilder(name).sign(holder, hashes.SHA512())
    body, other = request.tbs_certrequest_bytes, ec.generate_private_key(holder.curve).public_key()

    signature.verify_ecdsa(holder.public_key(), request, body)
    for wrong_key, wrong_body in ((other, body), (holder.public_key(), body[:-1] + bytes((body[-1] ^ 1,)))):
        with pytest.raises(InvalidSignature):
            signature.verify_ecdsa(wrong_key, request, wrong_body)


def test_a_paper_signed_in_another_way_does_not_verify_under_a_key_on_a_curve() -> None:
    """What it names decides: an RSA signature is never tried."""
    holder = key("p256")
    assert isinstance(holder, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    request = x509.CertificateSigningRequestBuilder(name).sign(key("rsa2048"), hashes.SHA256())

    with pytest.raises(InvalidSignature):
        signature.verify_ecdsa(holder.public_key(), request, request.tbs_certrequest_bytes)
