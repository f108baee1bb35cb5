"""Honest papers for tests: keys made once, profiles as shipped, certificates that went the whole way, requests."""

from __future__ import annotations

import datetime as dt
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki.errors import BollardError
from pki.issue import Issued, sign
from pki.lint import approve
from pki.names import CertificateSerial, Organisation, StationIdentity, StationSerial
from pki.plan import Issuer, Plan, Subject, plan, plan_root
from pki.profile import CertificateProfile, CertificatePurpose, parse_profile
from pki.station import SecurityProfile, Station
from pki.strength import Padding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pki.findings import Finding
    from pki.strength import SigningKey

NOW = dt.datetime(2026, 6, 1, 12, 0, 0, tzinfo=dt.UTC)
ORGANISATION = Organisation.parse("Example Charging")
STATION = Station(StationIdentity.parse("CP-001"), StationSerial.parse("SN-001"), SecurityProfile.MUTUAL_TLS)
POLICIES = Path(__file__).resolve().parents[2] / "policies" / "certificates"
_USES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
PROFILES = tuple(purpose.value for purpose in CertificatePurpose)


@cache
def key(kind: str = "p256", name: str = "") -> SigningKey:
    """A private key of this kind; the same ``name`` gives the same key, since making them is what takes time."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ed448":
        return ed448.Ed448PrivateKey.generate()
    if kind == "mldsa44":
        return mldsa.MLDSA44PrivateKey.generate()
    if kind.startswith("mldsa"):
        return mldsa.MLDSA65PrivateKey.generate() if kind == "mldsa65" else mldsa.MLDSA87PrivateKey.generate()
    curves = {"p192": ec.SECP192R1(), "p224": ec.SECP224R1(), "p256": ec.SECP256R1(), "p384": ec.SECP384R1()}
    return ec.generate_private_key((curves | {"p521": ec.SECP521R1()})[kind])


def profile(name: str) -> CertificateProfile:
    """A certificate profile as it ships."""
    return parse_profile(name, (POLICIES / f"{name}.toml").read_text())


def serial(number: int) -> CertificateSerial:
    """A full-length serial that is the same on every run."""
    return CertificateSerial.from_random(hashlib.sha256(str(number).encode()).digest()[:20])


@cache
def root(kind: str = "p384", padding: Padding = Padding.PKCS1) -> Issuer:
    """Our root, signed by the key named root."""
    holder, subject = key(kind, "root"), Subject("Example Root", ORGANISATION)
    planned = plan_root(profile("root"), subject, holder.public_key(), serial(1), NOW, padding=padding)
    return Issuer("root", sign(approve(planned), holder).certificate, padding)


@cache
def issuing(kind: str = "p256", root_kind: str = "p384", padding: Padding = Padding.PKCS1) -> Issuer:
    """Our issuing authority below the root, holding the key named issuing."""
    subject = Subject("Example Station CA", ORGANISATION)
    holder, above = key(kind, "issuing").public_key(), root(root_kind)
    planned = plan(profile("issuing"), subject, holder, above, serial(2), NOW)
    return Issuer("station", sign(approve(planned), key(root_kind, "root")).certificate, padding)


def leaf_plan(name: str = "station", common_name: str = "SN-001", kind: str = "p256", number: int = 3) -> Plan:
    """A plan for a leaf below the issuing authority."""
    subject = Subject(common_name, ORGANISATION)
    return plan(profile(name), subject, key(kind, "leaf").public_key(), issuing(), serial(number), NOW)


def leaf(name: str = "station", common_name: str = "SN-001", kind: str = "p256") -> Issued:
    """A finished leaf."""
    return sign(approve(leaf_plan(name, common_name, kind)), key("p256", "issuing"))


def request(
    common_names: tuple[str, ...] = ("SN-001",),
    organisations: tuple[str, ...] = ("Example Charging",),
    holder: SigningKey | None = None,
    *extensions: x509.ExtensionType,
) -> str:
    """A request in PEM, as a station would send it."""
    pairs = [(NameOID.ORGANIZATION_NAME, name) for name in organisations]
    pairs += [(NameOID.COMMON_NAME, name) for name in common_names]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(oid, name) for oid, name in pairs])
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    holder = holder or key("p256", "leaf")
    plain = isinstance(holder, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    return builder.sign(holder, None if plain else hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def handmade(
    subject: str,
    holder: SigningKey,
    issuer: x509.Certificate | str,
    signer: SigningKey,
    *extensions: tuple[x509.ExtensionType, bool],
    days: tuple[float, float] = (-1, 365),
    number: int = 7,
) -> x509.Certificate:
    """A certificate as some other authority might make it, good or bad: nothing is checked. ``days`` are around NOW."""
    above = _name(issuer) if isinstance(issuer, str) else issuer.subject
    builder = x509.CertificateBuilder(
        issuer_name=above,
        subject_name=_name(subject),
        public_key=holder.public_key(),
        serial_number=number,
        not_valid_before=NOW + dt.timedelta(days=days[0]),
        not_valid_after=NOW + dt.timedelta(days=days[1]),
    )
    for content, critical in (*extensions, *_key_ids(holder, signer, extensions)):
        builder = builder.add_extension(content, critical)
    plain = isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    return builder.sign(signer, None if plain else hashes.SHA256())


def _key_ids(
    holder: SigningKey, signer: SigningKey, extensions: tuple[tuple[x509.ExtensionType, bool], ...]
) -> list[tuple[x509.ExtensionType, bool]]:
    """What an authority's certificate says of its keys, as RFC 5280 4.2.1.1 and 4.2.1.2 want it."""
    if not any(isinstance(each, x509.BasicConstraints) and each.ca for each, _ in extensions):
        return []
    own = x509.SubjectKeyIdentifier.from_public_key(holder.public_key())
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    given = {each.oid for each, _ in extensions}
    return [(each, False) for each in (own, above) if each.oid not in given]


def authority(path_length: int | None = None) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    """The extensions that make a hand-made certificate an authority's."""
    return ((x509.BasicConstraints(True, path_length), True), (usage(key_cert_sign=True), True))


def usage(**uses: bool) -> x509.KeyUsage:
    """A key usage with these uses and no others."""
    return x509.KeyUsage(**(dict.fromkeys(_USES, False) | uses))


def over_sha1(der: bytes, body: bytes) -> bytes:
    """A certificate or request of the RSA key named old (2048 bits, SHA-256) in DER, signed again over SHA-1.

    No library signs so any more, while devices still do. ``body`` is its to-be-signed part. The two algorithms' names
    differ in one byte.
    """
    old = key("rsa2048", "old")
    assert isinstance(old, rsa.RSAPrivateKey)
    sha256, sha1 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    signature = old.sign(body.replace(sha256, sha1), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303 - as said above
    return der.replace(sha256, sha1)[: -len(signature)] + signature


def codes(found: BollardError | Iterable[Finding]) -> set[str]:
    """The codes of findings, of an error or of a sequence."""
    return {finding.code for finding in (found.findings if isinstance(found, BollardError) else found)}


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
