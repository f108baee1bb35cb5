"""Checkpoints: signed statements about the log, opened only when everything about them is right."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from pki.checkpoint import open_checkpoint, sign_checkpoint
from pki.errors import RefusedError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
ORIGIN, ROOT = "audit.example.org/log", bytes(range(32))
TEXT = sign_checkpoint(42, ROOT, ORIGIN, KEY)


@given(st.integers(0, 10**18), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_states_what_was_signed(size: int, root: bytes) -> None:
    """Size and root come back as they went in."""
    assert open_checkpoint(sign_checkpoint(size, root, ORIGIN, KEY), ORIGIN, KEY.public_key()) == (size, root)


def test_a_checkpoint_has_the_published_form() -> None:
    """C2SP: three lines, a blank one, and a signature line with the key's hash before the signature."""
    origin, size, root, blank, signature = TEXT.removesuffix("\n").split("\n")
    raw = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key_hash = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + raw).digest()[:4]

    assert (origin, size, base64.b64decode(root), blank) == (ORIGIN, "42", ROOT, "")
    assert signature.startswith(f"\u2014 {ORIGIN} ")
    assert base64.b64decode(signature.split(" ")[2])[:4] == key_hash
    KEY.public_key().verify(base64.b64decode(signature.split(" ")[2])[4:], f"{origin}\n{size}\n{root}\n".encode())


@given(st.integers(0, len(TEXT) - 1), st.characters(codec="utf-8"))
def test_a_checkpoint_with_any_character_changed_is_refused(place: int, character: str) -> None:
    """Nothing in it is decoration."""
    changed = TEXT[:place] + character + TEXT[place + 1 :]
    if changed == TEXT:
        return

    with pytest.raises(RefusedError) as refusal:
        open_checkpoint(changed, ORIGIN, KEY.public_key())

    assert refusal.value.code == "audit.checkpoint"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(TEXT + TEXT, id="two of them"),
        pytest.param(TEXT + "x", id="something behind it"),
        pytest.param(TEXT.replace("42", "042"), id="a size written twice over"),
        pytest.param(TEXT.replace("\n", "\r\n"), id="other line ends"),
        pytest.param(sign_checkpoint(42, ROOT, "other.example.org", KEY), id="another log"),
        pytest.param(sign_checkpoint(42, ROOT, ORIGIN, OTHER), id="another key"),
        pytest.param("x" * 100_000, id="much text"),
    ],
)
def test_what_is_not_our_checkpoint_is_refused(text: str) -> None:
    """Each with one code, and no traceback."""
    with pytest.raises(RefusedError):
        open_checkpoint(text, ORIGIN, KEY.public_key())


@pytest.mark.parametrize(
    ("size", "root", "origin"),
    [(-1, ROOT, ORIGIN), (1, b"short", ORIGIN), (1, ROOT, "a b"), (1, ROOT, "a+b"), (1, ROOT, "")],
)
def test_nonsense_is_not_signed(size: int, root: bytes, origin: str) -> None:
    """A checkpoint that nobody could open is a fault in the program."""
    with pytest.raises(ValueError, match="checkpoint needs"):
        sign_checkpoint(size, root, origin, KEY)
