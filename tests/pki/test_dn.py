"""Names compared: as RFC 5280 7.1 has it, never more loosely; broadly only where they are forbidden."""

from __future__ import annotations

import pytest

from pki.dn import compared, is_within
from tests.chains import CN, DC, IA5, MAIL, ORG, PRINTABLE, T61, UTF8, box, dn


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (dn((CN, "Root")), dn((CN, "Root")), True),
        (dn((CN, "Root")), dn((CN, "ROOT")), True),
        (dn((CN, "Root CA")), dn((CN, "  root   ca ")), True),
        (dn((CN, "Root"), tag=UTF8), dn((CN, "root"), tag=PRINTABLE), True),
        (dn((DC, "Example"), tag=IA5), dn((DC, "example"), tag=IA5), True),
        (dn((CN, "Root")), dn((CN, "Root2")), False),
        (dn((CN, "RootCA")), dn((CN, "Root CA")), False),
        (dn((CN, "Root")), dn((ORG, "Root")), False),
        (dn((CN, "a"), (ORG, "b")), dn((ORG, "b"), (CN, "a")), False),
        (dn((CN, "a")), dn((CN, "a"), (CN, "a")), False),
        (dn((CN, "Übung")), dn((CN, "übung")), False),
        (dn((CN, "Straße")), dn((CN, "STRASSE")), False),
        (dn((CN, "a\tb")), dn((CN, "a b")), False),
        (dn((CN, "Root"), tag=T61), dn((CN, "root"), tag=T61), False),
        (dn((CN, "Root"), tag=T61), dn((CN, "Root"), tag=UTF8), False),
        (dn((MAIL, "X@example.org"), tag=IA5), dn((MAIL, "x@example.org"), tag=IA5), False),
    ],
)
def test_names_are_equal_as_the_rfc_has_it(one: bytes, other: bytes, *, equal: bool) -> None:
    """Capitals and blanks of modern texts; everything else byte for byte."""
    assert (compared(one) == compared(other)) is equal


def test_a_part_of_several_attributes_has_no_order() -> None:
    """It is a set; DER sorts it, a stranger may not."""
    pairs = [box(0x30, box(0x06, bytes.fromhex(oid)), box(UTF8, b"x")) for oid in (CN, ORG)]

    assert compared(box(0x30, box(0x31, *pairs))) == compared(box(0x30, box(0x31, *pairs[::-1])))


def test_what_is_forbidden_is_found_in_every_spelling() -> None:
    """Old forms of text, other capitals outside ASCII."""
    forbidden = compared(dn((CN, "Übung")), broadly=True)
    spellings = [
        dn((CN, "übung")),
        box(0x30, box(0x31, box(0x30, box(0x06, bytes.fromhex(CN)), box(T61, b"\xfcbung")))),
    ]

    assert all(compared(each, broadly=True) == forbidden for each in spellings)


def test_a_name_is_within_its_own_beginning() -> None:
    """Whole parts, from the widest on."""
    name, top = compared(dn((ORG, "Example"), (CN, "Leaf"))), compared(dn((ORG, "example")))

    assert is_within(name, top)
    assert is_within(name, ())
    assert not is_within(top, name)


@pytest.mark.parametrize(
    "der",
    [b"", b"\x31\x00", b"\x30\x02\x31\x00", b"\x30\x02\x05\x00", dn((CN, "x")) + b"\0", dn((CN, "ü"), tag=PRINTABLE)],
)
def test_what_is_no_name_is_refused(der: bytes) -> None:
    """``ValueError``, so that whoever reads it leaves it out."""
    with pytest.raises(ValueError, match=r"."):
        compared(der)
