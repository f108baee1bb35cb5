"""Signatures over the bytes that came."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import signature
from pki.crl import RevocationList
from pki.fields import read_fields, read_list_fields
from pki.signed import is_pss_only, may_sign, padding_of
from pki.signed import is_signed as signed_by
from pki.strength import Padding
from tests.chains import (
    DAY,
    ECDSA_SHA256,
    ECDSA_SHA384,
    ED448,
    LEAF,
    RSA_SHA256,
    SHA256,
    SHA512,
    Party,
    crl,
    ext,
    faults,
    held_to,
    pss,
    root,
)
from tests.pki.papers import NOW, key
from tests.pki.specimens import rewritten

KINDS = ["p256", "p384", "p521", "rsa2048", "ed25519", "ed448"]


def is_signed(paper: Any, fields: Any, key: Any) -> bool:
    """Whether it is signed with a key that came in the usual form."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return signed_by(paper, fields, key, spki)


def signed(holder: str, asked: str = "", **how: Any) -> bool:
    """Whether a certificate signed with one key is signed with the one asked about."""
    leaf = root("Root", key(holder, "signed")).issue("Leaf", key("p256", "chain-leaf"), ext(LEAF), **how)
    return is_signed(leaf.certificate, read_fields(leaf.der), key(asked or holder, "signed").public_key())


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_of_every_kind_is_checked(kind: str) -> None:
    """Good as it is; bad with one bit changed, or by another key of the kind."""
    assert signed(kind)
    assert not signed(kind, bend=True)
    assert not signed(kind, signer=key(kind, "stranger"))


@pytest.mark.parametrize("asked", KINDS)
def test_no_key_signs_in_the_way_of_another_kind(asked: str) -> None:
    """Whatever the algorithm says."""
    assert [kind for kind in KINDS if signed(kind, asked)] == [asked]
    assert not signed("ed25519", inner=ED448, outer=ED448)


def test_both_names_of_the_algorithm_count() -> None:
    """RFC 5280 4.1.1.2: they are the same, and the one that was used."""
    assert signed("p256", inner=ECDSA_SHA384)
    assert not signed("p256", outer=ECDSA_SHA384)
    assert not signed("p256", inner=ECDSA_SHA384, outer=ECDSA_SHA256, signed=ECDSA_SHA256)
    assert not signed("p256", inner=ECDSA_SHA384, outer=RSA_SHA256)


def test_a_key_that_stations_cannot_use_is_not_tried() -> None:
    """DSA: refused by its kind, whatever it signed."""
    leaf = root().issue("Leaf", key("p256", "chain-leaf"))
    other = dsa.generate_private_key(2048).public_key()

    assert not is_signed(leaf.certificate, read_fields(leaf.der), other)


def test_lists_are_signed_in_the_same_way() -> None:
    """By the same function."""
    anchor = root()
    good, bad = crl(anchor), crl(anchor, bend=True)

    assert is_signed(RevocationList.read(good).crl, read_list_fields(good), anchor.holder.public_key())
    assert not is_signed(RevocationList.read(bad).crl, read_list_fields(bad), anchor.holder.public_key())


@pytest.mark.parametrize("salt", [padding.PSS.DIGEST_LENGTH, 20])
def test_rsa_signs_in_the_newer_way_as_well(salt: Any) -> None:
    """PSS, with whatever salt the algorithm says."""
    holder = key("rsa2048", "signed")
    assert isinstance(holder, rsa.RSAPrivateKey)
    anchor = root("Root", holder)
    builder = x509.CertificateBuilder(anchor.certificate.subject, x509.Name([]), key().public_key(), 7, NOW, NOW + DAY)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    leaf = builder.sign(holder, hashes.SHA256(), rsa_padding=pss)
    fields = read_fields(leaf.public_bytes(Encoding.DER))

    assert is_signed(leaf, fields, holder.public_key())
    assert not is_signed(leaf, fields, key("rsa2048", "stranger").public_key())


