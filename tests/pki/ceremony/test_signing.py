"""A key signs one message one way, and everybody can verify it."""

from __future__ import annotations

import copy

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from pki.ceremony.signing import Deterministic, deterministic, is_signed, sign_bytes
from tests.pki.papers import key

KINDS = ["p256", "p384", "p521", "rsa2048", "ed25519", "ed448"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_comes_out_the_same_twice_and_verifies(kind: str) -> None:
    """RFC 6979 3.2 for ECDSA; the others know no chance."""
    holder = key(kind, "ceremony")
    made = sign_bytes(holder, b"message")

    assert sign_bytes(holder, b"message") == made
    assert is_signed(holder.public_key(), b"message", made)
    assert not is_signed(holder.public_key(), b"massage", made)
    assert not is_signed(key(kind, "other").public_key(), b"message", made)


@given(st.binary(max_size=80))
def test_no_bytes_pass_for_a_signature(signature: bytes) -> None:
    """Nor do they raise."""
    assert not is_signed(key("p384", "ceremony").public_key(), b"message", signature)


def test_the_signature_is_the_one_of_the_rfc() -> None:
    """RFC 6979 A.2.5: P-256, SHA-256, message 'sample'."""
    number = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    r = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    made = deterministic(ec.derive_private_key(number, ec.SECP256R1()))
    assert isinstance(made, ec.EllipticCurvePrivateKey)

    assert r in made.sign(b"sample", ec.ECDSA(hashes.SHA256())).hex()


def test_such_a_key_signs_and_does_nothing_else() -> None:
    """It cannot be written out by mistake."""
    made = deterministic(key("p256", "ceremony"))
    assert isinstance(made, Deterministic)

    assert made.key_size == 256
    assert copy.copy(made) is copy.deepcopy(made) is made
    for act in (made.private_numbers, made.private_bytes, made.exchange):
        with pytest.raises(TypeError):
            act()
