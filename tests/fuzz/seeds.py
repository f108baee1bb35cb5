"""The first corpus: a few honest requests and bags of certificates, and bent ones, for the fuzzer to go on from."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7

from pki.est import wrap
from tests.pki.papers import issuing, key, leaf, request, root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
KINDS = ("p256", "p384", "p521", "rsa2048", "ed25519", "ed448")


def requests() -> Iterator[bytes]:
    """Requests of every kind of key, in every form that is taken."""
    for kind in KINDS:
        pem = request(holder=key(kind)).encode()
        der = x509.load_pem_x509_csr(pem).public_bytes(Encoding.DER)
        yield from (pem, der, wrap(der), base64.b64encode(der))
    yield request(("SN-001",), (), None, x509.BasicConstraints(True, None)).encode()
    yield request(("SN-001", "SN-002"), ("Example Charging", "Other")).encode()


def bags() -> Iterator[bytes]:
    """Certificates as EST hands them out, whole and cut."""
    for chain in ([leaf().certificate], [leaf().certificate, issuing().certificate, root().certificate]):
        der = pkcs7.serialize_certificates(chain, Encoding.DER)
        yield from (wrap(der), wrap(der[:-7]), base64.b64encode(der), wrap(b"\x30\x80" + der[4:] + b"\0\0"))


def parts() -> Iterator[bytes]:
    """Subjects and attributes of requests, as ``fuzz_request.signed`` divides them."""
    for asked in (request(), request(organisations=()), request(("SN-001", "X"), ("Other",))):
        subject = x509.load_pem_x509_csr(asked.encode()).subject.public_bytes()
        yield bytes([len(subject)]) + subject + b"\xa0\x00"


def build_request(subject: bytes, attributes: bytes) -> bytes:
    """A request of version 1 around any subject and attributes, in DER, with a good signature."""
    holder = key("p256", "fuzz")
    assert isinstance(holder, ec.EllipticCurvePrivateKey)
    spki = holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    body = tlv(0x30, b"\x02\x01\x00", subject, spki, attributes)
    signature = holder.sign(body, ec.ECDSA(hashes.SHA256()))
    return tlv(0x30, body, ECDSA_WITH_SHA256, tlv(0x03, b"\0", signature))


def tlv(tag: int, *contents: bytes) -> bytes:
    """One element in DER."""
    inner = b"".join(contents)
    size = len(inner).to_bytes((len(inner).bit_length() + 7) // 8)
    return bytes([tag, len(inner)]) + inner if len(inner) < 128 else bytes([tag, 128 | len(size)]) + size + inner


def write(folder: Path, seeds: Iterable[bytes]) -> Path:
    """Lay seeds into a folder, one file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number:03}").write_bytes(seed)
    return folder
