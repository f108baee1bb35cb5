"""How a certificate is written: each rule of RFC 5280 section 4, broken once, in the leaf, above it, or on top."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from pki.question import Purpose
from tests.chains import (
    AKI,
    BASIC,
    CN,
    DAY,
    ECDSA_SHA256,
    ECDSA_SHA384,
    LEAF,
    SIGNS,
    SKI,
    authority,
    box,
    chain,
    dn,
    ext,
    faults,
    moment,
    raw,
    root,
    san,
)
from tests.pki.papers import NOW, key, usage

EMPTY = b"\x30\x00"
BAD, PATH = {"chain.malformed"}, {"chain.path"}
SILENT = {"chain.malformed", "chain.key_id"}
PATHLESS = {"chain.untrusted"}
URL = x509.UniformResourceIdentifier("http://ca.example.org")
AIA = x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, URL)])
POLICY = "06032a0304"


def generalized(when: dt.datetime) -> bytes:
    """A time in the long form."""
    return box(0x18, when.strftime("%Y%m%d%H%M%SZ").encode())


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        pytest.param({}, set(), id="nothing wrong"),
        pytest.param({"serial": b"\x7f" + b"\xff" * 19}, set(), id="a serial of twenty octets"),
        pytest.param({"serial": b"\x7f" + b"\xff" * 20}, BAD, id="a serial of twenty-one"),
        pytest.param({"serial": b"\x00\x80" + b"\x01" * 19}, BAD, id="a serial of twenty with its sign in front"),
        pytest.param({"inner": ECDSA_SHA256, "outer": ECDSA_SHA384}, {"chain.untrusted", *BAD}, id="two algorithms"),
        pytest.param({"unique": box(0x81, b"\0\1")}, BAD, id="a unique identifier of the issuer"),
        pytest.param({"unique": box(0x82, b"\0\1")}, BAD, id="a unique identifier of the subject"),
        pytest.param({"subject": EMPTY}, BAD, id="neither subject nor alternative name"),
        pytest.param({"begin": NOW + DAY}, {"chain.not_yet_valid"}, id="not valid yet"),
        pytest.param({"end": NOW - DAY / 2}, {"chain.expired"}, id="valid no more"),
        pytest.param({"end": dt.datetime(2060, 1, 1, tzinfo=dt.UTC)}, set(), id="valid past 2049, in the long form"),
        pytest.param({"end": dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)}, set(), id="without an end"),
        pytest.param({"times": generalized(NOW - DAY) + moment(NOW + DAY)}, BAD, id="the long form before 2050"),
        pytest.param(
            {"begin": NOW + DAY, "end": NOW - DAY},
            {*BAD, "chain.expired", "chain.not_yet_valid"},
            id="an end before the start",
        ),
        pytest.param({"bend": True}, PATHLESS, id="a signature that is not one"),
        pytest.param({"signer": key("p256", "stranger")}, PATHLESS, id="the signature of another key"),
        pytest.param({"issuer": dn((CN, "Other"))}, PATHLESS, id="the name of another issuer"),
        pytest.param({"issuer": dn((CN, " ca"))}, set(), id="the issuer's name in other capitals and blanks"),
    ],
)
def test_the_fields_of_a_leaf_are_written_as_they_must_be(how: dict[str, Any], expected: set[str]) -> None:
    """RFC 5280 4.1; the same fields above a leaf are asked in the same way."""
    assert faults(chain(**how)) == expected


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("serial", [b"\x00", b"\x80", b"\xff\x7f"])
def test_a_serial_number_is_positive(serial: bytes) -> None:
    """RFC 5280 4.1.2.2; files that hold such a certificate are refused before it comes here."""
    assert faults(chain(serial=serial)) == BAD


def test_an_issuer_has_a_name() -> None:
    """RFC 5280 4.1.2.4, .6: an authority without a subject, and what it issued, which then names no issuer."""
    anchor = root(EMPTY, key("p256", "nameless"))
    leaf = anchor.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF, critical=True))

    assert faults([leaf, anchor]) == BAD


@pytest.mark.parametrize(
    ("purpose", "expected"), [(Purpose.ANY, SILENT), (Purpose.CSMS, SILENT), (Purpose.STATION, set())], ids=str
)
def test_a_leaf_of_version_one_is_told_to_devices_and_refused_elsewhere(purpose: Purpose, expected: set[str]) -> None:
    """RFC 5280 4.1.2.1: nothing weak in it, but nothing that could be asked of it either."""
    _, middle, anchor = chain()
    leaf = middle.issue("Leaf", key("p256", "chain-leaf"), version=b"", without=(SKI, AKI))

    assert faults([leaf, middle, anchor], purpose) == expected


def test_an_authority_of_version_one_is_none() -> None:
    """It cannot say that it is one."""
    anchor = root()
    middle = anchor.issue("CA", key("p256", "chain-ca"), version=b"", without=(SKI, AKI))
    leaf = middle.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF, critical=True))

    assert faults([leaf, middle, anchor], Purpose.STATION) == PATH


CRITICALS = [
    pytest.param(ext(AIA, critical=True), {*BAD, *PATH}, id="where more about the issuer is found, critical"),
    pytest.param(raw(SKI, b"\x04\x01\x01", critical=True), {*BAD, *PATH}, id="its own key, critical"),
    pytest.param(raw("2a0304", b"\x05\x00", critical=True), PATH, id="something unknown, critical"),
    pytest.param(raw("2a0304", b"\x05\x00"), set(), id="something unknown, not critical"),
    pytest.param(raw("551d36", b"\x02\x01\x00"), BAD, id="an end of any policy, not critical"),
    pytest.param(raw("551d24", b"\x30\x03\x80\x01\x05"), BAD, id="a demand for policies, not critical"),
    pytest.param(raw("551d1f", b"\x30\x00", critical=True), PATH, id="places of revocation lists, critical"),
]


@pytest.mark.parametrize(("extension", "expected"), CRITICALS)
@pytest.mark.parametrize("place", ["leaf", "above", "top"])
def test_what_is_critical_is_understood_and_only_what_may_be(extension: bytes, expected: set[str], place: str) -> None:
    """RFC 5280 4.2, of every certificate on the path, the anchor's own too."""
    path = chain(extension) if place == "leaf" else chain(**{place: (extension,)})

    assert faults(path) - {"chain.key_id"} == expected


