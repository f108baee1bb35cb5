"""A request is certified only if its key, its proof and its names are those that the file names."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pki.ceremony.requests import read_keys
from pki.names import Organisation
from tests.ceremonies import NAMES, Held, csr
from tests.marked import marked_request
from tests.pki.papers import codes, key, request


def test_the_keys_of_good_requests_are_returned(held: Held) -> None:
    """By name, with nothing against them."""
    keys, found = read_keys(held.done.ceremony, {name: csr(name) for name in NAMES})

    assert found == []
    assert keys == {name: key("p256", f"ceremony {name}").public_key() for name in NAMES}


def _unproved() -> bytes:
    """A request that was changed after it was signed."""
    der = x509.load_pem_x509_csr(csr("csms")).public_bytes(Encoding.DER)
    changed = x509.load_der_x509_csr(der.replace(b"CSMS", b"CSNS"))
    return changed.public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (None, "ceremony.request"),
        (b"no request", "ceremony.request"),
        (csr("csms", "Another Name"), "ceremony.request"),
        (csr("station", NAMES["csms"]), "ceremony.request"),
        (request((NAMES["csms"],), ("Other",), key("p256", "ceremony csms")).encode(), "ceremony.request"),
        (request((NAMES["csms"],), ("Example Charging",), key("rsa1024", "weak")).encode(), "alg.weak"),
    ],
    ids=["missing", "unreadable", "another name", "another key", "another organisation", "weak"],
)
def test_a_request_that_does_not_fit_is_found(held: Held, given: bytes | None, code: str) -> None:
    """Each with its name, so that people know which."""
    requests = {"station": csr("station")} | ({"csms": given} if given is not None else {})
    _, found = read_keys(held.done.ceremony, requests)

    assert code in codes(found)
    assert all("csms.csr" in each.says for each in found)


def test_a_request_of_a_key_that_is_marked_for_pss_alone_is_found(held: Held) -> None:
    """RFC 4055 1.2: the authority's certificate would not say what its key says of itself."""
    holder = key("rsa2048", "marked")
    assert isinstance(holder, rsa.RSAPrivateKey)
    requests = {"station": csr("station"), "csms": marked_request(holder, NAMES["csms"]).encode()}

    assert "alg.pss_only" in codes(read_keys(held.done.ceremony, requests)[1])


def test_a_request_without_proof_is_found(held: Held) -> None:
    """RFC 2986 4.2: whoever asks holds the key."""
    _, found = read_keys(held.done.ceremony, {"station": csr("station"), "csms": _unproved()})

    assert "csr.proof" in codes(found)


def test_the_organisation_is_the_file_s(held: Held) -> None:
    """A00.FR.509: the same requests for another operator's file."""
    other = dataclasses.replace(held.done.ceremony, organisation=Organisation("Other"))

    assert codes(read_keys(other, {name: csr(name) for name in NAMES})[1]) == {"ceremony.request"}
