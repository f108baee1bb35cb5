"""DER as we write it: as a library writes it, and read back by the reader that others' bytes go through."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from pki import encode
from pki.der import INTEGER, OCTET_STRING, read_box


@given(st.integers(0, 2**170))
def test_an_integer_reads_back(value: int) -> None:
    """In its shortest form, with a zero before a high bit."""
    box = read_box(encode.integer(value)).held(INTEGER)

    assert int.from_bytes(box.content, signed=True) == value


@given(st.binary(max_size=70_000))
def test_contents_of_any_length_read_back(contents: bytes) -> None:
    """Lengths of one, two and three bytes."""
    assert read_box(encode.octets(contents)).held(OCTET_STRING).content == contents


@given(st.lists(st.integers(0, 2**40), max_size=8), st.integers(0, 39))
def test_an_object_identifier_is_written_as_the_library_reads_it(rest: list[int], second: int) -> None:
    """Held against the library, which reads a request for status with our bytes in it."""
    dotted = ".".join(map(str, (1, second, *rest)))
    value = encode.extension(dotted, b"\x05\x00")
    name = x509.Name([x509.NameAttribute(x509.ObjectIdentifier(dotted), "x")]).public_bytes()

    assert encode.oid(dotted) in value
    assert encode.oid(dotted) in name


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (dt.datetime(1950, 1, 1, tzinfo=dt.UTC), b"\x17\x0d500101000000Z"),
        (dt.datetime(2049, 12, 31, 23, 59, 59, tzinfo=dt.UTC), b"\x17\x0d491231235959Z"),
        (dt.datetime(2050, 1, 1, tzinfo=dt.UTC), b"\x18\x0f20500101000000Z"),
        (dt.datetime(1949, 12, 31, tzinfo=dt.UTC), b"\x18\x0f19491231000000Z"),
        (dt.datetime(9, 1, 1, tzinfo=dt.UTC), b"\x18\x0f00090101000000Z"),
    ],
)
def test_a_time_has_the_form_that_its_year_asks_for(moment: dt.datetime, written: bytes) -> None:
    """RFC 5280 4.1.2.5."""
    assert encode.time(moment) == written
