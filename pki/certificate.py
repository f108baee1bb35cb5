"""Reads facts out of certificates: names, extensions, the identifier of a key, and the PEM they travel in."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final, TypeVar, cast

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import NameOID

from pki.der import SEQUENCE, header, read_box
from pki.errors import InputError
from pki.pem import PEM_LENGTH, read_blocks
from pki.recall import of_the_last
from pki.unreadable import UNREADABLE, touch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

CERTIFICATES_MOST: Final = 64  # certificates in one text; far above any honest bundle

_LABELS: Final = frozenset({"CERTIFICATE"})
_PEM_BEGIN: Final = "-----BEGIN CERTIFICATE-----\n"
_PEM_END: Final = "-----END CERTIFICATE-----\n"
_PEM_LINE: Final = 64  # characters of base64 in a line, RFC 7468 2
_VERSION: Final = b"\xa0"  # the explicit tag of the version, which stands first (RFC 5280 4.1)
_KEY_AT: Final = 6  # after the version: serial, algorithm, issuer, validity, subject, and then the key
_CURVES: Final = frozenset(
    bytes.fromhex(each)
    for each in (
        "301306072a8648ce3d020106082a8648ce3d030107",
        "301006072a8648ce3d020106052b81040022",
        "301006072a8648ce3d020106052b81040023",
    )
)
_PLAIN: Final = _CURVES | frozenset(
    bytes.fromhex(each) for each in ("300d06092a864886f70d0101010500", "300506032b6570", "300506032b6571")
)
"""P-256, P-384, P-521, RSA, Ed25519 and Ed448 in a SubjectPublicKeyInfo, as ``key_id`` has them written."""
_UNCOMPRESSED: Final = b"\x04"  # how a point on a curve begins, RFC 5480 2.2
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def read_certificates(pem: str | bytes, longest: int = PEM_LENGTH) -> list[x509.Certificate]:
    """Read one or more certificates, in order. Raises ``InputError("certificate.unreadable")``."""
    blocks = read_blocks(pem, _LABELS, "certificate.unreadable", longest)
    if len(blocks) > CERTIFICATES_MOST:
        raise _unreadable(f"{len(blocks)} certificates; {CERTIFICATES_MOST} are the most")
    return [_read_der(der) for der in blocks]


def read_certificate(der: bytes) -> x509.Certificate:
    """Read one certificate in DER, as TLS and EST carry them. Raises ``InputError("certificate.unreadable")``."""
    return _read_der(der)


@of_the_last  # of a key that is to be certified it is asked whether the key was given up, and again to write it
def spki(key: CertificatePublicKeyTypes) -> bytes:
    """Write a public key as it stands in a certificate: its SubjectPublicKeyInfo in DER (RFC 5280 4.1.2.7)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(source: x509.Certificate | CertificatePublicKeyTypes) -> bytes:
    """Return the name of a key: SHA-256 over its SubjectPublicKeyInfo in DER, 32 bytes."""
    key = source.public_key() if isinstance(source, x509.Certificate) else source
    return hashlib.sha256(spki(key)).digest()


def key_in(tbs: bytes) -> bytes:
    """Return the name of the key that a certificate of these to-be-signed bytes certifies. Raises ``ValueError``.

    Keys are written in one way, as ``key_id`` has it, whatever way stands in the certificate.
    """
    begin, end = header(tbs, 0)
    if (tbs[0], tbs[begin : begin + 1], end) != (SEQUENCE, _VERSION, len(tbs)):
        raise ValueError("no certificate of version 3 will come of these bytes")
    for _ in range(_KEY_AT):
        _, begin = header(tbs, begin)
    raw = tbs[begin : header(tbs, begin)[1]]
    algorithm, bits = read_box(raw).held(SEQUENCE).boxes()
    if algorithm.raw in _PLAIN and (algorithm.raw not in _CURVES or bits.content[1:2] == _UNCOMPRESSED):
        return hashlib.sha256(raw).digest()
    try:
        return key_id(cast("CertificatePublicKeyTypes", load_der_public_key(raw)))
    except UNREADABLE:
        raise ValueError("the key in these bytes is of a kind that is not known here") from None


