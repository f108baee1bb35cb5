"""Chains in every right and wrong form: certificates and revocation lists written byte by byte, as no library would.

``root`` and ``Party.issue`` make certificates that keep all rules; each argument breaks one. ``ext`` writes an
extension from the library's own objects, ``raw`` one from bytes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.chain import ChainRefusedError, verify
from pki.crl import RevocationList
from pki.der import read_box
from pki.findings import Severity
from pki.question import Purpose
from pki.server_name import parse_server_name
from tests.pki.papers import NOW, key, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pki.strength import SigningKey

DAY: Final = dt.timedelta(days=1)
UTF8, PRINTABLE, IA5, T61 = 0x0C, 0x13, 0x16, 0x14
CN, ORG, DC, MAIL = "550403", "55040a", "0992268993f22c640119", "2a864886f70d010901"

ECDSA_SHA256: Final = bytes.fromhex("300a06082a8648ce3d040302")
ECDSA_SHA224: Final = bytes.fromhex("300a06082a8648ce3d040301")
ECDSA_SHA384: Final = bytes.fromhex("300a06082a8648ce3d040303")
ECDSA_SHA1: Final = bytes.fromhex("300906072a8648ce3d0401")
RSA_SHA256: Final = bytes.fromhex("300d06092a864886f70d01010b0500")
RSA_SHA1: Final = bytes.fromhex("300d06092a864886f70d0101050500")
ED25519: Final = bytes.fromhex("300506032b6570")
ED448: Final = bytes.fromhex("300506032b6571")

BASIC, USAGE, EXTENDED, SAN, SKI, AKI = "551d13", "551d0f", "551d25", "551d11", "551d0e", "551d23"
SIGNS: Final = usage(key_cert_sign=True, crl_sign=True)
LEAF: Final = usage(digital_signature=True)


def box(tag: int, *contents: bytes) -> bytes:
    """A box of DER."""
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def number(value: int) -> bytes:
    """An INTEGER."""
    return box(0x02, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def dn(*pairs: tuple[str, str], tag: int = UTF8) -> bytes:
    """A name of these attributes, each a part of its own; addresses of e-mail are IA5String, as they must be."""
    return box(0x30, *(box(0x31, attribute(oid, text, IA5 if oid == MAIL else tag)) for oid, text in pairs))


def attribute(oid: str, text: str, tag: int = UTF8) -> bytes:
    """One attribute of a name."""
    return box(0x30, box(0x06, bytes.fromhex(oid)), box(tag, text.encode()))


def moment(when: dt.datetime) -> bytes:
    """A time as RFC 5280 4.1.2.5 has it."""
    if when.year < 2050:
        return box(0x17, when.strftime("%y%m%d%H%M%SZ").encode())
    return box(0x18, when.strftime("%Y%m%d%H%M%SZ").encode())


def raw(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    """An extension from bytes; ``oid`` is the hex of its DER without tag and length."""
    return box(0x30, box(0x06, bytes.fromhex(oid)), b"\x01\x01\xff" if critical else b"", box(0x04, value))


def ext(content: x509.ExtensionType, *, critical: bool = False) -> bytes:
    """An extension from the library's own object."""
    return raw(oid_hex(content.oid), content.public_bytes(), critical=critical)


