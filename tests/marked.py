"""Requests and certificates of RSA keys that are marked for one way of signing, which no library here writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pki import signature
from pki.der import read_box
from pki.strength import Padding
from tests.certs import Party, box, name, pem
from tests.chains import held_to

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_OF_REQUEST, KEY_OF_CERTIFICATE = 2, 6  # where the key stands among the parts of the body
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


def marked_request(key: rsa.RSAPrivateKey, common_name: str, *parameters: bytes) -> str:
    """A request, in PEM, for a key that is marked for RSA-PSS alone, with parameters or without."""
    usual = x509.CertificateSigningRequestBuilder(name(common_name)).sign(key, hashes.SHA256(), rsa_padding=PSS)
    algorithm = signature.algorithm(key.public_key(), Padding.PSS)
    spki = held_to(key.public_key(), *parameters)
    written = usual.public_bytes(Encoding.DER)
    der = _signed(written, KEY_OF_REQUEST, spki, algorithm, lambda body: key.sign(body, PSS, hashes.SHA256()))
    return pem(x509.load_der_x509_csr(der))


def marked_authority(above: Party, key: rsa.RSAPrivateKey, common_name: str, *parameters: bytes) -> Party:
    """An authority below another, whose key is marked in the same way."""
    usual = above.issue(common_name, ca=True, key=key).certificate.public_bytes(Encoding.DER)
    signer = above.key
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    algorithm = read_box(usual).boxes()[1].raw
    spki = held_to(key.public_key(), *parameters)
    der = _signed(usual, KEY_OF_CERTIFICATE, spki, algorithm, lambda body: signer.sign(body, ec.ECDSA(hashes.SHA256())))
    return Party(x509.load_der_x509_certificate(der), key)


def _signed(der: bytes, place: int, spki: bytes, algorithm: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    parts = [part.raw for part in read_box(der).boxes()[0].boxes()]
    parts[place] = spki
    body = box(0x30, *parts)
    return box(0x30, body, algorithm, box(0x03, b"\0", sign(body)))
