"""Facts read out of certificates."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.certificate import (
    CERTIFICATES_MOST,
    common_names,
    der_to_pem,
    extension,
    hash_of_signature,
    is_self_issued,
    key_id,
    key_in,
    names_issuer,
    organisations,
    pem_length,
    read_certificates,
    to_pem,
)
from pki.der import read_box
from pki.errors import InputError
from tests.chains import box
from tests.chains import root as root_of_chain
from tests.pki.papers import handmade, issuing, key, leaf, request, root, usage


def test_a_chain_is_read_in_the_order_it_was_written() -> None:
    """OCPP wants the leaf first, and what goes in comes out."""
    chain = [leaf().certificate, issuing().certificate]

    assert read_certificates(to_pem(chain)) == chain


def test_the_key_id_is_the_hash_of_the_whole_public_key_structure() -> None:
    """SHA-256 over SubjectPublicKeyInfo, the same from the key and from a certificate that holds it."""
    public = key("p256", "leaf").public_key()
    whole = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    assert key_id(public) == key_id(leaf().certificate) == hashlib.sha256(whole).digest()


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa2048", "rsa3072", "ed25519", "ed448", "mldsa44", "p224"])
def test_the_key_is_found_in_the_bytes_to_be_signed(kind: str) -> None:
    """By the same name, before there is a certificate."""
    made = root_of_chain("Root", key(kind, "key-in")).certificate

    assert key_in(made.tbs_certificate_bytes) == key_id(made)


def test_a_key_has_one_name_however_it_is_written() -> None:
    """A point on a curve may be written short."""
    holder = key("p256", "key-in")
    assert isinstance(holder, ec.EllipticCurvePrivateKey)
    made = root_of_chain("Root", holder).certificate
    long = holder.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    short = holder.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    spki = holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    body = [each.raw for each in read_box(made.tbs_certificate_bytes).boxes()]
    body[6] = box(0x30, read_box(spki).boxes()[0].raw, box(0x03, b"\0", short))
    tbs = box(0x30, *body)

    assert long not in tbs
    assert key_in(tbs) == key_id(made)


@pytest.mark.parametrize("tbs", [b"", b"tbs", box(0x30), box(0x30, *[box(0xA0)] * 7)])
def test_bytes_without_a_key_have_none(tbs: bytes) -> None:
    """``ValueError``, as for all that is read."""
    with pytest.raises(ValueError, match=r"."):
        key_in(tbs)


def test_names_come_out_as_they_stand() -> None:
    """Every common name and organisation is told, so that a second one cannot hide."""
    subject = leaf().certificate.subject

    assert (common_names(subject), organisations(subject)) == (("SN-001",), ("Example Charging",))


@pytest.mark.parametrize("more", range(50))
def test_the_length_in_pem_follows_from_that_in_der(more: int) -> None:
    """Whatever remains of the last three bytes and of the last line; and both ways of writing agree."""
    certificate = leaf("station", "S" * (1 + more)).certificate
    der = certificate.public_bytes(Encoding.DER)

    assert der_to_pem(der) == to_pem([certificate])
    assert pem_length(len(der)) == len(to_pem([certificate]))


def test_an_extension_is_found_or_is_not() -> None:
    """A station's certificate has basic constraints and no alternative name."""
    basic = extension(leaf().certificate, x509.BasicConstraints)

    assert basic is not None
    assert not basic.value.ca
    assert extension(leaf().certificate, x509.SubjectAlternativeName) is None


def test_an_issuer_is_named_by_name_and_key() -> None:
    """The station CA is named by a leaf of its own, the root is not."""
    assert names_issuer(leaf().certificate, issuing().certificate)
    assert not names_issuer(leaf().certificate, root().certificate)


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


def test_a_certificate_from_the_year_zero_is_unreadable() -> None:
    """ASN.1 has such a year, the calendar has not; it must not be found out while somebody waits for a judgement."""
    good = handmade("Old", key(), "Old", key(), days=(40_000, 50_000)).public_bytes(Encoding.DER)
    start = good.index(b"\x18\x0f") + 2
    bad = good[:start] + b"0000" + good[start + 4 :]

    with pytest.raises(InputError, match=r"certificate\.unreadable"):
        read_certificates(dressed(bad))
    assert read_certificates(dressed(good))


def test_a_certificate_with_an_extension_that_does_not_parse_is_unreadable() -> None:
    """Not at the first question about it: at the door."""
    good = handmade("Odd", key(), "Odd", key(), (usage(digital_signature=True), True)).public_bytes(Encoding.DER)
    bad = good.replace(bytes.fromhex("03020780"), bytes.fromhex("04020780"))

    assert bad != good
    with pytest.raises(InputError, match=r"certificate\.unreadable"):
        read_certificates(dressed(bad))


def test_a_known_algorithm_with_senseless_parameters_is_not_known() -> None:
    """RSA-PSS without its parameters: the library knows the name and fails over the rest."""
    rsa = key("rsa2048")
    good = handmade("Odd", rsa, "Odd", rsa).public_bytes(Encoding.DER)
    named, without = bytes.fromhex("300d06092a864886f70d01010b0500"), bytes.fromhex("300b06092a864886f70d01010a")
    bad = bytearray(good.replace(named, without))
    bad[2:4] = (int.from_bytes(bad[2:4]) - 4).to_bytes(2)  # the algorithm stands in the whole twice,
    bad[6:8] = (int.from_bytes(bad[6:8]) - 2).to_bytes(2)  # in the signed part once

    with pytest.raises(InputError, match=r"certificate\.unreadable"):
        hash_of_signature(x509.load_der_x509_certificate(bytes(bad)))


def dressed(der: bytes) -> str:
    """Dress DER up as a certificate in PEM."""
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"
