"""What strangers send is read to the end or refused by name: no exception of a parser's passes a door."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Final

import pytest
from cryptography import x509
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pki.bundle import read_bundle, read_lists
from pki.certificate import read_certificate
from pki.chain import verify
from pki.errors import BollardError, InputError
from pki.lint_file import lint_file
from pki.paper import Paper
from pki.question import Purpose
from pki.request import examine, read_request_der
from pki.unreadable import NAMES_MOST, UNREADABLE, touch, touch_name
from pki.verification import Files, verify_files
from secproxy.binding import read_certificate as read_client
from tests.chains import CN, EXTENDED, MAIL, ORG, attribute, box, chain, crl, dn, ext, raw, root
from tests.fuzz.seeds import build_request
from tests.pki.papers import NOW, ORGANISATION, STATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chains import Party

BIT_STRING, OCTET_STRING, UTC_TIME, GENERALIZED_TIME, VISIBLE = 0x03, 0x04, 0x17, 0x18, 0x1A


def bent(tag: int, oid: str = CN) -> bytes:
    """A name whose last value is of another kind than names have."""
    value = {BIT_STRING: "\0Leaf", UTC_TIME: "260101000000Z", GENERALIZED_TIME: "20260101000000Z"}.get(tag, "Leaf")
    return box(0x30, box(0x31, attribute(ORG, "Example")), box(0x31, attribute(oid, value, tag)))


def pem(der: bytes) -> bytes:
    """As people hand it over."""
    return b"-----BEGIN CERTIFICATE-----\n%b-----END CERTIFICATE-----\n" % base64.encodebytes(der)


def named(name: bytes) -> bytes:
    """An alternative name, or what stands in it."""
    return raw("551d11", box(0x30, box(0xA4, name)))


BENT = [bent(tag) for tag in (BIT_STRING, OCTET_STRING, UTC_TIME, GENERALIZED_TIME, VISIBLE)]
GOOD: Final = chain(
    ext(x509.SubjectAlternativeName([x509.DNSName("leaf.example.org"), x509.RFC822Name("a@example.org")])),
    ext(x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), ["https://example.org"])])),
    raw(EXTENDED, bytes.fromhex("300a06082b06010505070302")),
    above=(ext(x509.NameConstraints([x509.DNSName("example.org")], None), critical=True),),
    subject=dn((ORG, "Example"), (MAIL, "a@example.org"), (CN, "SN-001")),
)
LEAF, _, ANCHOR = GOOD
REQUEST = build_request(dn((ORG, "Example Charging"), (CN, "SN-001")), b"\xa0\x00")
LIST = crl(ANCHOR)


def through_files(der: bytes) -> None:
    """As ``cert verify`` does, wherever on the path it stands."""
    for files in (
        Files(der, (ANCHOR.der,), (GOOD[1].der,)),
        Files(LEAF.der, (der,), (GOOD[1].der,)),
        Files(LEAF.der, (ANCHOR.der,), (der,)),
    ):
        verify_files(files, Purpose.ANY, NOW)


def through_verify(der: bytes) -> None:
    """As firmware signers and imported authorities are judged, after a reader let them in."""
    certificate = read_certificate(der)
    verify(certificate, [ANCHOR.certificate], [GOOD[1].certificate], Purpose.STATION, NOW)


def through_lint(der: bytes) -> None:
    """As ``cert lint`` does."""
    assert lint_file(der, None, NOW)


def through_examination(der: bytes) -> None:
    """As a request of a station goes."""
    request = read_request_der(der)
    request.csr.subject.rfc4514_string()
    examine(request, STATION, ORGANISATION)


DOORS: Final[dict[Callable[[bytes], object], bytes]] = {
    read_certificate: LEAF.der,
    read_bundle: LEAF.der,
    read_lists: LIST,
    through_files: LEAF.der,
    through_verify: LEAF.der,
    through_lint: LEAF.der,
    through_examination: REQUEST,
    (lambda der: read_client(der, bytes(32))): LEAF.der,
    (lambda der: lint_file(der, None, NOW)): REQUEST,
}


@pytest.mark.parametrize("door", DOORS)
@settings(deadline=None, max_examples=150)
@given(edits=st.lists(st.tuples(st.integers(0, 4095), st.binary(max_size=2)), min_size=1, max_size=3))
@example(edits=[])
def test_whatever_byte_is_changed_only_our_own_errors_come_out(
    door: Callable[[bytes], object], edits: list[tuple[int, bytes]]
) -> None:
    """One to three bytes replaced, doubled or dropped, anywhere in a certificate, a request, a list."""
    der = DOORS[door]
    for place, value in edits:
        at = place % len(der)
        der = der[:at] + value + der[at + 1 :]

    with contextlib.suppress(BollardError):
        door(der)


@pytest.mark.parametrize("door", DOORS)
def test_whatever_tag_a_value_has_only_our_own_errors_come_out(door: Callable[[bytes], object]) -> None:
    """Each box of a paper, in turn, says that it is of each other kind."""
    der = DOORS[door]
    for at in range(len(der)):
        if der[at] in {0x0C, 0x13, 0x16, 0x17, 0x06, 0x04, 0x02}:
            for tag in (BIT_STRING, OCTET_STRING, UTC_TIME, VISIBLE, 0x05, 0x1E):
                with contextlib.suppress(BollardError):
                    door(der[:at] + bytes([tag]) + der[at + 1 :])


PARTIES = [
    *(pytest.param(chain(subject=name)[0], id=f"subject {at}") for at, name in enumerate(BENT)),
    *(pytest.param(chain(issuer=name)[0], id=f"issuer {at}") for at, name in enumerate(BENT)),
    pytest.param(chain(named(BENT[0]))[0], id="a bit string in an alternative name"),
]


@pytest.mark.parametrize("party", PARTIES)
def test_a_name_whose_value_is_no_text_makes_a_certificate_unreadable(party: Party) -> None:
    """RFC 5280 4.1.2.4: in its subject or its issuer, for every reader."""
    with pytest.raises(InputError, match=r"certificate\.unreadable"):
        read_certificate(party.der)
    with pytest.raises(ValueError, match=r"."):
        Paper.read(x509.load_der_x509_certificate(party.der))
    assert read_bundle(pem(party.der) + pem(ANCHOR.der)).malformed
    (told,) = lint_file(party.der, None, NOW)
    assert [finding.code for finding in told.findings] == ["lint.extensions"]


@pytest.mark.parametrize("name", BENT, ids=["bits", "octets", "two digits", "four digits", "visible"])
def test_the_proxy_knows_no_station_by_what_is_no_text(name: bytes) -> None:
    """A client's certificate is named by its subject, and that must be one."""
    with pytest.raises(InputError, match=r"certificate\.unreadable"):
        read_client(chain(subject=name)[0].der, bytes(32))


