"""The second verifier: asked where it can judge, and its no is a no."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.paper import Paper
from pki.question import Purpose, Question
from pki.second_opinion import examine_again
from tests.chains import DAY, ECDSA_SHA224, LEAF, Party, authority, chain, ext, faults, raw, root, san
from tests.pki.papers import NOW, key

if TYPE_CHECKING:
    from collections.abc import Sequence

ASKED = Question(Purpose.ANY, NOW, 4, lambda _issuer, _serial: False)
OTHERS = ext(x509.NameConstraints([x509.DNSName("example.org")], None), critical=True)


def opinion(path: Sequence[Party]) -> set[str]:
    """What it finds."""
    return {finding.code for finding in examine_again([Paper.read(party.certificate) for party in path], ASKED)}


def test_ordinary_station_certificates_pass() -> None:
    """No alternative name, no purpose, no key of the issuer: OCPP's own form."""
    _, middle, anchor = chain()
    plain = middle.issue("SN-001", key("p256", "chain-leaf"), without=("551d0e", "551d23"))

    assert opinion([plain, middle, anchor]) == set()


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(chain(end=NOW - DAY / 2), id="an end that has come"),
        pytest.param(chain(bend=True), id="a signature that is not one"),
        pytest.param(chain(san("a.example.com"), above=[OTHERS]), id="a name that is not permitted"),
    ],
)
def test_what_it_refuses_is_an_error(path: Sequence[Party]) -> None:
    """Though our own rules found nothing, which they do not wait for."""
    assert opinion(path) == {"chain.second_opinion"}


def test_a_path_that_it_refuses_is_refused() -> None:
    """Whatever our own rules say: they have nothing against SHA-224, and it has."""
    assert faults(chain(inner=ECDSA_SHA224)) == {"chain.second_opinion"}


def itself() -> list[Party]:
    """An authority that changed its key, below one that allows none below it."""
    top = root("Root", None, *authority(0))
    new = top.issue(top.subject, key("p256", "chain-ca"), *authority(0))
    return [new.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF)), new, top]


def old() -> list[Party]:
    """A leaf of version 1."""
    top = root()
    return [top.issue("Leaf", key("p256", "chain-leaf"), version=b"", without=("551d0e", "551d23")), top]


def by(kind: str) -> list[Party]:
    """A chain of keys of this kind."""
    top = root("Root", key(kind, "opinion"))
    return [top.issue("Leaf", key("p256", "chain-leaf"), ext(LEAF)), top]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(itself(), id="an authority that issued to itself"),
        pytest.param(old(), id="version 1"),
        pytest.param(by("ed25519"), id="Ed25519"),
        pytest.param(by("ed448"), id="Ed448"),
        pytest.param(
            chain(above=[ext(x509.NameConstraints([x509.DirectoryName(x509.Name([]))], None), critical=True)]),
            id="a constraint on another form of name",
        ),
        pytest.param(
            chain(raw("551d20", bytes.fromhex("300630040602" + "2a03"), critical=True)), id="a critical policy"
        ),
        pytest.param([root()], id="an anchor alone"),
    ],
)
def test_what_it_cannot_judge_is_left_to_our_rules(path: Sequence[Party]) -> None:
    """As its docstring says."""
    assert opinion(path) == set()


def test_it_reads_the_bytes_that_we_read() -> None:
    """No certificate is written anew on the way."""
    leaf = chain()[0]

    assert Paper.read(leaf.certificate).certificate.public_bytes(Encoding.DER) == leaf.der
