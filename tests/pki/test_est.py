"""Certificates come out of a bag in no order and go on in the right one, ending below the anchor."""

from __future__ import annotations

import base64
import itertools
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import pkcs7

from pki.certificate import key_id, to_pem
from pki.errors import RefusedError
from pki.est import ATTRIBUTES, Wanted, arrange, wrap, write_certificates
from pki.profile import CertificatePurpose
from tests.pki.papers import NOW, issuing, leaf, root

if TYPE_CHECKING:
    from cryptography import x509

LEAF, ISSUER, ROOT = leaf().certificate, issuing().certificate, root().certificate
WANTED = Wanted(CertificatePurpose.STATION, LEAF.public_key(), ("SN-001",))
OTHER = leaf("station", "SN-002", "p384").certificate


def test_the_attributes_are_what_openssl_reads_as_such() -> None:
    """RFC 7030 4.5.2: a key on P-256, and ECDSA over SHA-256; written by hand, so read by another."""
    read = subprocess.run(
        ["openssl", "asn1parse", "-inform", "der"], input=ATTRIBUTES, capture_output=True, check=True
    ).stdout.decode()

    assert [line.rpartition(":")[2].strip() for line in read.splitlines() if "OBJECT" in line] == [
        "id-ecPublicKey",
        "prime256v1",
        "ecdsa-with-SHA256",
    ]


def test_a_body_has_lines_that_every_reader_takes() -> None:
    """RFC 2045 6.8: none is longer than 76, and the last one ends."""
    lines = wrap(bytes(500)).split(b"\n")

    assert lines[-1] == b""
    assert max(map(len, lines)) <= 76
    assert base64.b64decode(b"".join(lines)) == bytes(500)


def test_a_bag_holds_what_was_put_into_it() -> None:
    """certs-only PKCS#7: a set."""
    found = pkcs7.load_der_pkcs7_certificates(base64.b64decode(write_certificates([LEAF, ISSUER])))

    assert set(found) == {LEAF, ISSUER}


@pytest.mark.parametrize("bag", [*itertools.permutations([LEAF, ISSUER, ROOT])], ids=lambda _: "")
def test_any_order_becomes_leaf_first_and_the_root_is_left_out(bag: tuple[x509.Certificate, ...]) -> None:
    """OCPP wants leaf, Sub 2, Sub 1 (A02.FR.14); in which of two bags each was found makes no difference."""
    for cut in range(4):
        received = (*bag[:cut], *(each for each in bag[cut:] if each == LEAF))
        assert arrange(received, bag[cut:], [ROOT], WANTED, NOW) == (LEAF, ISSUER)


@pytest.mark.parametrize("received", [[], [ISSUER], [OTHER], [OTHER, ISSUER]], ids=len)
def test_a_certificate_for_another_key_is_not_taken_for_ours(received: list[x509.Certificate]) -> None:
    """An authority that mixes up its customers costs nobody anything but time."""
    with pytest.raises(RefusedError, match=r"est\.other_key"):
        arrange(received, [ROOT], [ROOT], WANTED, NOW)


def test_two_certificates_for_one_key_are_one_too_many() -> None:
    """Which of them is meant cannot be known."""
    again = leaf("station", "SN-009").certificate
    assert key_id(again) == key_id(LEAF)

    with pytest.raises(RefusedError, match=r"est\.other_key"):
        arrange([LEAF, again], [ISSUER], [ROOT], WANTED, NOW)


def test_a_chain_that_ends_elsewhere_is_refused() -> None:
    """The anchor from the settings decides, not what came along."""
    with pytest.raises(RefusedError, match=r"chain\.refused"):
        arrange([LEAF], [ISSUER, ROOT], [root("rsa2048").certificate], WANTED, NOW)


def test_a_chain_that_no_station_has_room_for_is_refused() -> None:
    """A02.FR.16: 10,000 characters unless a profile says less; it would be rejected where nobody looks any more."""
    length = len(to_pem([LEAF, ISSUER]))
    assert WANTED.chain_length == 10_000
    assert arrange([LEAF], [ISSUER], [ROOT], replace(WANTED, chain_length=length), NOW) == (LEAF, ISSUER)
    with pytest.raises(RefusedError, match=r"est\.unfit.*A02\.FR\.16") as refused:
        arrange([LEAF], [ISSUER], [ROOT], replace(WANTED, chain_length=length - 1), NOW)

    assert {each.code for each in refused.value.findings if each.severity == "error"} == {"lint.chain_length"}
    assert refused.value.advice


@pytest.mark.parametrize(
    ("wanted", "codes"),
    [
        pytest.param(replace(WANTED, names=("SN-002",)), {"est.other_name"}, id="another name"),
        pytest.param(replace(WANTED, names=()), {"est.other_name"}, id="no name"),
        pytest.param(replace(WANTED, purpose=CertificatePurpose.OPERATOR), {"lint.extended_key_usage"}, id="use"),
        pytest.param(
            replace(WANTED, purpose=CertificatePurpose.V2G_SECC_20),
            {"lint.common_name", "lint.domain_component", "lint.country", "lint.v2g_key", "lint.v2g_signature"},
            id="towards cars",
        ),
    ],
)
def test_what_comes_back_keeps_the_rules_of_its_purpose(wanted: Wanted, codes: set[str]) -> None:
    """Each fault is told; that the chain is good makes no certificate fit for something else."""
    with pytest.raises(RefusedError, match=r"est\.unfit") as refused:
        arrange([LEAF], [ISSUER], [ROOT], wanted, NOW)

    assert {each.code for each in refused.value.findings if each.severity == "error"} >= codes
