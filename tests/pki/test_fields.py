"""Certificates taken apart: every field, as it was written."""

from __future__ import annotations

import contextlib

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.fields import check_subtrees, read_fields, read_list_fields, read_mappings
from tests.chains import CN, ECDSA_SHA256, chain, crl, dn, entry, raw, root

LEAF = chain(serial=b"\x00\x80")[0]


def test_every_field_is_as_it_was_written() -> None:
    """And the library agrees where it tells."""
    fields, certificate = read_fields(LEAF.der), LEAF.certificate

    assert (fields.version, fields.serial, fields.issuer, fields.subject) == (
        3,
        b"\x00\x80",
        dn((CN, "CA")),
        LEAF.subject,
    )
    assert fields.inner_algorithm == fields.outer_algorithm == ECDSA_SHA256
    assert fields.body == certificate.tbs_certificate_bytes
    assert fields.signature == certificate.signature
    assert len(fields.extensions) == len(certificate.extensions)
    assert not fields.has_unique_ids


def test_a_list_is_taken_apart_too() -> None:
    """Its entries stay unread."""
    fields = read_list_fields(crl(LEAF, entry(1), entry(2)))

    assert (fields.version, fields.issuer, fields.entries) == (2, LEAF.subject, entry(1) + entry(2))
    assert read_list_fields(crl(LEAF)).entries == b""


@pytest.mark.filterwarnings("ignore")  # of a library, about values that are strange by intention
@settings(deadline=None)
@given(st.integers(0, len(LEAF.der) - 1), st.integers(0, 255))
def test_a_byte_changed_gives_other_fields_or_none(place: int, byte: int) -> None:
    """``ValueError`` and nothing else; and what the library reads as well, it reads the same."""
    der = bytearray(LEAF.der)
    der[place] = byte
    with contextlib.suppress(ValueError):
        fields = read_fields(bytes(der))
        with contextlib.suppress(ValueError, x509.InvalidVersion):
            assert x509.load_der_x509_certificate(bytes(der)).tbs_certificate_bytes == fields.body


def test_mappings_are_pairs_of_policies() -> None:
    """The issuer's first."""
    mapped = raw("551d21", bytes.fromhex("300a300806022a0306022a04"), critical=True)

    assert read_mappings(read_fields(chain(mapped)[0].der)) == (("1.2.3", "1.2.4"),)
    assert read_mappings(read_fields(LEAF.der)) is None


def test_subtrees_have_neither_minimum_nor_maximum() -> None:
    """RFC 5280 4.2.1.10."""
    limited = chain(raw("551d1e", bytes.fromhex("300ba00930078202612e810101")))[0]

    check_subtrees(read_fields(root().der))
    with pytest.raises(ValueError, match="maximum"):
        check_subtrees(read_fields(limited.der))


def test_a_signature_is_made_of_whole_bytes() -> None:
    """Bits left over could be anything."""
    der = bytearray(LEAF.der)
    der[der.rindex(b"\x00\x30")] = 1

    with pytest.raises(ValueError, match="whole bytes"):
        read_fields(bytes(der))
