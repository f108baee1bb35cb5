"""A new home's certificates form the tree that was meant, and every one of them is in the ledger and the audit log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import SignatureAlgorithmOID

from pki.certificate import read_certificates
from pki.edge import calls
from pki.edge.asking import ask_once
from pki.edge.blueprint import KEYS, TREE, CaKeys
from pki.edge.creation import create
from pki.lint import lint_certificate
from pki.names import Host, Organisation
from pki.profile import CertificatePurpose
from tests.worlds import HOST, ORGANISATION, Paper, make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from pki.edge.office.authorities import Wanted


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One home that is only looked at."""
    return make_home(tmp_path_factory.mktemp("founding"))


def certificate(home: Home, name: str) -> x509.Certificate:
    """A certificate as it lies there for people."""
    return x509.load_pem_x509_certificate((home.ca / f"{name}.pem").read_bytes())


@pytest.mark.parametrize("wanted", TREE, ids=lambda wanted: wanted.holding.name)
def test_each_certificate_is_signed_by_the_issuer_in_the_table(home: Home, wanted: Wanted) -> None:
    """The root by itself, the two authorities by the root, the rest by the CSMS authority."""
    certificate(home, wanted.holding.name).verify_directly_issued_by(
        certificate(home, wanted.issuer or wanted.holding.name)
    )


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        ("root", CertificatePurpose.ROOT),
        ("csms", CertificatePurpose.ISSUING),
        ("station", CertificatePurpose.ISSUING),
        ("ocsp", CertificatePurpose.OCSP),
        ("server-ecdsa", CertificatePurpose.CSMS),
        ("server-rsa", CertificatePurpose.CSMS),
    ],
)
def test_no_certificate_of_a_new_home_has_a_finding_against_it(
    home: Home, name: str, purpose: CertificatePurpose
) -> None:
    """They went through the same lint as every other."""
    assert [
        finding for finding in lint_certificate(certificate(home, name), purpose) if finding.severity == "error"
    ] == []


def test_the_csms_host_has_a_certificate_of_either_kind(home: Home) -> None:
    """Stations may bring ECDSA or RSA suites alone (A00.FR.318), and the name is the one they dial (A00.FR.510)."""
    made = [certificate(home, name) for name in ("server-ecdsa", "server-rsa")]
    assert isinstance(made[0].public_key(), ec.EllipticCurvePublicKey)
    assert isinstance(made[1].public_key(), rsa.RSAPublicKey)
    for one in made:
        names = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [HOST]


def test_what_is_known_of_each_key_stands_in_the_log(home: Home) -> None:
    """Kind, place and padding, from the first entry on; that for assertions is named after its moment."""
    first = json.loads(ask_once(home, calls.ListAudit(first=0, limit=1), calls.AuditRows).rows[0].entry)

    assert first["what"]["key_facts"]["root"] == {"kind": "ec-p384", "store": "file", "padding": "pkcs1"}
    assert {name.rstrip("0123456789") for name in first["what"]["key_facts"]} == {*KEYS, "assertion-"}


def test_the_authorities_keys_may_be_of_a_chosen_kind_and_sign_with_pss(tmp_path: Path) -> None:
    """The choice holds for the tree and for each station's certificate after it; the servers' keys stay the same."""
    chosen = CaKeys.parse("rsa-2048", "pss", "", "", None)
    made = create(tmp_path / "home", Organisation.parse(ORGANISATION), Host.parse(HOST), ca_keys=chosen).home
    ask_once(made, Paper.of(1).add, calls.StationAdded)
    chain = read_certificates(ask_once(made, Paper.of(1).issue, calls.CertificateIssued).chain)

    for signed in (certificate(made, "root"), certificate(made, "server-ecdsa"), *chain):
        assert signed.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS
    assert isinstance(certificate(made, "server-ecdsa").public_key(), ec.EllipticCurvePublicKey)
    chain[0].verify_directly_issued_by(certificate(made, "station"))


def test_every_key_is_there_and_encrypted(home: Home) -> None:
    """None lies in clear, not even for a moment's convenience."""
    for name in KEYS:
        assert (home.keys / f"{name}.pem").read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")


def test_every_certificate_was_intended_in_the_log_before_it_was_issued(home: Home) -> None:
    """The tree of a new home has no exception from recording first."""
    rows = ask_once(home, calls.ListAudit(first=0), calls.AuditRows).rows
    acts = [(entry["act"], entry["what"].get("serial")) for entry in map(json.loads, (row.entry for row in rows))]
    assert acts[0] == ("home.founded", None)
    assert [act for act, _ in acts[1:]] == ["certificate.intended", "certificate.issued"] * len(TREE)
    assert [serial for _, serial in acts[1::2]] == [serial for _, serial in acts[2::2]]


def test_the_log_of_a_new_home_is_sealed_by_a_checkpoint(home: Home) -> None:
    """From its first day an auditor can hold it to its word."""
    verified = ask_once(home, calls.VerifyAudit(), calls.AuditVerified)
    assert verified.size == 1 + 2 * len(TREE)
    assert verified.checkpoints >= 1
