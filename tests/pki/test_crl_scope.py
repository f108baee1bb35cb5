"""The scope of a revocation list: what it leaves out, it cannot clear."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.chains import CRL_NUMBER, LEAF, authority, crl, entry, ext, faults, root
from tests.pki.papers import key

row = pytest.param
CA, UNKNOWN = root(), {"chain.status"}
HERE = x509.UniformResourceIdentifier("http://crl.example.org/1")
THERE = x509.UniformResourceIdentifier("http://crl.example.org/2")
PART = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "Part 1")])
WHOLE = x509.DirectoryName(
    x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root"), x509.NameAttribute(NameOID.COMMON_NAME, "part 1")])
)
ITS_ISSUER = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")]))
SOME = frozenset({x509.ReasonFlags.key_compromise})


def scope(
    *, full: list[x509.GeneralName] | None = None, relative: x509.RelativeDistinguishedName | None = None,
    users: bool = False, authorities: bool = False, reasons: frozenset[x509.ReasonFlags] | None = None,
    indirect: bool = False, attributes: bool = False, critical: bool = True,
) -> bytes:  # fmt: skip
    """An issuing distribution point."""
    point = x509.IssuingDistributionPoint(full, relative, users, authorities, reasons, indirect, attributes)
    return ext(point, critical=critical)


def published(*points: x509.DistributionPoint) -> bytes:
    """Where a certificate says that lists about it are found."""
    return ext(x509.CRLDistributionPoints(points))


AT_HERE = published(x509.DistributionPoint([HERE], None, None, None))


@pytest.mark.parametrize(
    ("given", "says", "expected"),
    [
        row(scope(users=True), (), set(), id="leaves alone"),
        row(scope(authorities=True), (), UNKNOWN, id="authorities alone"),
        row(scope(attributes=True), (), UNKNOWN, id="attributes alone"),
        row(scope(reasons=SOME), (), UNKNOWN, id="some reasons alone"),
        row(scope(indirect=True), (), UNKNOWN, id="other issuers' as well"),
        row(scope(users=True, critical=False), (), UNKNOWN, id="not critical"),
        row(scope(full=[HERE]), (AT_HERE,), set(), id="the place named"),
        row(scope(full=[THERE, HERE]), (AT_HERE,), set(), id="the place named among others"),
        row(scope(full=[THERE]), (AT_HERE,), UNKNOWN, id="another place"),
        row(scope(full=[HERE]), (), UNKNOWN, id="a place, and none named"),
        row(scope(full=[ITS_ISSUER]), (), set(), id="its issuer's own place"),
        row(scope(users=True), (AT_HERE,), set(), id="no place, and one named"),
        row(
            scope(full=[HERE]), (published(x509.DistributionPoint([HERE], None, SOME, None)),), UNKNOWN,
            id="the place named for some reasons",
        ),
        row(
            scope(full=[HERE]), (published(x509.DistributionPoint([HERE], None, None, [ITS_ISSUER])),), UNKNOWN,
            id="the place named for another issuer's list",
        ),
        row(
            scope(relative=PART), (published(x509.DistributionPoint([WHOLE], None, None, None)),), set(), id="whole"
        ),
        row(
            scope(full=[WHOLE]), (published(x509.DistributionPoint(None, PART, None, None)),), set(), id="in part"
        ),
    ],
)  # fmt: skip
def test_a_list_clears_what_is_in_its_scope(given: bytes, says: tuple[bytes, ...], expected: set[str]) -> None:
    """RFC 5280 5.2.5, 6.3.3 (b)."""
    leaf = CA.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF), *says)

    assert faults([leaf, CA], crls=[crl(CA, extensions=(CRL_NUMBER, given))]) == expected


@pytest.mark.parametrize(("given", "expected"), [(scope(users=True), UNKNOWN), (scope(authorities=True), set())])
def test_an_authority_is_in_the_scope_of_authorities(given: bytes, expected: set[str]) -> None:
    """What a certificate says of itself decides."""
    middle = CA.issue("CA", key("p256", "chain-ca"), *authority())

    assert faults([middle, CA], crls=[crl(CA, extensions=(CRL_NUMBER, given))]) == expected


def test_several_lists_that_each_leave_something_out_clear_nobody() -> None:
    """Reasons are not added up; a whole list is due."""
    parts = [
        scope(reasons=frozenset({reason}))
        for reason in x509.ReasonFlags
        if reason.value not in {"unspecified", "removeFromCRL"}
    ]
    leaf = CA.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF))

    assert faults([leaf, CA], crls=[crl(CA, extensions=(CRL_NUMBER, part)) for part in parts]) == UNKNOWN


def test_whoever_is_listed_is_revoked_whatever_the_scope() -> None:
    """The issuer said so, after all."""
    leaf = CA.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF), serial=b"\x55")

    assert faults([leaf, CA], crls=[crl(CA, entry(0x55), extensions=(CRL_NUMBER, scope(authorities=True)))]) == {
        "chain.revoked"
    }
