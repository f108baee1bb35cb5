"""A manufacturer of stations in a nutshell: a root, signers below it, images signed in every right and wrong way."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from dataclasses import dataclass
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki.firmware.policy import FirmwarePolicy, parse_policy
from pki.firmware.release import Release, ReleaseClaim, examine
from pki.firmware.signature import FileDigests
from pki.firmware.signer import Anchors

NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
STANDARD = parse_policy(
    "standard",
    'algorithms = ["ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha256"]\nmissing_purpose = "warn"\n',
)
IMAGE = b"firmware 1.4.2 " * 20_000
CLAIM = ReleaseClaim("Volta", "V-22", "1.4.2")

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """One RSA key of each size for all tests; making them takes long."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass(frozen=True)
class Signed:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> str:
        """The certificate as OCPP carries it."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def sign(self, image: bytes, algorithm: hashes.HashAlgorithm | None = None) -> str:
        """Sign in the standard's way, RSA with PSS, as base64."""
        algorithm = algorithm or hashes.SHA256()
        if isinstance(self.key, rsa.RSAPrivateKey):
            pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)
            return base64.b64encode(self.key.sign(image, pss, algorithm)).decode()
        return base64.b64encode(self.key.sign(image, ec.ECDSA(algorithm))).decode()

    def sign_pkcs1(self, image: bytes, algorithm: hashes.HashAlgorithm | None = None) -> str:
        """Sign in the way openssl does unless told otherwise."""
        assert isinstance(self.key, rsa.RSAPrivateKey)
        signature = self.key.sign(image, padding.PKCS1v15(), algorithm or hashes.SHA256())
        return base64.b64encode(signature).decode()


def name(common: str) -> x509.Name:
    """A subject."""
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Volta AG"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    )


def make_root(common: str = "Volta Manufacturer Root", *, ca: bool = True) -> Signed:
    """A self-signed manufacturer root."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = name(common)
    builder = _builder(subject, subject, key, NOW - dt.timedelta(days=900), NOW + dt.timedelta(days=3000))
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    return Signed(builder.sign(key, hashes.SHA256()), key)


def make_signer(
    root: Signed,
    key: Key | None = None,
    *,
    start: dt.datetime = NOW - dt.timedelta(days=10),
    end: dt.datetime = NOW + dt.timedelta(days=300),
    purpose: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CODE_SIGNING,
    digital_signature: bool = True,
    ca: bool = False,
) -> Signed:
    """A firmware signer below ``root``."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name("Volta Signer"), root.certificate.subject, key, start, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    builder = builder.add_extension(_usage(digital_signature=digital_signature, ca=ca), critical=True)
    if purpose:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return Signed(builder.sign(root.key, hashes.SHA256()), key)


def digests_of(image: bytes) -> FileDigests:
    """An image as the vault would hash it."""
    return FileDigests(
        len(image),
        hashlib.sha256(image).digest(),
        hashlib.sha384(image).digest(),
        hashlib.sha512(image).digest(),
        hashlib.sha1(image, usedforsecurity=False).digest(),
    )


@dataclass(frozen=True)
class Maker:
    """A manufacturer whose root is trusted for its own vendor name."""

    root: Signed
    signer: Signed
    anchors: Anchors

    def release(self, image: bytes = IMAGE, claim: ReleaseClaim = CLAIM, policy: FirmwarePolicy = STANDARD) -> Release:
        """A true release of this maker's."""
        return examine(claim, digests_of(image), self.signer.sign(image), self.signer.pem, self.anchors, policy, NOW)


def make_maker(key: Key | None = None) -> Maker:
    """Volta, trusted."""
    root = make_root()
    return Maker(root, make_signer(root, key), Anchors({CLAIM.vendor: (root.certificate,)}))


def _usage(*, digital_signature: bool, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=not digital_signature,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, start: dt.datetime, end: dt.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
