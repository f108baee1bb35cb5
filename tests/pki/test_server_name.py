"""Names that were dialled, held against a certificate: wildcards, addresses, and the common name where it counts."""

from __future__ import annotations

import ipaddress

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InputError
from pki.question import Purpose
from pki.server_name import is_like_host, is_written_well, parse_server_name
from tests.chains import CN, IA5, PRINTABLE, T61, UTF8, chain, dn, ext, faults, san

ADDRESS = x509.IPAddress(ipaddress.ip_address("192.0.2.1"))
SIX = x509.IPAddress(ipaddress.ip_address("2001:db8::1"))
NO: set[str] = {"chain.name"}
ANY, CSMS, STATION = Purpose.ANY, Purpose.CSMS, Purpose.STATION


@pytest.mark.parametrize(
    "text", ["csms.example.org", "localhost", "xn--bcher-kva.example", "a-b.c", "CSMS.Example.ORG"]
)
def test_a_dns_name_is_read_in_lower_case(text: str) -> None:
    """One form, so that equality is equality."""
    assert parse_server_name(text) == text.lower()


@pytest.mark.parametrize(("text", "read"), [("192.0.2.1", "192.0.2.1"), ("2001:DB8:0::1", "2001:db8::1")])
def test_an_address_is_read_as_one(text: str, read: str) -> None:
    """In the one form of it."""
    assert parse_server_name(text) == ipaddress.ip_address(read)


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.", ".a", "a..b", "*.example.org", "a b", "bücher.example", "-a.example", "a-.example", "a_b.example",
     "1.2.3", "1.2.3.4.5", "0300.0.2.1", "192.0.2.1/32", "[::1]", "a" * 64, ".".join(["a" * 60] * 5), "a\n", "https://a"],
)  # fmt: skip
def test_what_is_neither_is_refused(text: str) -> None:
    """A name that could be read in two ways is not asked about."""
    with pytest.raises(InputError, match=r"name\.server"):
        parse_server_name(text)


@pytest.mark.parametrize(
    ("names", "asked", "expected"),
    [
        (["a.example.org"], "a.example.org", set()),
        (["A.Example.org"], "a.eXample.org", set()),
        (["x.org", "a.example.org"], "a.example.org", set()),
        (["a.example.org"], "b.example.org", NO),
        (["a.example.org"], "example.org", NO),
        (["example.org"], "a.example.org", NO),
        (["*.example.org"], "a.example.org", set()),
        (["*.example.org"], "example.org", NO),
        (["*.example.org"], "b.a.example.org", NO),
        (["*.org"], "example.org", NO),
        (["*.a.example.org"], "x.b.example.org", NO),
        (["xn--bcher-kva.example.org"], "xn--bcher-kva.example.org", set()),
        (["a_b.example.org"], "ab.example.org", NO),
        (["192.0.2.1"], "192.0.2.1", NO),
        ([ADDRESS], "192.0.2.1", set()),
        ([ADDRESS], "192.0.2.2", NO),
        ([SIX], "2001:db8:0:0::1", set()),
        ([SIX], "192.0.2.1", NO),
        ([x509.UniformResourceIdentifier("https://a.example.org")], "a.example.org", NO),
        ([x509.RFC822Name("x@a.example.org")], "a.example.org", NO),
    ],
    ids=str,
)
@pytest.mark.parametrize("purpose", [ANY, CSMS])
def test_alternative_names_say_whom_a_certificate_is_for(
    names: list[x509.GeneralName | str], asked: str, expected: set[str], purpose: Purpose
) -> None:
    """RFC 6125 6.4."""
    assert faults(chain(san(*names)), purpose, asked) == expected


