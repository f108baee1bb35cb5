"""Files judged: a verdict for whatever was handed over, and never a yes for what nobody signed."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pki.chain import ChainRefusedError
from pki.errors import BollardError, InputError
from pki.findings import Severity
from pki.question import Purpose
from pki.verification import Files, verify_files
from tests.chains import LEAF, SIGNS, chain, crl, ext, raw, root
from tests.pki.papers import NOW, key

LEAF_, CA, ROOT = chain()


def test_a_chain_of_files_is_judged() -> None:
    """The path is the evidence."""
    chained = verify_files(Files(LEAF_.der, (ROOT.pem,), (CA.pem,), (crl(CA), crl(ROOT))), Purpose.ANY, NOW)

    assert chained.path == (LEAF_.certificate, CA.certificate, ROOT.certificate)
    assert chained.findings == ()


def test_what_follows_the_leaf_in_its_file_may_stand_on_the_path() -> None:
    """As a server sends its chain; a root among it is trusted no more than anything else."""
    assert verify_files(Files(LEAF_.pem + CA.pem + ROOT.pem, (ROOT.pem,)), Purpose.ANY, NOW).path[1] == CA.certificate
    with pytest.raises(ChainRefusedError):
        verify_files(Files(LEAF_.pem + CA.pem + ROOT.pem, (root("Other", key("p256", "x")).pem,)), Purpose.ANY, NOW)


def test_a_malformed_leaf_is_refused_with_its_reason() -> None:
    """It is a certificate, and a bad one; that is a verdict and no slip of the hand."""
    files = Files(chain(raw("551d0e", b"\xff"))[0].der, (ROOT.pem,), (CA.pem,))

    with pytest.raises(ChainRefusedError) as refused:
        verify_files(files, Purpose.ANY, NOW)
    assert [finding.code for finding in refused.value.findings] == ["chain.malformed"]
    assert refused.value.path == ()


def test_what_follows_a_malformed_leaf_does_not_take_its_place() -> None:
    """Else a good certificate behind a bad one would speak for it."""
    bad = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"

    with pytest.raises(ChainRefusedError, match="malformed"):
        verify_files(Files(bad + LEAF_.pem, (ROOT.pem,), (CA.pem,)), Purpose.ANY, NOW)


def test_other_malformed_things_are_told_and_left_out() -> None:
    """They harm nobody on a good path; where they are missed, the path is not found."""
    bad = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
    chained = verify_files(Files(LEAF_.pem, (bad + ROOT.pem,), (CA.pem, bad)), Purpose.ANY, NOW)

    assert [(each.code, each.severity) for each in chained.findings] == [("chain.malformed", Severity.WARNING)] * 2
    with pytest.raises(ChainRefusedError, match="no path"):
        verify_files(Files(LEAF_.pem, (ROOT.pem,), (bad,)), Purpose.ANY, NOW)


def test_a_list_that_is_none_clears_nobody() -> None:
    """It was given, so every issuer's is due."""
    bad = b"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"

    with pytest.raises(ChainRefusedError) as refused:
        verify_files(Files(LEAF_.pem, (ROOT.pem,), (CA.pem,), (bad,)), Purpose.ANY, NOW)
    assert {each.code for each in refused.value.findings} == {"chain.status", "chain.malformed"}


def test_an_anchor_that_cannot_be_read_is_trusted_by_nobody() -> None:
    """Nor is the one that is no certificate at all."""
    with pytest.raises(ChainRefusedError, match="no path"):
        verify_files(Files(LEAF_.pem, (root("Root", None, raw("551d0e", b"\xff")).pem,), (CA.pem,)), Purpose.ANY, NOW)
    with pytest.raises(InputError):
        verify_files(Files(LEAF_.pem, (b"hello",), (CA.pem,)), Purpose.ANY, NOW)


@pytest.mark.filterwarnings("ignore")  # of a library, about values that are strange by intention
@settings(max_examples=300, deadline=None)
@given(st.sampled_from([0, 1]), st.integers(0, 2000), st.integers(1, 255))
def test_no_byte_that_is_signed_can_be_changed(which: int, place: int, flip: int) -> None:
    """Whatever byte of the leaf, or of the authority above it, is another one, the answer is no; and one kind of no."""
    ders = [bytearray(LEAF_.der), bytearray(CA.der)]
    ders[which][place % len(ders[which])] ^= flip
    pems = [b"-----BEGIN CERTIFICATE-----\n%b-----END CERTIFICATE-----\n" % base64.encodebytes(der) for der in ders]

    with pytest.raises(BollardError):
        verify_files(Files(pems[0], (ROOT.der,), (pems[1],)), Purpose.ANY, NOW)


@pytest.mark.parametrize("purpose", Purpose)
def test_a_root_of_nobody_s_is_refused_for_every_purpose(purpose: Purpose) -> None:
    """A self-signed certificate proves that it signed itself."""
    alone = root("SN-001", key("p256", "alone"), ext(LEAF))

    for trusted in (ROOT, alone):
        with pytest.raises(ChainRefusedError):
            verify_files(Files(alone.der, (trusted.der,)), purpose, NOW)


@pytest.mark.parametrize("asked", ["a.example.org", ""])
def test_an_authority_is_no_server(asked: str) -> None:
    """The root itself, shown as a leaf, is fine where nothing is asked of it, and nobody's server."""
    given = Files(ROOT.der, (ROOT.der,))

    if asked:
        with pytest.raises(ChainRefusedError):
            verify_files(given, Purpose.ANY, NOW, asked)
    else:
        assert verify_files(given, Purpose.ANY, NOW).path == (ROOT.certificate,)
    for purpose in (Purpose.CSMS, Purpose.STATION, Purpose.FIRMWARE):
        with pytest.raises(ChainRefusedError):
            verify_files(given, purpose, NOW)


def test_a_leaf_that_may_sign_certificates_signs_none() -> None:
    """Not even where its key usage says so, when it is no authority."""
    crooked = CA.issue("Crooked", key("p256", "crooked"), ext(SIGNS, critical=True))
    below = crooked.issue("Below", key("p256", "chain-leaf"), ext(LEAF))

    with pytest.raises(ChainRefusedError):
        verify_files(Files(below.der, (ROOT.der,), (CA.der, crooked.der)), Purpose.ANY, NOW)
