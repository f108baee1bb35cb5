"""Chains of every shape: strengths of keys, path lengths, keys exchanged, names, purposes, key identifiers."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.chain import verify
from pki.findings import Severity
from pki.question import Purpose
from tests.chains import (
    AKI,
    CN,
    DAY,
    ECDSA_SHA1,
    ECDSA_SHA384,
    LEAF,
    ORG,
    PRINTABLE,
    RSA_SHA1,
    SKI,
    T61,
    UTF8,
    Party,
    authority,
    chain,
    dn,
    ext,
    faults,
    root,
    san,
)
from tests.pki.papers import NOW, key, usage

PATH, LOST, KEYS = {"chain.path"}, {"chain.untrusted"}, {"chain.key_id"}
ANY, CSMS, STATION, FIRMWARE = Purpose.ANY, Purpose.CSMS, Purpose.STATION, Purpose.FIRMWARE
row = pytest.param


def leaf(above: Party, *extensions: bytes, subject: str | bytes = "Leaf", **how: Any) -> Party:
    """A leaf."""
    return above.issue(subject, key("p256", "chain-leaf"), *(extensions or (ext(LEAF, critical=True),)), **how)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("p256", set()), ("p384", set()), ("p521", set()), ("rsa2048", set()), ("ed25519", set()), ("ed448", set()),
        ("rsa1024", {"alg.weak"}), ("p192", {"alg.weak"}), ("p224", {"alg.unsupported"}),
        ("rsa2052", {"alg.unsupported"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1, 2])
def test_every_key_on_the_path_is_strong(kind: str, expected: set[str], place: int) -> None:
    """A00.FR.502 to .504: the leaf's, the authority's, the anchor's."""
    kinds = ["p256", "p256", "p256"]
    kinds[place] = kind
    anchor = root("Root", key(kinds[2], "shape root"))
    middle = anchor.issue("CA", key(kinds[1], "shape ca"), *authority())

    assert faults([middle.issue("Leaf", key(kinds[0], "shape leaf"), ext(LEAF)), middle, anchor]) == expected


@pytest.mark.parametrize(("kind", "sha1"), [("p256", ECDSA_SHA1), ("rsa2048", RSA_SHA1)])
def test_a_signature_over_sha1_counts_for_nothing_below_the_anchor(kind: str, sha1: bytes) -> None:
    """A00.FR.506; the anchor's own is nobody's proof."""
    anchor = root("Root", key(kind, "sha"), *authority(), inner=sha1)
    weak = anchor.issue("CA", key("p256", "chain-ca"), *authority(), inner=sha1)

    assert faults([leaf(anchor), anchor]) == set()
    assert "alg.weak" in faults([leaf(anchor, inner=sha1), anchor])
    assert faults([leaf(weak), weak, anchor]) & {"alg.weak", "chain.untrusted"}
    assert faults([leaf(root(), inner=ECDSA_SHA384), root()]) == set()


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        row([None, None], set(), id="no limit"),
        row([1, 0], set(), id="one below, none below"),
        row([0, None], PATH, id="none below, one there"),
        row([1, None, None], PATH, id="one below, two there"),
        row([2, 1, 0], set(), id="two, one, none"),
        row([2, 5, None], set(), id="a wider limit below widens nothing"),
        row([1, 5, None], PATH, id="a wider limit below a narrow one"),
        row([6, 4, 1, 1], set(), id="six, four, one, one"),
        row([6, 4, 1, 1, 0], PATH, id="six, four, one, one, and one too many"),
    ],
)
def test_a_path_is_no_longer_than_any_authority_allows(lengths: list[int | None], expected: set[str]) -> None:
    """RFC 5280 6.1.4 (l), (m): the leaf does not count, even if it is an authority itself."""
    path = [root("Root", None, *authority(lengths[0]))]
    for place, length in enumerate(lengths[1:]):
        path.append(path[-1].issue(f"CA {place}", key("p256", f"shape {place}"), *authority(length)))

    assert faults([leaf(path[-1]), *path[::-1]]) == expected
    last = path[-1].issue("CA last", key("p256", "shape last"), *authority())
    assert faults([last, *path[::-1]]) == expected


