"""Which keys and hashes pass."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa, x25519

from pki.strength import KeyKind, Padding, check_key, check_signature_hash, kind_of, signing_hash, signing_padding
from tests.pki.papers import codes, key


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384", "p521", "ed25519", "ed448"])
def test_a_strong_key_passes(kind: str) -> None:
    """Every kind that stations use is taken (A00.FR.502, .503)."""
    assert check_key(key(kind).public_key()) == []


@pytest.mark.parametrize(
    ("kind", "code", "clause"),
    [
        ("rsa1024", "alg.weak", "A00.FR.502"),
        ("rsa2052", "alg.unsupported", "A00.FR.502"),
        ("p192", "alg.weak", "A00.FR.503"),
        ("p224", "alg.unsupported", "A00.FR.504"),
    ],
)
def test_a_weak_or_strange_key_is_named_with_its_clause(kind: str, code: str, clause: str) -> None:
    """The finding says which rule it broke."""
    (found,) = check_key(key(kind).public_key())

    assert (found.code, found.clause) == (code, clause)


def test_a_brainpool_key_is_refused_by_name() -> None:
    """A curve strong enough, that no station of ours can use, is called unsupported rather than weak."""
    (found,) = check_key(ec.generate_private_key(ec.BrainpoolP256R1()).public_key())

    assert found.code == "alg.unsupported"
    assert "brainpoolP256r1" in found.says


def test_an_rsa_key_with_a_small_exponent_is_weak() -> None:
    """An exponent of 3 is legal X.509 and unfit for new systems (A00.FR.504)."""
    modulus = key("rsa2048").public_key().public_numbers().n  # type: ignore[union-attr] # it is an RSA key

    assert codes(check_key(rsa.RSAPublicNumbers(3, modulus).public_key())) == {"alg.weak"}


def test_an_rsa_key_above_the_limit_is_unsupported() -> None:
    """8192 bits would not fit OCPP's signature field."""
    key_8192 = rsa.RSAPublicNumbers(65537, (1 << 8191) + 1).public_key()

    assert codes(check_key(key_8192)) == {"alg.unsupported"}


@pytest.mark.parametrize("kind", ["mldsa44", "mldsa65", "mldsa87"])
def test_an_ml_dsa_key_is_refused_unless_an_experiment_is_wanted(kind: str) -> None:
    """And even then it is a warning, never nothing."""
    public = key(kind).public_key()

    assert codes(check_key(public)) == {"alg.unsupported"}
    assert codes(check_key(public, unsafe_experimental=True)) == {"alg.experimental"}
    assert signing_hash(public) is None


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("p256", KeyKind.EC_P256),
        ("p521", KeyKind.EC_P521),
        ("rsa3072", KeyKind.RSA_3072),
        ("ed25519", KeyKind.ED25519),
        ("ed448", KeyKind.ED448),
        ("mldsa87", KeyKind.ML_DSA_87),
        ("p192", None),
        ("rsa1024", None),
    ],
)
def test_a_key_is_of_a_kind_we_make_or_of_none(kind: str, known: KeyKind | None) -> None:
    """The kind is read from the key itself."""
    assert kind_of(key(kind).public_key()) is known


def test_a_key_that_signs_nothing_is_of_no_kind() -> None:
    """Nor is any other that we never make."""
    assert kind_of(x25519.X25519PrivateKey.generate().public_key()) is None


def test_the_padding_chosen_is_for_rsa_and_for_nothing_else() -> None:
    """ECDSA has none, so there the choice is not asked for."""
    chosen = signing_padding(key("rsa2048").public_key(), Padding.PSS)

    assert isinstance(chosen, padding.PSS)
    assert signing_padding(key("rsa2048").public_key(), Padding.PKCS1) is None  # which the builders read as PKCS#1
    assert signing_padding(key("p256").public_key(), Padding.PSS) is None


def test_keys_that_cannot_sign_for_tls_are_unsupported() -> None:
    """DSA and key-agreement keys fall through to a refusal, never to a pass."""
    assert codes(check_key(dsa.generate_private_key(2048).public_key())) == {"alg.unsupported"}
    assert codes(check_key(x25519.X25519PrivateKey.generate().public_key())) == {"alg.unsupported"}


@pytest.mark.parametrize("algorithm", [hashes.MD5(), hashes.SHA1()])  # noqa: S303 - they are to be refused
def test_a_broken_hash_is_weak(algorithm: hashes.HashAlgorithm) -> None:
    """MD5 and SHA-1 signatures can be forged (A00.FR.506)."""
    assert codes(check_signature_hash(algorithm)) == {"alg.weak"}


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512(), None])
def test_a_sound_hash_passes(algorithm: hashes.HashAlgorithm | None) -> None:
    """SHA-2 passes, and so do algorithms that bring their own hash."""
    assert check_signature_hash(algorithm) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [("p256", "sha256"), ("p384", "sha384"), ("p521", "sha512"), ("rsa2048", "sha256"), ("ed25519", ""), ("ed448", "")],
)
def test_the_hash_follows_the_key(kind: str, name: str) -> None:
    """Our own signatures use a hash as strong as the curve."""
    chosen = signing_hash(key(kind).public_key())

    assert (chosen.name if chosen else "") == name


def test_a_key_that_is_not_ours_to_sign_with_has_no_hash() -> None:
    """Asking for one is a fault in the program, not in the input."""
    with pytest.raises(ValueError, match="no certificate is signed"):
        signing_hash(key("p192").public_key())