@pytest.mark.parametrize(
    ("common_name", "asked", "purpose", "expected"),
    [
        ("csms.example.org", "csms.example.org", CSMS, set()),
        ("CSMS.example.org", "csms.example.org", CSMS, set()),
        ("SN-0001", "sn-0001", STATION, set()),
        ("csms.example.org", "csms.example.org", ANY, NO),
        ("csms.example.org", "other.example.org", CSMS, NO),
        ("*.example.org", "csms.example.org", CSMS, NO),
        ("192.0.2.1", "192.0.2.1", CSMS, NO),
        ("csms.example.org ", "csms.example.org", CSMS, NO),
    ],
)
def test_a_common_name_counts_where_ocpp_binds_to_it(
    common_name: str, asked: str, purpose: Purpose, expected: set[str]
) -> None:
    """A00.FR.510, .511: without alternative names, for these two purposes, whole, and never for an address."""
    assert faults(chain(subject=common_name), purpose, asked) == expected


def test_any_alternative_name_takes_the_common_name_s_place() -> None:
    """Even one of another form."""
    mail = san(x509.RFC822Name("x@example.org"))

    assert faults(chain(mail, subject="csms.example.org"), CSMS, "csms.example.org") == NO


@pytest.mark.parametrize(("tag", "expected"), [(UTF8, set()), (PRINTABLE, set()), (T61, set()), (IA5, NO)])
def test_a_common_name_that_is_no_directory_string_is_none(tag: int, expected: set[str]) -> None:
    """RFC 5280 A.1: X520CommonName; another reader might not see it at all."""
    subject = dn((CN, "csms.example.org"), tag=tag)

    assert faults(chain(subject=subject), CSMS, "csms.example.org") == expected


def test_two_common_names_are_no_name() -> None:
    """One reader takes the first, another the last."""
    twice = dn((CN, "csms.example.org"), (CN, "other.example.org"))

    assert faults(chain(subject=twice), CSMS, "csms.example.org") == NO


@pytest.mark.parametrize(
    ("common_name", "expected"),
    [
        ("a.example.org", set()),
        ("192.0.2.1", set()),
        ("Example Charging CSMS", set()),
        ("leaf-1", set()),
        ("A.example.org", NO),
        ("b.example.org", NO),
        ("*.example.org", NO),
        ("192.000.002.001", NO),
        ("0xC0000201", NO),
        ("3221225985", NO),
        ("2001:db8::1", NO),
        ("bücher.example.org", NO),
    ],
)
def test_a_common_name_beside_alternative_names_is_one_of_them(common_name: str, expected: set[str]) -> None:
    """Where it has the shape of a host or an address, letter for letter, so that all readers see one server."""
    path = chain(san("a.example.org", ADDRESS), subject=common_name)

    assert faults(path, CSMS) == expected
    assert faults(path, ANY, "a.example.org") == expected


@pytest.mark.parametrize(
    ("uses", "asked", "purpose", "expected"),
    [
        ([ExtendedKeyUsageOID.SERVER_AUTH], "a.example.org", CSMS, set()),
        ([ExtendedKeyUsageOID.CLIENT_AUTH], "a.example.org", CSMS, {"chain.purpose"}),
        ([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], "", CSMS, {"chain.purpose"}),
        ([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], "", STATION, set()),
        ([ExtendedKeyUsageOID.CLIENT_AUTH], "a.example.org", ANY, {"chain.purpose"}),
        ([ExtendedKeyUsageOID.SERVER_AUTH], "a.example.org", ANY, set()),
        ([ExtendedKeyUsageOID.CLIENT_AUTH], "", ANY, set()),
    ],
)
def test_the_right_name_does_not_make_up_for_the_wrong_use(
    uses: list[x509.ObjectIdentifier], asked: str, purpose: Purpose, expected: set[str]
) -> None:
    """Both are asked."""
    assert faults(chain(san("a.example.org"), ext(x509.ExtendedKeyUsage(uses))), purpose, asked) == expected


@given(st.text(alphabet="aA1-_.* :ü", max_size=12))
def test_a_name_that_may_be_asked_for_is_well_written_and_like_a_host(text: str) -> None:
    """The three readings of a name agree."""
    try:
        read = parse_server_name(text)
    except InputError:
        return
    if isinstance(read, str):
        assert is_written_well(read)
        assert is_like_host(read) or "." not in read
    else:
        assert is_like_host(text)
