"""Guesses: from a paper's own words, right for everything we make ourselves."""

from __future__ import annotations

import pytest
from cryptography import x509

from pki.errors import InputError
from pki.likely_purpose import guess_between, guess_purpose, parse_purpose
from pki.profile import CertificatePurpose
from tests.pki.papers import key, request
from tests.pki.specimens import SECC_ID, specimen

P = CertificatePurpose
LOOKS_LIKE = {
    P.LINK: P.ISSUING,
    P.MANUFACTURER_ROOT: P.ROOT,
    P.V2G_ROOT_2: P.ROOT,
    P.V2G_ROOT_20: P.ROOT,
    P.OPERATOR: P.STATION,
}
"""What has nothing in it that would tell it from something more usual."""


@pytest.mark.parametrize("purpose", P)
def test_a_certificate_says_what_it_is_for(purpose: CertificatePurpose) -> None:
    """By constraints, extended key usage, and name."""
    assert guess_purpose(specimen(purpose)) == LOOKS_LIKE.get(purpose, purpose)


@pytest.mark.parametrize(
    ("name", "kind", "purpose"),
    [
        ("SN-001", "p256", P.STATION),
        ("csms.example.org", "p256", P.CSMS),
        ("*.example.org", "p256", P.CSMS),
        (SECC_ID, "p256", P.V2G_SECC_2),
        (SECC_ID, "p521", P.V2G_SECC_20),
        (SECC_ID, "ed448", P.V2G_SECC_20),
    ],
)
def test_a_request_is_known_by_its_name_and_key(name: str, kind: str, purpose: CertificatePurpose) -> None:
    """It says nothing else."""
    csr = x509.load_pem_x509_csr(request((name,), holder=key(kind, "leaf")).encode())

    assert guess_purpose(csr) is purpose


@pytest.mark.parametrize(
    ("text", "edition", "purpose"),
    [("station", "", P.STATION), ("v2g-secc-2", "", P.V2G_SECC_2), ("v2g-secc", "20", P.V2G_SECC_20),
     ("v2g-secc-20", "20", P.V2G_SECC_20)],
)  # fmt: skip
def test_a_purpose_is_read_with_its_edition(text: str, edition: str, purpose: CertificatePurpose) -> None:
    """In one word or in two."""
    assert parse_purpose(text, edition) is purpose


@pytest.mark.parametrize(("text", "edition"), [("toaster", ""), ("v2g-secc", ""), ("station", "2"), ("", "")])
def test_an_unknown_purpose_is_refused_with_the_list(text: str, edition: str) -> None:
    """Whoever mistypes sees what there is."""
    with pytest.raises(InputError, match=r"lint\.purpose") as refused:
        parse_purpose(text, edition)

    assert "firmware-signer" in refused.value.advice


@pytest.mark.parametrize(
    ("below", "guessed", "above", "purpose"),
    [
        (P.V2G_SECC_2, P.ISSUING, None, P.V2G_SUB2_2),
        (None, P.ISSUING, P.V2G_SUB1_20, P.V2G_SUB2_20),
        (P.V2G_SUB1_2, P.ROOT, None, P.V2G_ROOT_2),
        (P.STATION, P.ISSUING, P.ROOT, P.ISSUING),
        (P.ISSUING, P.ROOT, None, P.ROOT),
        (P.V2G_SECC_2, P.STATION, P.V2G_SUB1_2, P.STATION),
    ],
)
def test_neighbours_make_a_guess_better(below: P | None, guessed: P, above: P | None, purpose: P) -> None:
    """Where an authority says too little of itself; what is no authority stays what it seemed."""
    assert guess_between(below, guessed, above) is purpose