def test_a_key_of_the_issuer_is_never_critical() -> None:
    """RFC 5280 4.2.1.1."""
    named = x509.AuthorityKeyIdentifier.from_issuer_public_key(key("p256", "chain-ca").public_key())

    assert faults(chain(ext(named, critical=True))) == {*BAD, *PATH}


@pytest.mark.parametrize(
    ("extensions", "how", "expected"),
    [
        pytest.param((san("a.example.org"),), {}, set(), id="a good one"),
        pytest.param((raw("551d11", EMPTY),), {}, BAD, id="no name in it"),
        pytest.param((raw("551d11", b"\x30\x03\x82\x01 "),), {}, BAD, id="a blank"),
        pytest.param((san(""),), {}, BAD, id="an empty name"),
        pytest.param((san("a..example.org"),), {}, BAD, id="an empty label"),
        pytest.param((san("a.example.org."),), {}, BAD, id="a dot at the end"),
        pytest.param((san(".example.org"),), {}, BAD, id="a dot at the start"),
        pytest.param((san("ab*.example.org"),), {}, BAD, id="a wildcard for part of a label"),
        pytest.param((san("a.*.example.org"),), {}, BAD, id="a wildcard that is not left-most"),
        pytest.param((san("*"),), {}, BAD, id="a wildcard alone"),
        pytest.param((raw("551d11", b"\x30\x05\x87\x03\x01\x02\x03"),), {}, BAD, id="an address of three octets"),
        pytest.param((raw("551d11", b"\x30\x0a\x87\x08\xc0\0\2\0\xff\xff\xff\0"),), {}, BAD, id="a network"),
        pytest.param((raw("551d11", b"\x04\x00"),), {}, BAD, id="no sequence"),
        pytest.param(
            (raw("551d11", san("a.example.org")[9:], critical=True),), {}, BAD, id="critical beside a subject"
        ),
        pytest.param(
            (raw("551d11", san("a.example.org")[9:], critical=True),),
            {"subject": EMPTY},
            set(),
            id="instead of a subject",
        ),
        pytest.param((san("a.example.org"),), {"subject": EMPTY}, BAD, id="instead of a subject, not critical"),
    ],
)
def test_an_alternative_name_is_written_well(
    extensions: tuple[bytes, ...], how: dict[str, Any], expected: set[str]
) -> None:
    """RFC 5280 4.2.1.6."""
    assert faults(chain(*extensions, **how)) == expected


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        pytest.param((ext(LEAF),), set(), id="a use, not critical"),
        pytest.param((ext(usage(key_cert_sign=True)),), BAD, id="signing certificates without being an authority"),
        pytest.param(
            (ext(SIGNS), ext(x509.BasicConstraints(False, None), critical=True)), BAD, id="the same, and saying so"
        ),
        pytest.param((raw("551d0f", b"\x03\x01\x00"),), BAD, id="no use at all"),
        pytest.param((raw("551d0f", b"\x03\x02\x07\x00"),), BAD, id="no use at all, in a byte"),
        pytest.param((raw(BASIC, b"\x30\x03\x02\x01\x00"),), BAD, id="a path length without being an authority"),
        pytest.param((raw(BASIC, b"\x30\x03\x01\x01\x00"),), BAD, id="a default that is written out"),
        pytest.param(
            (ext(x509.NameConstraints([x509.DNSName("org")], None), critical=True),), BAD, id="limits on names"
        ),
        pytest.param((raw("551d25", EMPTY),), BAD, id="no purpose at all"),
        pytest.param((raw("2a0304", b""), raw("2a0304", b"")), BAD, id="an extension twice"),
        pytest.param((raw("551d23", EMPTY),), {"chain.key_id"}, id="a key of its issuer that is not named"),
        pytest.param((raw("551d20", EMPTY),), BAD, id="no certificate policy"),
        pytest.param(
            (raw("551d20", box(0x30, *[box(0x30, bytes.fromhex("06032a0304"))] * 2)),), BAD, id="one policy twice"
        ),
        pytest.param((raw("551d21", EMPTY, critical=True),), BAD, id="no mapping"),
        pytest.param(
            (raw("551d21", bytes.fromhex("300d300b0604551d200006032a0304"), critical=True),),
            BAD,
            id="any policy mapped",
        ),
        pytest.param((raw("551d21", b"\x30\x02\x05\x00", critical=True),), BAD, id="a mapping of nothing"),
        pytest.param((raw("551d1e", EMPTY, critical=True),), BAD, id="empty limits on names"),
    ],
)
def test_an_extension_is_written_well(extensions: tuple[bytes, ...], expected: set[str]) -> None:
    """RFC 5280 4.2.1: what contradicts itself was not made by an authority that knows the rules."""
    assert faults(chain(*extensions)) == expected


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        pytest.param((ext(x509.BasicConstraints(True, None)), ext(SIGNS, critical=True)), BAD, id="not critical"),
        pytest.param((ext(x509.BasicConstraints(True, 0), critical=True), ext(LEAF)), {*BAD, *PATH}, id="may not sign"),
        pytest.param((ext(x509.BasicConstraints(True, None), critical=True),), PATH, id="no key usage"),
        pytest.param((*authority(0),), set(), id="a path length of nothing below"),
        pytest.param((*authority(0, None),), {*BAD, *PATH}, id="a path length without key usage"),
    ],
)
def test_an_authority_says_so_in_a_way_that_nobody_may_ignore(
    extensions: tuple[bytes, ...], expected: set[str]
) -> None:
    """RFC 5280 4.2.1.9, of an authority between and of the anchor."""
    anchor = root("Root", None, *extensions)
    leaf = anchor.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF))
    middle = root().issue("CA", key("p256", "chain-ca"), *extensions)
    below = middle.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF))

    assert faults([leaf, anchor]) == expected
    assert faults([below, middle, root()]) == expected
