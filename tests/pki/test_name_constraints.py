"""Name constraints: what authorities may vouch for, in every form of name, permitted and excluded."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.name_constraints import COMPARISONS_MOST
from pki.question import Purpose
from tests.chains import (
    CN,
    LEAF,
    MAIL,
    ORG,
    PRINTABLE,
    T61,
    UTF8,
    authority,
    box,
    chain,
    dn,
    ext,
    faults,
    raw,
    root,
    san,
)
from tests.pki.papers import key

P = x509.ObjectIdentifier("1.2.3")
DNS, MAILBOX, URI = x509.DNSName, x509.RFC822Name, x509.UniformResourceIdentifier
NO, BAD, LOST = {"chain.constraint"}, {"chain.malformed"}, {"chain.untrusted"}
row = pytest.param


def net(text: str) -> x509.IPAddress:
    """A network or an address."""
    return x509.IPAddress(ipaddress.ip_network(text) if "/" in text else ipaddress.ip_address(text))


def name(**parts: str) -> x509.DirectoryName:
    """A directory name of O and CN."""
    oids = {"o": NameOID.ORGANIZATION_NAME, "cn": NameOID.COMMON_NAME}
    return x509.DirectoryName(x509.Name([x509.NameAttribute(oids[part], text) for part, text in parts.items()]))


def permit(*trees: x509.GeneralName) -> bytes:
    """An authority limited to these."""
    return ext(x509.NameConstraints(trees, None), critical=True)


def star(tree: str) -> bytes:
    """An authority limited to what no library would write."""
    return raw("551d1e", box(0x30, box(0xA0, box(0x30, box(0x82, tree.encode())))), critical=True)


def exclude(*trees: x509.GeneralName) -> bytes:
    """An authority that these are kept from."""
    return ext(x509.NameConstraints(None, trees), critical=True)


def other(oid: str, text: str = "x") -> x509.OtherName:
    """A name of a form that only its maker knows."""
    return x509.OtherName(x509.ObjectIdentifier(oid), box(UTF8, text.encode()))


@pytest.mark.parametrize(
    ("limit", "names", "expected"),
    [
        # DNS names
        row(permit(DNS("example.org")), [DNS("example.org")], set(), id="dns: the very name"),
        row(permit(DNS("example.org")), [DNS("a.b.example.org")], set(), id="dns: below it"),
        row(permit(DNS("example.org")), [DNS("A.EXAMPLE.org")], set(), id="dns: in capitals"),
        row(permit(DNS("EXAMPLE.org")), [DNS("a.example.org")], set(), id="dns: a constraint in capitals"),
        row(permit(DNS("example.org")), [DNS("notexample.org")], NO, id="dns: an end that is no label"),
        row(permit(DNS("example.org")), [DNS("org")], NO, id="dns: above it"),
        row(permit(DNS("example.org")), [DNS("example.com")], NO, id="dns: elsewhere"),
        row(permit(DNS("a.org"), DNS("b.org")), [DNS("x.b.org")], set(), id="dns: one of two trees"),
        row(permit(DNS("a.org")), [DNS("a.org"), DNS("b.org")], NO, id="dns: one of two names outside"),
        row(permit(DNS("")), [DNS("anything.org")], set(), id="dns: everything permitted"),
        row(exclude(DNS("")), [DNS("anything.org")], NO, id="dns: everything excluded"),
        row(exclude(DNS("")), [net("192.0.2.1")], set(), id="dns: everything excluded, an address"),
        row(exclude(DNS("example.org")), [DNS("example.org")], NO, id="dns: excluded"),
        row(exclude(DNS("example.org")), [DNS("a.example.org")], NO, id="dns: below what is excluded"),
        row(exclude(DNS("Example.ORG")), [DNS("a.eXample.org")], NO, id="dns: excluded in any capitals"),
        row(exclude(DNS("example.org")), [DNS("example.com")], set(), id="dns: not excluded"),
        row(permit(DNS("example.org")), [DNS("*.example.org")], set(), id="dns: a wildcard inside"),
        row(permit(DNS("a.example.org")), [DNS("*.example.org")], NO, id="dns: a wildcard that reaches out"),
        row(exclude(DNS("a.example.org")), [DNS("*.example.org")], NO, id="dns: a wildcard that reaches in"),
        row(exclude(DNS("b.a.example.org")), [DNS("*.example.org")], set(), id="dns: a wildcard too short"),
        row(exclude(DNS("example.org")), [DNS("*.example.org")], NO, id="dns: a wildcard in what is excluded"),
        row(permit(DNS(".example.org")), [DNS("a.example.org")], NO, id="dns: a constraint with a dot in front"),
        row(exclude(DNS(".example.org")), [DNS("a.example.com")], NO, id="dns: excluded with a dot in front"),
        row(star("*.example.org"), [DNS("a.example.org")], LOST, id="dns: a constraint with a wildcard"),
        row(permit(DNS("example.org.")), [DNS("a.example.org")], NO, id="dns: a constraint with a dot behind"),
        # addresses
        row(permit(net("192.0.2.0/24")), [net("192.0.2.255")], set(), id="ip: inside"),
        row(permit(net("192.0.2.0/24")), [net("192.0.3.0")], NO, id="ip: outside"),
        row(permit(net("192.0.2.1/32")), [net("192.0.2.1")], set(), id="ip: the one"),
        row(exclude(net("192.0.2.0/24")), [net("192.0.2.1")], NO, id="ip: excluded"),
        row(exclude(net("0.0.0.0/0")), [net("192.0.2.1")], NO, id="ip: all excluded"),
        row(permit(net("2001:db8::/32")), [net("2001:db8:1::1")], set(), id="ip: six, inside"),
        row(permit(net("2001:db8::/32")), [net("2001:db9::1")], NO, id="ip: six, outside"),
        row(permit(net("192.0.2.0/24")), [net("2001:db8::1")], NO, id="ip: six where four is permitted"),
        row(exclude(net("::/0")), [net("192.0.2.1")], set(), id="ip: four where six is excluded"),
        row(permit(net("192.0.2.0/24")), [DNS("192.0.2.1")], set(), id="ip: an address in a DNS name is none"),
        # mailboxes
        row(permit(MAILBOX("x@example.org")), [MAILBOX("x@example.org")], set(), id="mail: the very box"),
        row(permit(MAILBOX("x@example.org")), [MAILBOX("x@EXAMPLE.org")], set(), id="mail: its host in capitals"),
        row(permit(MAILBOX("x@example.org")), [MAILBOX("X@example.org")], NO, id="mail: its name in capitals"),
        row(permit(MAILBOX("example.org")), [MAILBOX("x@example.org")], set(), id="mail: at the host"),
        row(permit(MAILBOX("example.org")), [MAILBOX("x@a.example.org")], NO, id="mail: at a host below"),
        row(permit(MAILBOX(".example.org")), [MAILBOX("x@a.example.org")], set(), id="mail: below a domain"),
        row(permit(MAILBOX(".example.org")), [MAILBOX("x@example.org")], NO, id="mail: at the domain"),
        row(exclude(MAILBOX("example.org")), [MAILBOX("x@Example.org")], NO, id="mail: excluded"),
        row(exclude(MAILBOX("example.org")), [MAILBOX("x@example.com")], set(), id="mail: not excluded"),
        row(exclude(MAILBOX("example.com")), [MAILBOX('"a@b"@example.org')], NO, id="mail: readable in two ways"),
        row(exclude(MAILBOX("example.com")), [MAILBOX("example.org")], NO, id="mail: no box at all"),
        row(
            permit(MAILBOX("example.org")), [other("1.3.6.1.5.5.7.8.9", "x@example.org")], NO, id="mail: outside ASCII"
        ),
        row(permit(MAILBOX("*.example.org")), [MAILBOX("x@a.example.org")], NO, id="mail: a wildcard"),
        # URIs
        row(permit(URI("example.org")), [URI("https://example.org/x")], set(), id="uri: at the host"),
        row(permit(URI("example.org")), [URI("https://a.example.org")], NO, id="uri: at a host below"),
        row(permit(URI(".example.org")), [URI("https://a.example.org:8443/")], set(), id="uri: below a domain"),
        row(permit(URI(".example.org")), [URI("https://example.org")], NO, id="uri: at the domain"),
        row(exclude(URI("example.org")), [URI("https://x@Example.org/")], NO, id="uri: excluded"),
        row(exclude(URI("example.com")), [URI("https://example.org/")], set(), id="uri: not excluded"),
        row(exclude(URI("example.com")), [URI("https://192.0.2.1/")], NO, id="uri: at an address"),
        row(exclude(URI("example.com")), [URI("urn:a:b")], NO, id="uri: at no host"),
        row(exclude(URI("example.com")), [URI("https://a\\@example.com")], NO, id="uri: readable in two ways"),
        # other forms
        row(permit(other("1.2.3")), [other("1.2.3")], NO, id="other: a form not understood"),
        row(exclude(other("1.2.3")), [other("1.2.4")], NO, id="other: excluded, a form not understood"),
        row(permit(other("1.2.3")), [DNS("a.org")], set(), id="other: no such name below"),
        row(
            permit(x509.RegisteredID(P)), [x509.RegisteredID(P)], NO, id="other: a registered one",
        ),
        # several at once
        row(permit(DNS("example.org")), [net("192.0.2.1")], set(), id="a form that is not constrained"),
        row(permit(DNS("example.org")), [MAILBOX("x@example.com")], set(), id="mail where hosts are limited"),
        row(
            ext(x509.NameConstraints([DNS("example.org")], [DNS("a.example.org")]), critical=True),
            [DNS("b.example.org")], set(), id="permitted, and not among the excluded",
        ),
        row(
            ext(x509.NameConstraints([DNS("example.org")], [DNS("a.example.org")]), critical=True),
            [DNS("x.a.example.org")], NO, id="permitted, and excluded as well",
        ),
    ],
)  # fmt: skip
def test_a_leaf_s_names_are_those_that_its_authority_may_vouch_for(
    limit: bytes, names: list[x509.GeneralName], expected: set[str]
) -> None:
    """RFC 5280 4.2.1.10, from an authority between and from the anchor alike."""
    assert faults(chain(san(*names), above=[limit])) == expected
    assert faults(chain(san(*names), top=[limit])) == expected


SUBJECT = dn((ORG, "Example"), (CN, "Leaf"))


@pytest.mark.parametrize(
    ("limit", "how", "expected"),
    [
        row(permit(name(o="Example")), {}, set(), id="inside"),
        row(permit(name(o=" EXAMPLE ")), {}, set(), id="inside, in other capitals and blanks"),
        row(permit(name(o="Other")), {}, NO, id="outside"),
        row(permit(name(cn="Leaf")), {}, NO, id="a part that is not the first"),
        row(permit(name(o="Example", cn="Leaf")), {}, set(), id="the whole name"),
        row(permit(name(o="Exam")), {}, NO, id="the beginning of a text"),
        row(permit(name()), {}, set(), id="everything"),
        row(exclude(name(o="Example")), {}, NO, id="excluded"),
        row(exclude(name(o="eXAMPLE")), {}, NO, id="excluded in other capitals"),
        row(exclude(name(o="Other")), {}, set(), id="not excluded"),
        row(exclude(name(o="Example")), {"subject": dn((ORG, "Example"), tag=PRINTABLE)}, NO, id="another form"),
        row(exclude(name(o="Example")), {"subject": dn((ORG, "Example"), tag=T61)}, NO, id="an old form"),
        row(permit(name(o="Example")), {"subject": dn((ORG, "Example"), tag=T61)}, NO, id="an old form, permitted"),
        row(exclude(name(o="123")), {"subject": dn((ORG, "123"), tag=0x12)}, NO, id="a text of digits"),
        row(exclude(name(o="Org")), {"subject": dn((ORG, "\uff2frg"))}, NO, id="wide letters"),
        row(exclude(name(o="Org")), {"subject": dn((ORG, "O\u200brg"))}, NO, id="a blank that has no width"),
        row(exclude(name(o="Org")), {"subject": dn((ORG, "O\u00adrg"))}, NO, id="a hyphen that is not shown"),
        row(exclude(name(o="\u00c9")), {"subject": dn((ORG, "E\u0301"))}, NO, id="a letter in two parts"),
    ],
)
def test_a_subject_is_a_name_as_well(limit: bytes, how: dict[str, Any], expected: set[str]) -> None:
    """Directory names: the subject, and those beside it; a constraint is the beginning of a name."""
    assert faults(chain(above=[limit], **({"subject": SUBJECT} | how))) == expected


def test_an_authority_between_is_held_to_constraints_too() -> None:
    """Unless it issued to itself, which is how an authority changes keys; a leaf that did is not spared."""
    anchor = root("Root", None, *authority(), permit(name(cn="Leaf")))
    middle = anchor.issue("CA", key("p256", "chain-ca"), *authority())
    itself = anchor.issue(anchor.subject, key("p256", "chain-ca"), *authority())

    assert faults([middle.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF)), middle, anchor]) == NO
    assert faults([itself.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF)), itself, anchor]) == set()
    assert faults([anchor.issue(anchor.subject, key("p256", "chain-leaf"), ext(LEAF)), anchor]) == NO


def test_each_of_several_constraints_is_kept() -> None:
    """What one authority permits, another above may not."""
    wide, narrow = permit(DNS("example.org")), permit(DNS("a.example.org"))

    for top, above in ((wide, narrow), (narrow, wide)):
        assert faults(chain(san("x.a.example.org"), top=[top], above=[above])) == set()
        assert faults(chain(san("b.example.org"), top=[top], above=[above])) == NO


@pytest.mark.parametrize(
    ("limit", "common_name", "purpose", "asked", "expected"),
    [
        (permit(DNS("example.org")), "a.example.com", Purpose.ANY, "", NO),
        (permit(DNS("example.org")), "a.example.org", Purpose.CSMS, "a.example.org", set()),
        (permit(DNS("example.org")), "a.example.com", Purpose.CSMS, "a.example.com", NO),
        (permit(DNS("example.org")), "localhost", Purpose.CSMS, "localhost", NO),
        (permit(DNS("example.org")), "SN-001", Purpose.STATION, "", set()),
        (permit(net("192.0.2.0/24")), "198.51.100.1", Purpose.CSMS, "", NO),
        (exclude(net("192.0.2.0/24")), "192.0.2.1", Purpose.STATION, "", NO),
        (exclude(DNS("example.org")), "übung.example.com", Purpose.CSMS, "", NO),
    ],
)
def test_a_common_name_that_passes_for_a_host_is_one(
    limit: bytes, common_name: str, purpose: Purpose, asked: str, expected: set[str]
) -> None:
    """Where no alternative name says otherwise, A00.FR.510 and .511 bind an identity to it; so does the constraint."""
    assert faults(chain(above=[limit], subject=common_name), purpose, asked) == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (permit(MAILBOX("example.org")), set()),
        (permit(MAILBOX("example.com")), NO),
        (exclude(MAILBOX("example.org")), NO),
    ],
)
def test_an_address_in_the_subject_is_a_mailbox(limit: bytes, expected: set[str]) -> None:
    """Old certificates keep it there."""
    subject = dn((CN, "Leaf"), (MAIL, "x@example.org"), tag=0x16)

    assert faults(chain(above=[limit], subject=subject)) == expected


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        row(ext(x509.NameConstraints([DNS("example.org")], None)), BAD, id="not critical"),
        row(raw("551d1e", bytes.fromhex("3000"), critical=True), LOST, id="empty"),
        row(raw("551d1e", bytes.fromhex("3002a000"), critical=True), LOST, id="an empty side"),
        row(
            raw("551d1e", bytes.fromhex("300ba00930078202612e800101"), critical=True), LOST, id="a minimum"
        ),
        row(
            raw("551d1e", bytes.fromhex("300ea00c300a8708c0000200ff00ff00"), critical=True), LOST,
            id="a mask with holes",
        ),
        row(
            raw("551d1e", bytes.fromhex("300ba00930078705c000020000"), critical=True), LOST, id="half a mask"
        ),
    ],
)  # fmt: skip
def test_a_constraint_that_is_not_written_well_refuses(extension: bytes, expected: set[str]) -> None:
    """RFC 5280 4.2.1.10; an authority that cannot be read vouches for nobody."""
    assert faults(chain(san("a.example.org"), above=[extension])) == expected


def test_more_names_than_anybody_needs_are_refused_unread() -> None:
    """The work grows with names times constraints, both of which a stranger writes."""
    many = [DNS(f"{number}.example.org") for number in range(600)]
    limit = ext(x509.NameConstraints(many, None), critical=True)

    assert COMPARISONS_MOST < 600 * 600
    assert faults(chain(san(*many), above=[limit])) == NO
