"""Revocation lists: one that is its issuer's, whole, in force and understood clears; any of its issuer's revokes."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509

from pki.crl import FRAME_BYTES_MOST, RevocationList, RevocationLists, read_entries
from pki.paper import Paper
from tests.chains import CRL_NUMBER, DAY, LEAF, Party, authority, box, chain, crl, entry, ext, faults, moment, raw, root
from tests.pki.papers import NOW, key, usage

LEAF_, CA, ROOT = chain(serial=b"\x55")
row = pytest.param
REVOKED, UNKNOWN = {"chain.revoked"}, {"chain.status"}
ABOVE = crl(ROOT)
DELTA = raw("551d1b", b"\x02\x01\x01", critical=True)
REMOVED = raw("551d15", b"\x0a\x01\x08")
KEY_LOST = raw("551d15", b"\x0a\x01\x01")


def judged(*lists: bytes) -> set[str]:
    """The chain, with the root's good list and these."""
    return faults([LEAF_, CA, ROOT], crls=[ABOVE, *lists])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        row(crl(CA), set(), id="nobody listed"),
        row(crl(CA, entry(7), entry(0x5555)), set(), id="others listed"),
        row(crl(CA, entry(0x55)), REVOKED, id="listed"),
        row(crl(CA, entry(7), entry(0x55, KEY_LOST)), REVOKED, id="listed with a reason"),
        row(crl(CA, entry(0x55, when=NOW + DAY)), REVOKED, id="listed from tomorrow"),
        row(crl(CA, entry(0x55, REMOVED)), REVOKED, id="taken back where nothing can be taken back"),
        row(crl(CA, end=NOW - DAY / 2), UNKNOWN, id="in force no more"),
        row(crl(CA, begin=NOW + DAY / 2), UNKNOWN, id="not in force yet"),
        row(crl(CA, end=None), UNKNOWN, id="in force for nobody knows how long"),
        row(crl(CA, end=dt.datetime(2060, 1, 1, tzinfo=dt.UTC)), set(), id="in force past 2049"),
        row(crl(CA, entry(0x55), end=NOW - DAY / 2), REVOKED, id="listed while it was in force"),
        row(crl(CA, bend=True), UNKNOWN, id="a signature that is not one"),
        row(crl(CA, entry(0x55), bend=True), UNKNOWN, id="listed by nobody"),
        row(crl(CA, signer=key("p256", "stranger")), UNKNOWN, id="signed by a stranger"),
        row(crl(ROOT), UNKNOWN, id="the list of somebody above"),
        row(crl(CA, extensions=()), UNKNOWN, id="no number"),
        row(crl(CA, extensions=(), version=b""), UNKNOWN, id="version one"),
        row(crl(CA, extensions=(raw("551d14", b"\2\1\1", critical=True),)), UNKNOWN, id="a critical number"),
        row(
            crl(CA, extensions=(CRL_NUMBER, raw("2a0304", b"\5\0", critical=True))), UNKNOWN, id="critical"
        ),
        row(crl(CA, extensions=(CRL_NUMBER, raw("2a0304", b"\5\0"))), set(), id="not understood, not critical"),
        row(
            crl(CA, entry(7, raw("2a0304", b"\5\0", critical=True))), UNKNOWN, id="an entry that is not understood"
        ),
        row(crl(CA, entry(b"\x01\x01\xff\x01", KEY_LOST)), set(), id="a serial number that looks like it"),
        row(crl(CA, extensions=(CRL_NUMBER, DELTA)), UNKNOWN, id="changes alone"),
        row(crl(CA, entry(0x55), extensions=(CRL_NUMBER, DELTA)), REVOKED, id="listed among changes"),
        row(crl(CA, entry(0x55, REMOVED), extensions=(CRL_NUMBER, DELTA)), UNKNOWN, id="taken back by changes"),
        row(
            crl(CA, extensions=(CRL_NUMBER, ext(x509.AuthorityKeyIdentifier(b"other", None, None)))), UNKNOWN,
            id="another key named",
        ),
        row(
            crl(CA, extensions=(CRL_NUMBER, raw("551d23", b"\x30\x03\x80\x01\x01", critical=True))), UNKNOWN,
            id="the key named, critical",
        ),
    ],
)  # fmt: skip
def test_a_list_clears_revokes_or_says_nothing(given: bytes, expected: set[str]) -> None:
    """RFC 5280 6.3.3, 5.1, 5.2: where lists are given, silence is no consent."""
    assert judged(given) == expected