def test_an_authority_that_changed_its_key_does_not_lengthen_the_path() -> None:
    """RFC 5280 6.1.4 (l): it issued to itself, whatever the capitals; another name is another's."""
    anchor = root("Root", None, *authority(0))

    for name, expected in (
        (dn((CN, "Root")), set()),
        (dn((CN, "ROOT"), tag=PRINTABLE), set()),
        (dn((CN, "Roo")), PATH),
    ):
        new = anchor.issue(name, key("p256", "chain-ca"), *authority(0))
        assert faults([leaf(new), new, anchor]) == expected


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        row(authority(None, usage(key_cert_sign=True)), set(), id="certificates alone"),
        row(authority(None, None), PATH, id="no key usage"),
        row(authority(None, usage(crl_sign=True)), PATH, id="lists alone"),
        row(authority(None, LEAF), PATH, id="what leaves do"),
        row((ext(LEAF),), PATH, id="no authority"),
        row((ext(x509.BasicConstraints(False, None), critical=True),), PATH, id="saying that it is none"),
    ],
)
def test_an_issuer_is_an_authority_that_may_sign(extensions: tuple[bytes, ...], expected: set[str]) -> None:
    """RFC 5280 6.1.4 (k), (n), of an authority between and of the anchor."""
    anchor = root()
    middle = anchor.issue("CA", key("p256", "chain-ca"), *extensions)
    top = root("Root", None, *extensions)

    assert faults([leaf(middle), middle, anchor]) == expected
    assert faults([leaf(top), top]) == expected


@pytest.mark.parametrize(
    ("issuer", "subject", "expected"),
    [
        row(dn((CN, "Root  CA")), dn((CN, " root ca")), set(), id="blanks and capitals"),
        row(dn((CN, "Root"), tag=PRINTABLE), dn((CN, "Root"), tag=UTF8), set(), id="two forms of text"),
        row(dn((CN, "Root"), tag=T61), dn((CN, "Root"), tag=UTF8), LOST, id="an old form of text"),
        row(dn((ORG, "A"), (CN, "B")), dn((CN, "B"), (ORG, "A")), LOST, id="another order"),
        row(dn((CN, "Root")), dn((CN, "Root"), (CN, "Root")), LOST, id="a part more"),
        row(dn((CN, "Root")), dn((CN, "R00t")), LOST, id="a look-alike"),
    ],
)
def test_names_chain_as_they_are_compared(issuer: bytes, subject: bytes, expected: set[str]) -> None:
    """RFC 5280 7.1."""
    anchor = root(subject, key("p256", "named"))

    assert faults([leaf(anchor, issuer=issuer), anchor]) == expected


def key_of(name: str) -> bytes:
    """A certificate's claim that this key signed it."""
    return ext(x509.AuthorityKeyIdentifier.from_issuer_public_key(key("p256", name).public_key()))


def named(name: str, serial: int, digest: bytes | None = None) -> bytes:
    """A certificate's claim that this one belongs above it."""
    above = x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
    return ext(x509.AuthorityKeyIdentifier(digest, [above], serial))


DIGEST = x509.SubjectKeyIdentifier.from_public_key(key("p256", "chain-ca").public_key()).digest


@pytest.mark.parametrize(
    ("extension", "strict", "loose"),
    [
        row(key_of("chain-ca"), set(), set(), id="the key"),
        row(key_of("chain-root"), KEYS, KEYS, id="another key"),
        row(named("Root", 7, DIGEST), set(), set(), id="key, name and serial number"),
        row(named("Root", 8, DIGEST), KEYS, KEYS, id="another serial number"),
        row(named("CA", 7, DIGEST), KEYS, KEYS, id="another name"),
        row(named("Root", 7), KEYS, set(), id="name and serial number alone"),
    ],
)
def test_what_a_certificate_says_of_the_key_above_it_is_true(
    extension: bytes, strict: set[str], loose: set[str]
) -> None:
    """RFC 5280 4.2.1.1: what is false refuses everywhere; what is left out only where it must not be."""
    assert faults(chain(extension)) == strict
    assert faults(chain(extension), STATION) == loose


@pytest.mark.parametrize("lacking", [AKI, SKI])
@pytest.mark.parametrize(
    ("purpose", "expected"), [(ANY, KEYS), (CSMS, KEYS), (STATION, set()), (FIRMWARE, {"signer.depth"})]
)
def test_an_authority_between_names_its_keys(lacking: str, purpose: Purpose, expected: set[str]) -> None:
    """RFC 5280 4.2.1.1, .2; a device's maker is told."""
    anchor = root()
    middle = anchor.issue("CA", key("p256", "chain-ca"), *authority(), without=(lacking,))

    assert faults([leaf(middle), middle, anchor], purpose) == expected


@pytest.mark.parametrize(("purpose", "expected"), [(ANY, KEYS), (CSMS, KEYS), (STATION, set())])
def test_a_leaf_names_the_key_above_it_except_a_device_s(purpose: Purpose, expected: set[str]) -> None:
    """RFC 5280 4.2.1.1; OCPP's own examples of a station's do not. Its own key no leaf has to name."""
    anchor = root()
    middle = anchor.issue("CA", key("p256", "chain-ca"), *authority())

    assert faults([leaf(middle, without=(AKI,)), middle, anchor], purpose) == expected
    assert faults([leaf(middle, without=(SKI,)), middle, anchor], purpose) == set()


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        row({"without": (AKI,)}, set(), id="no key above: it has none"),
        row({"without": (SKI,)}, KEYS, id="no key of its own"),
        row({"extra": (key_of("chain-ca"),)}, KEYS, id="another key above"),
        row({"extra": (named("Root", 7),)}, KEYS, id="itself, without its key"),
        row({"extra": (named("Root", 9),)}, KEYS, id="somebody else above"),
    ],
)
def test_an_anchor_s_own_keys_are_named_well(how: dict[str, Any], expected: set[str]) -> None:
    """It points at itself, where it points at all."""
    anchor = root("Root", None, *authority(), *how.pop("extra", ()), **how)

    assert faults([leaf(anchor), anchor]) == expected