def oid_hex(oid: x509.ObjectIdentifier) -> str:
    """The DER of an object identifier, without tag and length."""
    first, second, *rest = map(int, oid.dotted_string.split("."))
    content = b""
    for arc in (first * 40 + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(arc & 0x7F | 0x80)
        content += bytes(reversed(digits))
    return content.hex()


def oid_of(extension: bytes) -> str:
    """Which kind of extension this is."""
    start = 2 if extension[1] < 0x80 else 2 + (extension[1] & 0x7F)
    return extension[start + 2 : start + 2 + extension[start + 1]].hex()


def algorithm_of(signer: SigningKey) -> bytes:
    """The algorithm that a key signs with."""
    match signer:
        case rsa.RSAPrivateKey():
            return RSA_SHA256
        case ed25519.Ed25519PrivateKey():
            return ED25519
        case ed448.Ed448PrivateKey():
            return ED448
        case _:
            return ECDSA_SHA256


def signature(signer: SigningKey, body: bytes, algorithm: bytes) -> bytes:
    """Sign in the way an algorithm names."""
    digests: dict[bytes, Callable[[], hashes.HashAlgorithm]] = {
        ECDSA_SHA1: hashes.SHA1,
        RSA_SHA1: hashes.SHA1,
        ECDSA_SHA224: hashes.SHA224,
        ECDSA_SHA384: hashes.SHA384,
    }
    digest: hashes.HashAlgorithm = digests.get(algorithm, hashes.SHA256)()
    match signer:
        case rsa.RSAPrivateKey():
            return signer.sign(body, padding.PKCS1v15(), digest)
        case ec.EllipticCurvePrivateKey():
            return signer.sign(body, ec.ECDSA(digest))
        case _:
            return signer.sign(body)


def key_ids(holder: SigningKey, signer: SigningKey) -> tuple[bytes, bytes]:
    """Subject and authority key identifier."""
    own = x509.SubjectKeyIdentifier.from_public_key(holder.public_key())
    return ext(own), ext(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()))


def authority(path_length: int | None = None, use: x509.KeyUsage | None = SIGNS) -> tuple[bytes, ...]:
    """The extensions of an authority."""
    basic = ext(x509.BasicConstraints(True, path_length), critical=True)
    return (basic, ext(use, critical=True)) if use else (basic,)


def san(*names: x509.GeneralName | str) -> bytes:
    """An alternative name; texts are DNS names."""
    return ext(x509.SubjectAlternativeName([x509.DNSName(each) if isinstance(each, str) else each for each in names]))


@dataclass(frozen=True)
class Form:
    """How a certificate is written; each value that is not the default breaks something."""

    version: bytes = b"\xa0\x03\x02\x01\x02"
    serial: bytes = b"\x07"
    begin: dt.datetime = NOW - DAY
    end: dt.datetime = NOW + 365 * DAY
    times: bytes = b""
    inner: bytes = b""
    outer: bytes = b""
    signed: bytes = b""
    unique: bytes = b""
    issuer: bytes = b""
    bend: bool = False


@dataclass(frozen=True)
class Party:
    """A certificate with its key."""

    der: bytes
    holder: SigningKey
    subject: bytes

    @property
    def certificate(self) -> x509.Certificate:
        """As the library reads it."""
        return x509.load_der_x509_certificate(self.der)

    @property
    def pem(self) -> bytes:
        """As people hand it over."""
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        subject: str | bytes,
        holder: SigningKey,
        *extensions: bytes,
        without: Sequence[str] = (),
        signer: SigningKey | None = None,
        **form: Any,
    ) -> Party:
        """A certificate below this one. Key identifiers are put in, unless given or among those to go ``without``."""
        by = signer or self.holder
        given = {*map(oid_of, extensions), *without}
        added = [each for each in key_ids(holder, by) if oid_of(each) not in given]
        name = subject if isinstance(subject, bytes) else dn((CN, subject))
        return Party(write(name, holder, self.subject, by, (*extensions, *added), Form(**form)), holder, name)


def root(subject: str | bytes = "Root", holder: SigningKey | None = None, *extensions: bytes, **how: Any) -> Party:
    """A self-signed authority; without extensions given, a good one."""
    holder = holder or key("p256", "chain-root")
    name = subject if isinstance(subject, bytes) else dn((CN, subject))
    return Party(b"", holder, name).issue(name, holder, *(extensions or authority()), **how)


def write(
    subject: bytes, holder: SigningKey, issuer: bytes, signer: SigningKey, extensions: Sequence[bytes], form: Form
) -> bytes:
    """A certificate in DER."""
    algorithm = form.inner or algorithm_of(signer)
    spki = holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    times = form.times or moment(form.begin) + moment(form.end)
    exts = box(0xA3, box(0x30, *extensions)) if extensions else b""
    serial, name = box(0x02, form.serial), form.issuer or issuer
    body = box(0x30, form.version, serial, algorithm, name, box(0x30, times), subject, spki, form.unique, exts)
    signed = bytearray(signature(signer, body, form.signed or algorithm))
    signed[-1] ^= form.bend
    return box(0x30, body, form.outer or algorithm, box(0x03, b"\0", bytes(signed)))