@pytest.mark.parametrize(
    ("held", "by_pss", "by_pkcs1"),
    [
        pytest.param(("2a864886f70d010101", b"\x05\x00"), True, True, id="any RSA"),
        pytest.param(("2a864886f70d01010a",), True, False, id="PSS"),
        pytest.param(("2a864886f70d01010a", pss(SHA256, SHA256, 32)), True, False, id="PSS as it was used"),
        pytest.param(("2a864886f70d01010a", pss(SHA256, SHA256, 20)), True, False, id="PSS with a shorter salt"),
        pytest.param(("2a864886f70d01010a", pss(SHA256, SHA256, None)), True, False, id="PSS with the usual salt"),
        pytest.param(("2a864886f70d01010a", pss(SHA256, SHA256, 33)), False, False, id="PSS with a longer salt"),
        pytest.param(("2a864886f70d01010a", pss(SHA512, SHA512, 32)), False, False, id="PSS with another hash"),
        pytest.param(("2a864886f70d01010a", pss(SHA256, SHA512, 32)), False, False, id="PSS with another mask"),
        pytest.param(("2a864886f70d01010a", pss("", "", None)), False, False, id="PSS with SHA-1"),
        pytest.param(("2a864886f70d01010a", b"\x05\x00"), False, False, id="PSS with what are no parameters"),
        pytest.param(("2a864886f70d010107",), False, False, id="for enciphering"),
    ],
)
def test_a_key_that_is_held_to_one_way_signs_in_no_other(
    held: tuple[Any, ...], *, by_pss: bool, by_pkcs1: bool
) -> None:
    """RFC 4055 1.2, 3.3: what the key says of itself binds whoever verifies."""
    holder = key("rsa2048", "signed")
    assert isinstance(holder, rsa.RSAPrivateKey)
    anchor = root("Root", holder)
    builder = x509.CertificateBuilder(anchor.certificate.subject, x509.Name([]), key().public_key(), 7, NOW, NOW + DAY)
    way = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    leaves = builder.sign(holder, hashes.SHA256(), rsa_padding=way), builder.sign(holder, hashes.SHA256())
    spki = held_to(holder.public_key(), *held[1:], oid=held[0])
    public = holder.public_key()

    found = [signed_by(leaf, read_fields(leaf.public_bytes(Encoding.DER)), public, spki) for leaf in leaves]
    assert found == [by_pss, by_pkcs1]


@pytest.mark.parametrize(
    ("oid", "expected"), [("2a864886f70d010101", set()), ("2a864886f70d01010a", {"chain.untrusted"})]
)
def test_a_path_is_judged_by_the_keys_as_they_came(oid: str, expected: set[str]) -> None:
    """An anchor whose key signs by PSS alone issued nothing that is signed in the older way."""
    holder = key("rsa2048", "signed")
    assert isinstance(holder, rsa.RSAPrivateKey)
    usual = root("Root", holder)
    leaf = usual.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF, critical=True))
    null = (b"\x05\x00",) if oid.endswith("01") else ()
    anchor = rewritten(usual.certificate, 6, lambda _: held_to(holder.public_key(), *null, oid=oid))

    assert faults([leaf, Party(anchor.public_bytes(Encoding.DER), holder, usual.subject)]) == expected


@pytest.mark.parametrize(
    ("held", "by_pss", "by_pkcs1", "is_marked"),
    [
        pytest.param(("2a864886f70d010101", b"\x05\x00"), True, True, False, id="any RSA"),
        pytest.param(("2a864886f70d01010a",), True, False, True, id="PSS"),
        pytest.param(("2a864886f70d01010a", pss(SHA256, SHA256, 32)), True, False, True, id="PSS as we use it"),
        pytest.param(("2a864886f70d01010a", pss(SHA256, SHA256, 33)), False, False, True, id="PSS with a longer salt"),
        pytest.param(("2a864886f70d01010a", pss(SHA512, SHA512, 32)), False, False, True, id="PSS with another hash"),
    ],
)
def test_a_key_is_asked_beforehand_how_it_may_sign(
    held: tuple[Any, ...], *, by_pss: bool, by_pkcs1: bool, is_marked: bool
) -> None:
    """RFC 4055 1.2, 3.3: what whoever verifies would refuse is never signed."""
    holder = key("rsa2048", "signed")
    assert isinstance(holder, rsa.RSAPrivateKey)
    public = holder.public_key()
    spki = held_to(public, *held[1:], oid=held[0])

    ways = [signature.algorithm(public, way) for way in (Padding.PSS, Padding.PKCS1)]
    assert [may_sign(public, spki, way) for way in ways] == [by_pss, by_pkcs1]
    assert is_pss_only(public, spki) is is_marked


def test_a_key_that_is_not_rsa_has_no_mark() -> None:
    """Nothing of it is read."""
    for kind in ("p256", "ed25519"):
        public = key(kind).public_key()
        assert may_sign(public, b"", b"")
        assert not is_pss_only(public, b"")


def test_a_key_that_is_marked_for_pss_signs_so_whatever_was_chosen() -> None:
    """RFC 4055 1.2: nobody would take another signature of its."""
    holder = key("rsa2048")
    assert isinstance(holder, rsa.RSAPrivateKey)
    public = holder.public_key()
    usual = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    assert padding_of(public, held_to(public), Padding.PKCS1) is Padding.PSS
    assert padding_of(public, usual, Padding.PKCS1) is Padding.PKCS1
    assert padding_of(public, usual, Padding.PSS) is Padding.PSS