CLIENT, SERVER, CODE, EVERY = (
    ext(x509.ExtendedKeyUsage([oid]))
    for oid in (
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CODE_SIGNING,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    )
)


@pytest.mark.parametrize(
    ("purpose", "use", "good"),
    [
        (STATION, CLIENT, True), (STATION, SERVER, False), (STATION, CODE, False), (STATION, EVERY, True),
        (CSMS, SERVER, True), (CSMS, CLIENT, False), (CSMS, EVERY, False), (ANY, CODE, True), (ANY, SERVER, True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["leaf", "above", "top"])
def test_a_use_that_is_named_binds_all_below(purpose: Purpose, use: bytes, *, good: bool, place: str) -> None:
    """RFC 5280 4.2.1.12, wherever it stands on the path."""
    path = chain(use) if place == "leaf" else chain(**{place: (use,)})

    assert faults(path, purpose) == (set() if good else {"chain.purpose"})


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (usage(digital_signature=True), set()),
        (usage(digital_signature=True, key_encipherment=True), set()),
        (usage(key_encipherment=True), {"chain.purpose"}),
        (usage(content_commitment=True), {"chain.purpose"}),
        (usage(key_agreement=True), {"chain.purpose"}),
    ],
)
@pytest.mark.parametrize("purpose", [CSMS, STATION])
def test_a_leaf_signs_its_handshake(use: x509.KeyUsage, expected: set[str], purpose: Purpose) -> None:
    """RFC 5280 4.2.1.3; where no key usage is there, none is asked."""
    assert faults(chain(ext(use)), purpose) == expected
    assert faults(chain(), purpose) == set()


def test_a_station_s_maker_may_have_left_out_the_key_usage_of_its_authority() -> None:
    """RFC 5280 4.2.1.3: conforming authorities write it; devices are as their makers left them."""
    middle = root().issue("CA", key("p256", "chain-ca"), *authority(None, None))
    told = verify(leaf(middle).certificate, [root().certificate], [middle.certificate], STATION, NOW).findings

    assert [(each.code, each.severity, each.clause) for each in told] == [
        ("chain.path", Severity.WARNING, "RFC 5280 4.2.1.3")
    ]
    assert faults([leaf(middle), middle, root()], CSMS) == PATH


def test_a_bad_path_does_not_hide_a_good_one() -> None:
    """Beside a good authority: one expired, one of another key, one revoked by its form, one below a stranger."""
    anchor, stranger = root(), root("Stranger", key("p256", "stranger"))
    good = anchor.issue("CA", key("p256", "chain-ca"), *authority())
    others = [
        anchor.issue("CA", key("p256", "chain-ca"), *authority(), end=NOW - DAY / 2),
        anchor.issue("CA", key("p256", "other"), *authority()),
        anchor.issue("CA", key("p256", "chain-ca"), ext(LEAF)),
        stranger.issue("CA", key("p256", "chain-ca"), *authority()),
        stranger,
    ]

    for place in range(len(others) + 1):
        assert faults([leaf(good), *others[:place], good, *others[place:], anchor]) == set()
        assert faults([leaf(good), *others, anchor]) != set()


def test_swapped_certificates_prove_nothing() -> None:
    """The authority as the anchor's issuer, the leaf as the authority's."""
    last, middle, anchor = chain()

    assert faults([last, anchor, middle]) == set()  # an authority between may be the anchor
    assert faults([middle, last, anchor]) == set()  # and a leaf beside it does no harm
    assert faults([anchor, last, middle]) == LOST
    assert faults([last, last, anchor]) == LOST


@pytest.mark.parametrize("names", [64, 512, 2048])
def test_names_by_the_thousand_are_refused_before_they_are_compared(names: int) -> None:
    """What a stranger writes does not keep anybody busy: the work has a bound, and honest chains are far below it."""
    many = [x509.DNSName(f"a{number}.example.org") for number in range(names)]
    limit = ext(
        x509.NameConstraints([x509.DNSName(f"a{number}.example.org") for number in range(names)], None), critical=True
    )

    assert faults(chain(san(*many), above=[limit])) == (set() if names == 64 else {"chain.constraint"})