def test_a_bad_list_beside_a_good_one_does_no_harm() -> None:
    """Yesterday's list may still lie in the folder; but what any of them revokes is revoked."""
    assert judged(crl(CA, end=NOW - DAY / 2), crl(CA)) == set()
    assert judged(crl(CA, entry(0x55), end=NOW - DAY / 2), crl(CA)) == REVOKED
    assert judged(crl(CA), crl(CA, entry(0x55), extensions=(CRL_NUMBER, DELTA))) == REVOKED


def test_every_certificate_below_the_anchor_is_asked_about() -> None:
    """The leaf's list alone is not enough, nor is the authority's."""
    assert faults([LEAF_, CA, ROOT], crls=[crl(CA)]) == UNKNOWN
    assert faults([LEAF_, CA, ROOT], crls=[crl(ROOT)]) == UNKNOWN
    assert faults([LEAF_, CA, ROOT], crls=[crl(CA), crl(ROOT, entry(7))]) == REVOKED
    assert faults([LEAF_, CA, ROOT], crls=[]) == UNKNOWN
    assert faults([LEAF_, CA, ROOT]) == set()


def test_an_issuer_that_may_not_sign_lists_clears_nobody() -> None:
    """RFC 5280 6.3.3 (f)."""
    middle = ROOT.issue("CA", key("p256", "chain-ca"), *authority(None, usage(key_cert_sign=True)))
    leaf = middle.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF))

    assert faults([leaf, middle, ROOT], crls=[ABOVE, crl(middle)]) == UNKNOWN


@pytest.mark.parametrize("kind", ["rsa2048", "p384", "ed25519", "ed448"])
def test_lists_of_every_kind_of_key_are_read(kind: str) -> None:
    """Whatever signed the certificate signs the list."""
    anchor = root("Root", key(kind, "lists"))
    leaf = anchor.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF), serial=b"\x55")

    assert faults([leaf, anchor], crls=[crl(anchor)]) == set()
    assert faults([leaf, anchor], crls=[crl(anchor, entry(0x55))]) == REVOKED


def test_two_authorities_of_one_name_keep_their_lists_apart() -> None:
    """The same name with another key is somebody else: neither clears nor revokes for the other."""
    twin = Party(b"", key("p256", "twin"), CA.subject)

    assert judged(crl(twin)) == UNKNOWN
    assert judged(crl(twin, entry(0x55)), crl(CA)) == set()


@pytest.mark.parametrize(
    "der",
    [b"", b"\x30\x00", b"\x30\x03\x02\x01\x00", ABOVE[:-1], ABOVE + b"\0", ROOT.der,
     crl(CA, extensions=(CRL_NUMBER, CRL_NUMBER)), crl(CA, extensions=(raw("551d14", b"\xff"),)),
     crl(CA, version=b"\x02\x01\x05"), crl(CA, extensions=(CRL_NUMBER, raw("2a0304", bytes(FRAME_BYTES_MOST))))],
)  # fmt: skip
def test_what_is_no_list_is_told_as_such(der: bytes) -> None:
    """``ValueError`` and nothing else, whatever the bytes."""
    with pytest.raises(ValueError, match=r"."):
        RevocationList.read(der)


def test_a_list_is_passed_over_once_for_all_that_is_asked() -> None:
    """A hundred thousand entries, long and short, and the few wanted among them."""
    long = box(0x30, box(0x02, b"\x66"), moment(NOW), box(0x30, raw("2a0304", b"x" * 300)))
    entries = b"".join(entry(number) for number in range(1, 100_000)) + long
    found = read_entries(entries, frozenset({b"\x55", b"\x66", b"\x00\xff", b"\x7f\xff\xff\xff"}))

    assert set(found.wanted) == {b"\x55", b"\x66", b"\x00\xff"}
    assert not found.has_critical


def test_the_signature_of_a_list_is_checked_once() -> None:
    """However many certificates of its issuer are asked about."""
    lists = RevocationLists([RevocationList.read(crl(CA))], [b"\x55"], NOW)
    asked = [lists.ask(Paper.read(LEAF_.certificate), Paper.read(CA.certificate)) for _ in range(3)]

    assert all(standing.is_cleared for standing in asked)
    assert len(lists._signed) == 1
