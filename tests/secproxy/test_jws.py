"""``secproxy.jws``: what is signed is read as it was written, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.edge.schema_files import SchemaFiles
from secproxy.jws import is_signed, read_coded, unseal, write_coded
from secproxy.reader import UnreadableError
from secproxy.schemas import VERSIONS

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(VALUES)
def test_what_is_written_is_read_again(value: object) -> None:
    """Without padding, in the alphabet of URLs."""
    text = write_coded(value)
    assert read_coded(text) == value
    assert not set("+/=") & set(text)


@pytest.mark.parametrize("more", [{}, {"signature": "x"}, {"signatures": [{"protected": "e30"}]}, {"protected": "7"}])
def test_nothing_but_the_payload_says_what_is_signed(more: dict[str, object]) -> None:
    """Neither the algorithm nor whether there is a signature: that is for whoever trusts it."""
    assert unseal({"payload": write_coded({"a": 1}), **more}) == {"a": 1}


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"alg": 7}, {"alg": "ES256", "b64": False}, {}])
def test_an_algorithm_that_is_wrong_hides_nothing(header: dict[str, object]) -> None:
    """What is signed by it, or claims to be, is read all the same; what is not encoded (RFC 7797) is not read."""
    protected = write_coded(header)
    assert unseal({"payload": write_coded({"a": 1}), "protected": protected, "signature": ""}) == {"a": 1}
    with pytest.raises(UnreadableError, match="base64url"):
        unseal({"payload": '{"a":1}', "protected": protected, "signature": ""})


def test_what_is_signed_once_more_is_not_read() -> None:
    """Nobody knows how far its reader goes."""
    inner = {"payload": write_coded({"type": "Hard"}), "signature": "x"}
    assert is_signed(inner)
    with pytest.raises(UnreadableError, match="signed message itself"):
        unseal({"payload": write_coded(inner), "signature": "x"})


def test_no_message_of_the_standard_looks_signed() -> None:
    """An answer that does was signed, whatever it answers."""
    library = SchemaFiles()
    names = [(version, name) for version in VERSIONS for name in library.names(version)]
    assert names
    for version, name in names:
        assert '"payload"' not in library.text(version, name)


def test_a_huge_payload_is_read_once_and_bounded_by_its_message() -> None:
    """As many bytes as a frame may bring; brackets in it do not make anybody dive."""
    assert unseal({"payload": write_coded({"a": "x" * 190_000})}) == {"a": "x" * 190_000}
    with pytest.raises(UnreadableError, match="deeper"):
        read_coded("W1tb" * 60_000)
