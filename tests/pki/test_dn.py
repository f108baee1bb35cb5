"""Names compared: as RFC 5280 7.1 has it, never more loosely; broadly only where they are forbidden."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.dn import COMMON_NAME, ORGANISATION, compared, forms_of, is_within, plain_text, read_plain, write_plain
from tests.chains import CN, DC, IA5, MAIL, ORG, PRINTABLE, T61, UTF8, attribute, box, dn
from tests.fuzz.seeds import build_request


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
        dn((CN, "U\u0308bung")),
        dn((CN, "\u00dc\u200bbu\u00adng")),
        dn((CN, "\uff35\u0308b\uff55ng\ufe0f")),
        dn((CN, "\u00a0\u00dcbung\u2003\u0000")),
    ]

    assert all(compared(each, broadly=True) == forbidden for each in spellings)


@pytest.mark.parametrize("text", ["\ue000", "\ufffd", "\U0010ffff"])
def test_what_nobody_can_say_the_looks_of_is_not_compared_broadly(text: str) -> None:
    """RFC 4518 2.4: private letters and such; where it is forbidden, doubt refuses."""
    assert compared(dn((CN, text))) == compared(dn((CN, text)))
    with pytest.raises(ValueError, match=r"RFC 4518"):
        compared(dn((CN, text)), broadly=True)


@pytest.mark.parametrize("tag", [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x15, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x30])
def test_what_is_no_text_makes_no_name(tag: int) -> None:
    """X.520: a value of another kind would be equal to nothing, and so in no forbidden subtree either."""
    with pytest.raises(ValueError, match=r"no text"):
        compared(box(0x30, box(0x31, attribute(CN, "x", tag))))


def test_the_forms_of_an_attribute_are_told_one_by_one() -> None:
    """So that whoever asks for a common name can leave out what is none."""
    name = box(0x30, *(box(0x31, attribute(CN, "x", tag)) for tag in (UTF8, IA5)), box(0x31, attribute(ORG, "y", T61)))

    assert forms_of(name, COMMON_NAME) == (UTF8, IA5)


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


PIECES = st.tuples(
    st.sampled_from([CN, ORG, "550406", DC]),
    st.sampled_from([UTF8, UTF8, UTF8, PRINTABLE, IA5, T61, 0x04]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=70).map(str.encode) | st.binary(max_size=6),
)
"""Type, form and contents of an attribute: most of them plain."""


def by_the_library(name: bytes) -> tuple[tuple[str, str], ...]:
    """The attributes of a name as the library reads them, in a request."""
    request = x509.load_der_x509_csr(build_request(name, b"\xa0\x00"))
    return tuple((attribute.oid.dotted_string, str(attribute.value)) for attribute in request.subject)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(PIECES, min_size=1, max_size=2), max_size=3), st.integers(0, 200), st.integers(1, 255))
def test_a_plain_name_is_read_as_the_library_reads_it(
    parts: list[list[tuple[str, int, bytes]]], place: int, flip: int
) -> None:
    """Whatever is read as plain at all, of broken names too, the library reads alike, and it can be compared."""
    sets = [box(0x31, *(box(0x30, box(0x06, bytes.fromhex(k)), box(t, v)) for k, t, v in part)) for part in parts]
    name = box(0x30, *sets)
    bent = name[:place] + bytes([name[place] ^ flip]) + name[place + 1 :] if place < len(name) else b""

    for each in (name, bent, name[:place]):
        plain = read_plain(each)

        if plain is not None:
            assert by_the_library(each) == tuple((f"2.5.4.{kind[-1]}", text) for kind, text in plain)
            assert len(compared(each)) == len(plain)


TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=64)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([COMMON_NAME, ORGANISATION]), TEXTS), max_size=3))
def test_a_plain_name_is_written_as_the_library_writes_it(pairs: list[tuple[bytes, str]]) -> None:
    """In DER, and as RFC 4514 has it where nothing need be escaped."""
    kinds = {COMMON_NAME: NameOID.COMMON_NAME, ORGANISATION: NameOID.ORGANIZATION_NAME}
    name = x509.Name([x509.NameAttribute(kinds[kind], text) for kind, text in pairs])

    assert write_plain(tuple(pairs)) in {name.public_bytes(), None}
    assert plain_text(tuple(pairs)) in {name.rfc4514_string(), None}


@pytest.mark.parametrize("text", ["SN-001", "Example Charging", "csms.example.org", "A"])
def test_an_everyday_name_is_plain(text: str) -> None:
    """What a station's register holds is written without the library."""
    assert write_plain(((ORGANISATION, "Example Charging"), (COMMON_NAME, text))) is not None
    assert plain_text(((ORGANISATION, "Example Charging"), (COMMON_NAME, text))) == f"CN={text},O=Example Charging"


@pytest.mark.parametrize("text", ["", "x" * 65, "Übung", "a\tb", "y" * 64])
def test_a_name_that_is_not_plain_is_not_written(text: str) -> None:
    """It is too long, or has letters that need more thought."""
    assert write_plain(((ORGANISATION, "x" * 60), (COMMON_NAME, text))) is None


@pytest.mark.parametrize("text", ["a,b", "a+b", "#a", " a", "a ", 'a"b', "a  b", "a\\b", "a<b", "a;b"])
def test_what_may_have_to_be_escaped_is_left_to_the_library(text: str) -> None:
    """RFC 4514 2.4 knows more than one way; there is one writer of it."""
    assert plain_text(((COMMON_NAME, text),)) is None


@pytest.mark.parametrize("place", range(2, 40))
def test_no_byte_of_a_plain_name_is_overlooked(place: int) -> None:
    """Each made another one: it is not plain any more, or the library reads the very same other name."""
    name = dn((ORG, "Example Charging"), (CN, "SN-001"))
    assert read_plain(name) is not None

    for flip in range(1, 256):
        bent = name[:place] + bytes([name[place] ^ flip]) + name[place + 1 :]
        plain = read_plain(bent)

        assert plain is None or by_the_library(bent) == tuple((f"2.5.4.{kind[-1]}", text) for kind, text in plain)


@pytest.mark.parametrize(
    "name",
    [
        dn(),
        dn((CN, "")),
        dn((CN, "x" * 65)),
        dn((CN, "Übung")),
        dn((CN, "a\tb")),
        dn((CN, "SN-001"), tag=PRINTABLE),
        dn(("550406", "DE"), (CN, "SN-001")),
        dn((ORG, "x" * 60), (CN, "y" * 60)),
        b"",
        b"\x30",
    ],
)
def test_all_other_names_are_left_to_those_who_read_any(name: bytes) -> None:
    """Whatever makes them other than plain."""
    assert read_plain(name) is None
