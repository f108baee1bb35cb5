"""A proof is a page of text that a stranger can check with the log's public key, and nothing altered passes."""

from __future__ import annotations

import json

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pki.checkpoint import read_public_key
from pki.errors import InputError, RefusedError
from pki.proof import Consistency, Inclusion, Proof, prove_entry, prove_growth, read_proof, write_proof
from tests.pki.logs import KEY, ORIGIN, PEM, checkpoint, entries, leaves


def inclusion(index: int = 2, size: int = 7) -> Inclusion:
    """That entry ``index`` is in a log of ``size``."""
    entry = (index, entries(size)[index].decode())
    return prove_entry(ORIGIN, PEM, checkpoint(size), size, entry, leaves(9))


def growth(first: int = 3, second: int = 7) -> Consistency:
    """That a log of ``second`` begins with one of ``first``."""
    return prove_growth(ORIGIN, PEM, (checkpoint(first), first), (checkpoint(second), second), leaves(9))


@pytest.mark.parametrize(
    "proof", [inclusion(), inclusion(0, 1), growth(), growth(4, 4)], ids=lambda p: type(p).__name__
)
def test_a_proof_written_and_read_again_holds(proof: Proof) -> None:
    """With the key that came with it here; whose key it is, the checker has to know."""
    again = read_proof(write_proof(proof))
    assert again == proof
    assert again.check(read_public_key(again.public_key))[0] in {1, 4, 7}


@pytest.mark.parametrize(
    "altered",
    [
        msgspec.structs.replace(inclusion(), entry=entries(7)[3].decode()),
        msgspec.structs.replace(inclusion(), index=3),
        msgspec.structs.replace(inclusion(), checkpoint=checkpoint(6)),
        msgspec.structs.replace(inclusion(), hashes=inclusion().hashes[:-1]),
        msgspec.structs.replace(inclusion(), origin="another/log"),
        msgspec.structs.replace(growth(), older=checkpoint(4)),
        msgspec.structs.replace(growth(), hashes=(*growth().hashes[:-1], "00" * 32)),
        msgspec.structs.replace(growth(), newer=checkpoint(7, Ed25519PrivateKey.generate())),
    ],
    ids=["entry", "index", "checkpoint", "short", "origin", "older", "hash", "another key"],
)
def test_a_proof_with_anything_altered_is_refused(altered: Proof) -> None:
    """Text, place, checkpoint, hashes: all of it is bound."""
    with pytest.raises(RefusedError, match=r"audit\."):
        altered.check(KEY.public_key())


def test_a_checkpoint_older_than_the_entry_proves_nothing_about_it() -> None:
    """Nor does a newer log grow into an older one."""
    with pytest.raises(InputError, match=r"audit\.range"):
        prove_entry(ORIGIN, PEM, checkpoint(2), 2, (2, ""), leaves(9))
    with pytest.raises(InputError, match=r"audit\.range"):
        growth(7, 3)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"proof": "perhaps"}', "[" * 100_000])
def test_what_is_no_proof_is_refused_in_words(text: str) -> None:
    """Whatever a stranger hands over."""
    with pytest.raises(InputError, match=r"audit\.proof"):
        read_proof(text)


def test_hashes_that_are_no_hex_are_refused_when_read() -> None:
    """Not later, in the middle of the arithmetic."""
    fields = json.loads(write_proof(inclusion()))
    with pytest.raises(InputError, match=r"audit\.proof"):
        read_proof(json.dumps({**fields, "hashes": ["zz"]}))


def test_a_key_of_another_kind_is_no_key_of_a_log() -> None:
    """Nor is text that is no key at all."""
    for text in ("", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(InputError, match=r"audit\.key"):
            read_public_key(text)
