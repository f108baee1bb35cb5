"""The papers of others are what they claim to be."""

from __future__ import annotations

import base64
import datetime as dt
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from cli.demo.papers import DAY, make_ca, make_leaf, sign_image, subject, write_station_request

if TYPE_CHECKING:
    from pathlib import Path


def test_a_leaf_comes_from_its_ca_and_ends_when_asked() -> None:
    """An expired one is really expired, and otherwise in order."""
    ca = make_ca("Maker", "Maker Root")
    pem, _ = make_leaf(ca, subject("Maker", "Leaf"), begins=-90 * DAY, ends=-DAY)
    leaf = x509.load_pem_x509_certificate(pem)

    leaf.verify_directly_issued_by(ca.certificate)
    assert leaf.not_valid_after_utc < dt.datetime.now(dt.UTC)


def test_a_stations_key_stays_with_it(tmp_path: Path) -> None:
    """The request carries the public half, the key's file is closed to others."""
    write_station_request(tmp_path, "cp", "Org", "S1")
    request = x509.load_pem_x509_csr((tmp_path / "cp.csr").read_bytes())

    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=S1,O=Org"
    assert (tmp_path / "cp.key").stat().st_mode & 0o777 == 0o600


def test_an_image_is_signed_over_all_its_bytes() -> None:
    """The signature verifies with the certificate's key."""
    pem, key = make_leaf(make_ca("Maker", "Maker Root"), subject("Maker", "Signer"), signs_code=True)
    signature = base64.b64decode(sign_image(b"image", key))
    public = x509.load_pem_x509_certificate(pem).public_key()

    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, b"image", ec.ECDSA(hashes.SHA256()))