def extension(certificate: x509.Certificate, kind: type[_Extension]) -> x509.Extension[_Extension] | None:
    """Return the extension of this kind, or ``None``. The certificate's extensions must be readable."""
    return cast("x509.Extension[_Extension] | None", _extensions(certificate).get(kind.oid))  # one oid, one class


@of_the_last  # the rules ask for each kind in turn
def _extensions(certificate: x509.Certificate) -> dict[x509.ObjectIdentifier, x509.Extension[x509.ExtensionType]]:
    return {found.oid: found for found in certificate.extensions}


def common_names(name: x509.Name) -> tuple[str, ...]:
    """Return every common name in a subject, in order; a good one has exactly one."""
    return _texts(name, NameOID.COMMON_NAME)


def organisations(name: x509.Name) -> tuple[str, ...]:
    """Return every organisation in a subject, in order."""
    return _texts(name, NameOID.ORGANIZATION_NAME)


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Tell whether subject and issuer are the same name, as in a root; says nothing about trust."""
    return certificate.subject == certificate.issuer


def names_issuer(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether a certificate names this issuer, by name and by key where it names one; says nothing about trust."""
    theirs, ours = extension(certificate, x509.AuthorityKeyIdentifier), extension(issuer, x509.SubjectKeyIdentifier)
    same_key = theirs is None or ours is None or theirs.value.key_identifier in {None, ours.value.digest}
    return certificate.issuer == issuer.subject and same_key


def stack_up(certificate: x509.Certificate, candidates: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """Return a certificate and those above it as they name each other, the root last; says nothing about trust."""
    others = list(candidates)
    found = [certificate]
    while not is_self_issued(found[-1]):
        above = next((each for each in others if names_issuer(found[-1], each) and each not in found), None)
        if above is None:
            break
        found.append(above)
    return found


def hash_of_signature(certificate: x509.Certificate) -> hashes.HashAlgorithm | None:
    """Return the hash under a certificate's signature. Raises ``InputError`` for one not known here."""
    try:
        return certificate.signature_hash_algorithm
    except UNREADABLE:  # known, perhaps, but with parameters that make no sense
        raise _unreadable("it is signed with an algorithm not known here") from None


def to_pem(certificates: Iterable[x509.Certificate]) -> str:
    """Write certificates as PEM with plain LF, in the order given (OCPP wants the leaf first)."""
    return "".join(certificate.public_bytes(Encoding.PEM).decode("ascii") for certificate in certificates)


def der_to_pem(der: bytes) -> str:
    """Write one certificate in DER as ``to_pem`` does."""
    text = base64.b64encode(der).decode("ascii")
    lines = "\n".join(text[at : at + _PEM_LINE] for at in range(0, len(text), _PEM_LINE))
    return f"{_PEM_BEGIN}{lines}\n{_PEM_END}"


def pem_length(der_length: int) -> int:
    """Return how many characters ``to_pem`` makes of a certificate of so many bytes (RFC 7468 2)."""
    characters = -(-der_length // 3) * 4
    return len(_PEM_BEGIN + _PEM_END) + characters + -(-characters // _PEM_LINE)


def _texts(name: x509.Name, oid: x509.ObjectIdentifier) -> tuple[str, ...]:
    return tuple(text for kind, text in _attributes(name) if kind == oid)


@of_the_last  # to go through a name costs more than what is asked of it, and it is asked for each kind in turn
def _attributes(name: x509.Name) -> tuple[tuple[x509.ObjectIdentifier, str], ...]:
    return tuple((attribute.oid, str(attribute.value)) for attribute in name)


def _read_der(der: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.public_key()
    except UNREADABLE:
        raise _unreadable("it holds no X.509 certificate with a known kind of key inside") from None
    try:
        touch(certificate)
    except UNREADABLE:
        raise _unreadable("its names, its extensions or its times cannot be read") from None
    return certificate


def _unreadable(cause: str) -> InputError:
    return InputError("certificate.unreadable", cause, "Check the file with 'openssl x509 -in FILE -noout -text'.")
