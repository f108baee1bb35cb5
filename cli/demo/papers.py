"""Keys and certificates that others bring: stations their keys and requests, a manufacturer its root, strangers theirs.

None of it touches Bollard's own keys; all of it is thrown away.
"""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ca:
    """Somebody else's certificate authority."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def pem(self) -> bytes:
        """Its certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def subject(organisation: str, name: str) -> x509.Name:
    """Write O and CN."""
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )


def make_ca(organisation: str, name: str) -> Ca:
    """Make a root of somebody else's, ten years valid."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = subject(organisation, name)
    builder = _certificate(who, who, key.public_key(), -DAY, 3650 * DAY)
    usage = _usage(sign_certificates=True)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    return Ca(key, builder.sign(key, hashes.SHA256()))


def make_leaf(
    ca: Ca, who: x509.Name, *, begins: dt.timedelta = -DAY, ends: dt.timedelta = 365 * DAY, signs_code: bool = False
) -> tuple[bytes, ec.EllipticCurvePrivateKey]:
    """Issue a certificate from somebody else's CA; times count from now. Returns the PEM and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _certificate(who, ca.certificate.subject, key.public_key(), begins, ends)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(sign_certificates=False), critical=True).add_extension(
        issuer, critical=False
    )
    if signs_code:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    return builder.sign(ca.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), key


def write_station_request(folder: Path, name: str, organisation: str, serial: str) -> None:
    """Do what a station does: make a key of its own and write a request for it (``NAME.key``, ``NAME.csr``)."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder().subject_name(subject(organisation, serial)).sign(key, hashes.SHA256())
    )
    write_key(folder / f"{name}.key", key)
    (folder / f"{name}.csr").write_bytes(request.public_bytes(serialization.Encoding.PEM))


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a throw-away key, readable to its owner alone."""
    path.touch(mode=0o600)
    pkcs8 = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption()))


def sign_image(image: bytes, key: ec.EllipticCurvePrivateKey) -> str:
    """Sign an image as a manufacturer does: ECDSA with SHA-256 over the whole file, in base64."""
    return base64.b64encode(key.sign(image, ec.ECDSA(hashes.SHA256()))).decode()


def _certificate(
    who: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begins: dt.timedelta, ends: dt.timedelta
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(who).issuer_name(issuer).public_key(key)
    builder = (
        builder.serial_number(x509.random_serial_number()).not_valid_before(now + begins).not_valid_after(now + ends)
    )
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
