"""DER: one form of everything, and an end to everything."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.der import OBJECT_IDENTIFIER, SEQUENCE, Box, dotted, header, read_box, read_boxes
from tests.chains import box, oid_hex


@pytest.mark.parametrize("length", [0, 1, 127, 128, 255, 256, 65_535, 65_536])
def test_a_box_is_read_whatever_its_length(length: int) -> None:
    """Tag, content, and the whole of it."""
    der = box(SEQUENCE, b"x" * length)

    assert read_box(der) == Box(SEQUENCE, b"x" * length, der)
    assert read_boxes(der + der) == [read_box(der)] * 2
    assert header(b"?" + der, 1)[1] == len(der) + 1


@pytest.mark.parametrize(
    "der",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x30", id="a tag alone"),
        pytest.param(b"\x30\x01", id="less than said"),
        pytest.param(b"\x30\x00\x00", id="more than said"),
        pytest.param(b"\x30\x80\x00\x00", id="an open end"),
        pytest.param(b"\x30\x81\x01x", id="a long form of a short length"),
        pytest.param(b"\x30\x82\x00\x80" + b"x" * 128, id="a length with zeros in front"),
        pytest.param(b"\x30\x85\x01\x00\x00\x00\x00", id="a length beyond all bounds"),
        pytest.param(b"\x3f\x1f\x00", id="a tag of two bytes"),
        pytest.param(b"\x30\x82\x01", id="a length that is cut off"),
    ],
)
def test_what_has_two_forms_is_refused(der: bytes) -> None:
    """Two readers of it could differ."""
    with pytest.raises(ValueError, match=r"box|bytes|length"):
        read_box(der)


@given(st.binary(max_size=64))
def test_any_bytes_are_boxes_or_refused(der: bytes) -> None:
    """``ValueError`` and nothing else; what is read is all of it."""
    with contextlib.suppress(ValueError):
        assert b"".join(each.raw for each in read_boxes(der)) == der


def test_a_box_of_another_kind_is_refused() -> None:
    """Where a sequence is due."""
    with pytest.raises(ValueError, match="0x30 is due"):
        read_box(b"\x02\x01\x00").held(SEQUENCE)


@pytest.mark.parametrize("oid", ["2.5.29.32.0", "1.3.6.1.4.1.99.1", "2.999.3", "0.9.2342.19200300.100.1.25"])
def test_object_identifiers_are_written_as_people_do(oid: str) -> None:
    """Each arc of it, however large."""
    from cryptography import x509

    assert dotted(read_box(box(OBJECT_IDENTIFIER, bytes.fromhex(oid_hex(x509.ObjectIdentifier(oid)))))) == oid


@pytest.mark.parametrize("content", [b"", b"\x2a\x83"])
def test_an_object_identifier_ends(content: bytes) -> None:
    """An arc that goes on into nothing is none."""
    with pytest.raises(ValueError, match="does not end"):
        dotted(Box(OBJECT_IDENTIFIER, content, b""))