def entry(serial: int | bytes, *extensions: bytes, when: dt.datetime = NOW - DAY) -> bytes:
    """An entry of a revocation list."""
    content = serial if isinstance(serial, bytes) else serial.to_bytes(serial.bit_length() // 8 + 1)
    exts = box(0x30, *extensions) if extensions else b""
    return box(0x30, box(0x02, content), moment(when), exts)


CRL_NUMBER: Final = raw("551d14", b"\x02\x01\x01")


def crl(
    issuer: Party,
    *entries: bytes,
    extensions: Sequence[bytes] = (CRL_NUMBER,),
    begin: dt.datetime = NOW - DAY,
    end: dt.datetime | None = NOW + DAY,
    signer: SigningKey | None = None,
    version: bytes = b"\x02\x01\x01",
    bend: bool = False,
) -> bytes:
    """A revocation list in DER."""
    by = signer or issuer.holder
    algorithm = algorithm_of(by)
    times = moment(begin) + (moment(end) if end else b"")
    listed = box(0x30, *entries) if entries else b""
    exts = box(0xA0, box(0x30, *extensions)) if extensions else b""
    body = box(0x30, version, algorithm, issuer.subject, times, listed, exts)
    signed = bytearray(signature(by, body, algorithm))
    signed[-1] ^= bend
    return box(0x30, body, algorithm, box(0x03, b"\0", bytes(signed)))


def faults(
    path: Sequence[Party], purpose: Purpose = Purpose.ANY, name: str = "", crls: Sequence[bytes] | None = None
) -> set[str]:
    """Judge a chain, leaf first and the one anchor last: the codes of its errors, none when it is accepted."""
    leaf, *between, anchor = (party.certificate for party in path)
    lists = None if crls is None else [RevocationList.read(der) for der in crls]
    wanted = parse_server_name(name) if name else None
    try:
        verify(leaf, [anchor], between, purpose, NOW, name=wanted, crls=lists)
    except ChainRefusedError as refused:
        return {finding.code for finding in refused.findings if finding.severity is Severity.ERROR}
    return set()


def chain(
    *extensions: bytes, above: Sequence[bytes] = (), top: Sequence[bytes] = (), **how: Any
) -> tuple[Party, Party, Party]:
    """A leaf with these extensions, and with key usage; an authority with those ``above``; a root with those on top."""
    anchor = root("Root", None, *authority(), *top)
    middle = anchor.issue("CA", key("p256", "chain-ca"), *authority(), *above)
    given = tuple(extensions) if USAGE in map(oid_of, extensions) else (ext(LEAF, critical=True), *extensions)
    return (
        middle.issue(how.pop("subject", "Leaf"), how.pop("holder", key("p256", "chain-leaf")), *given, **how),
        middle,
        anchor,
    )


SHA256, SHA512 = "608648016503040201", "608648016503040203"
"""Object identifiers, without tag and length."""


def pss(digest: str, mask: str, salt: int | None) -> bytes:
    """Parameters of RSASSA-PSS; an empty text leaves one out."""
    mask_of = box(0x30, box(0x06, bytes.fromhex("2a864886f70d010108")), box(0x30, box(0x06, bytes.fromhex(mask))))
    parts = [box(0xA0, box(0x30, box(0x06, bytes.fromhex(digest))))] if digest else []
    parts += [box(0xA1, mask_of)] if mask else []
    parts += [box(0xA2, number(salt))] if salt is not None else []
    return box(0x30, *parts)


def held_to(key: rsa.RSAPublicKey, *parameters: bytes, oid: str = "2a864886f70d01010a") -> bytes:
    """The key in a form that holds it to one way of signing."""
    usual = read_box(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).boxes()
    return box(0x30, box(0x30, box(0x06, bytes.fromhex(oid)), *parameters), usual[1].raw)