@pytest.mark.parametrize("name", BENT, ids=["bits", "octets", "two digits", "four digits", "visible"])
def test_a_name_whose_value_is_no_text_makes_a_request_unreadable(name: bytes) -> None:
    """What would be certified would be what nobody can compare."""
    with pytest.raises(InputError, match=r"csr\.unreadable"):
        read_request_der(build_request(name, b"\xa0\x00"))


def test_a_list_from_an_issuer_without_a_name_of_text_is_left_out() -> None:
    """It is told, as any other that is malformed."""
    anchor = root(bent(BIT_STRING))

    assert read_lists(crl(anchor)) == ((), ("'oid must be X500_UNIQUE_IDENTIFIER for BitString type.'",))


def test_a_unique_identifier_is_of_bits_and_readable() -> None:
    """X.520 6.2.10: the one attribute that is no text."""
    party = chain(subject=bent(BIT_STRING, "55042d"))[0]

    touch(read_certificate(party.der))


def test_the_exceptions_are_those_of_the_library_alone() -> None:
    """Nothing of ours, and not so broad that a fault of our own would hide."""
    assert Exception not in UNREADABLE
    assert not any(issubclass(kind, BollardError) for kind in UNREADABLE)
    assert not any(issubclass(fault, UNREADABLE) for fault in (AttributeError, KeyError, IndexError, RuntimeError))


@pytest.mark.parametrize("name", BENT[:2], ids=["a bit string", "an octet string"])
def test_a_name_that_cannot_be_read_is_never_taken_for_one_that_was(name: bytes) -> None:
    """Only names that could be read are remembered, and not many of them."""
    good = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"SN-{n}")]) for n in range(NAMES_MOST + 1)]
    for each in good:
        touch_name(each)
    bad = chain(subject=name)[0].certificate
    for _ in range(2):
        with pytest.raises(UNREADABLE):
            touch(bad)
    touch_name(good[0])
