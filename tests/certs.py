"""Throw-away keys and certificates for tests, good ones and bad ones."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)


def box(tag: int, *contents: bytes) -> bytes:
    """A box of DER."""
    content = b"".join(contents)
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    size = bytes([len(content)]) if len(content) < 0x80 else bytes([0x80 | len(length)]) + length
    return bytes([tag]) + size + content


def name(common_name: str, organisation: str = "Example Charging") -> x509.Name:
    """A subject with O and CN."""
    attributes = [(NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, common_name)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes if value])


def pem(thing: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """PEM of a certificate or request."""
    return thing.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: PrivateKey) -> str:
    """PEM of a private key, in clear."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def request(key: PrivateKey, common_name: str, organisation: str = "Example Charging") -> str:
    """A station's CSR in PEM."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(name(common_name, organisation))
    return pem(builder.sign(key, hashes.SHA256()))


@dataclass(frozen=True, slots=True)
class Party:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: PrivateKey

    @classmethod
    def root(cls, common_name: str = "Test Root", organisation: str = "Example Charging") -> Self:
        """A self-signed CA."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = name(common_name, organisation)
        return cls(_sign(_identified(_builder(subject, subject, key, ca=True), key), key), key)

    def issue(
        self,
        common_name: str,
        organisation: str = "Example Charging",
        *,
        ca: bool = False,
        key: PrivateKey | None = None,
        start: dt.datetime = NOW - DAY,
        end: dt.datetime = NOW + 30 * DAY,
        dns: str = "",
        usages: tuple[x509.ObjectIdentifier, ...] = (),
    ) -> Party:
        """A certificate below this one."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name(common_name, organisation), self.certificate.subject, key, ca=ca, start=start, end=end)
        if ca:
            builder = _identified(builder, key)
        names_issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(names_issuer, critical=False)
        if dns:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return Party(_sign(builder, self.key), key)

    def issue_bits(self, common_name: str) -> Party:
        """A certificate below this one whose common name is no text but a BIT STRING, as no library would write it."""
        made, text = self.issue(f"x{common_name}"), f"x{common_name}".encode()
        length = bytes([len(text)])
        tbs = made.certificate.tbs_certificate_bytes.replace(
            b"\x0c" + length + text, b"\x03" + length + b"\0" + text[1:]
        )
        assert isinstance(self.key, ec.EllipticCurvePrivateKey)
        signature = self.key.sign(tbs, ec.ECDSA(hashes.SHA256()))
        algorithm = bytes.fromhex("300a06082a8648ce3d040302")
        return Party(x509.load_der_x509_certificate(box(0x30, tbs, algorithm, box(0x03, b"\0", signature))), made.key)

    @property
    def pem(self) -> str:
        """The certificate in PEM."""
        return pem(self.certificate)

    @property
    def key_pem(self) -> str:
        """The key in PEM, in clear."""
        return key_pem(self.key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    *,
    ca: bool,
    start: dt.datetime = NOW - DAY,
    end: dt.datetime = NOW + 30 * DAY,
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )


def _identified(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.CertificateBuilder:
    """An authority names its key, as RFC 5280 4.2.1.2 demands."""
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _sign(builder: x509.CertificateBuilder, key: PrivateKey) -> x509.Certificate:
    return builder.sign(key, hashes.SHA256())
