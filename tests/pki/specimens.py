"""One sound certificate of every purpose, made the whole way, and the same with one thing changed by a clumsy hand."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from pki.issue import sign
from pki.lint import approve
from pki.plan import Issuer, Subject, plan, plan_root
from pki.profile import CertificatePurpose
from tests.pki.papers import NOW, ORGANISATION, key, profile, serial

if TYPE_CHECKING:
    from collections.abc import Callable

    from pki.strength import SigningKey

SECC_ID: Final = "DEABCS0123456789ABCDEF0123456789ABCDEF0"

P = CertificatePurpose
FAMILY: Final[dict[P, tuple[P | None, str, str]]] = {
    P.ROOT: (None, "p384", "Example Root"),
    P.ISSUING: (P.ROOT, "p256", "Example Station CA"),
    P.LINK: (P.ROOT, "p384", "Example Root 2"),
    P.MANUFACTURER_ROOT: (None, "p256", "Volta Root"),
    P.V2G_ROOT_2: (None, "p256", "V2G Root"),
    P.V2G_SUB1_2: (P.V2G_ROOT_2, "p256", "CPO Sub 1"),
    P.V2G_SUB2_2: (P.V2G_SUB1_2, "p256", "CPO Sub 2"),
    P.V2G_ROOT_20: (None, "p521", "V2G Root 20"),
    P.V2G_SUB1_20: (P.V2G_ROOT_20, "p521", "CPO Sub 1 20"),
    P.V2G_SUB2_20: (P.V2G_SUB1_20, "p521", "CPO Sub 2 20"),
    P.CSMS: (P.ISSUING, "p256", "csms.example.org"),
    P.STATION: (P.ISSUING, "p256", "SN-001"),
    P.OCSP: (P.ISSUING, "p256", "Example OCSP"),
    P.FIRMWARE_SIGNER: (P.MANUFACTURER_ROOT, "p256", "Volta Signer"),
    P.OPERATOR: (P.ISSUING, "p256", "Alice"),
    P.V2G_SECC_2: (P.V2G_SUB2_2, "p256", SECC_ID),
    P.V2G_SECC_20: (P.V2G_SUB2_20, "p521", SECC_ID),
}
"""Each purpose: who issues it, the kind of its key, its common name."""


def holder(purpose: P) -> SigningKey:
    """The key of the specimen."""
    return key(FAMILY[purpose][1], f"holder of {purpose}")


@cache
def specimen(purpose: P) -> x509.Certificate:
    """A sound certificate of this purpose."""
    above, _, common_name = FAMILY[purpose]
    subject, public = Subject(common_name, ORGANISATION), holder(purpose).public_key()
    number = serial(list(FAMILY).index(purpose) + 100)
    if above is None:
        planned = plan_root(profile(purpose), subject, public, number, NOW)
        return sign(approve(planned), holder(purpose)).certificate
    planned = plan(profile(purpose), subject, public, Issuer(above, specimen(above)), number, NOW)
    return sign(approve(planned), holder(above)).certificate


def altered(
    purpose: P,
    *changed: tuple[x509.ExtensionType, bool],
    without: tuple[type[x509.ExtensionType], ...] = (),
    subject: x509.Name | None = None,
    public: SigningKey | None = None,
    signer: SigningKey | None = None,
    days: tuple[float, float] = (),  # type: ignore[assignment] # empty: the specimen's own
    number: int = 0,
) -> x509.Certificate:
    """The specimen with these extensions in place of its own, and whatever else is said."""
    sound, above = specimen(purpose), FAMILY[purpose][0] or purpose
    kinds = {type(content) for content, _ in changed} | set(without)
    begin, end = (NOW + dt.timedelta(days=each) for each in days) if days else _times(sound)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject or sound.subject)
        .issuer_name(sound.issuer)
        .public_key(public.public_key() if public else sound.public_key())
        .serial_number(number or sound.serial_number)
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    kept = [(each.value, each.critical) for each in sound.extensions if type(each.value) not in kinds]
    for content, critical in (*kept, *changed):
        builder = builder.add_extension(content, critical)
    signing = signer or holder(above)
    plain = isinstance(signing, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    digest = hashes.SHA512() if purpose.edition == "20" else hashes.SHA256()
    return builder.sign(signing, None if plain else digest)


def _times(sound: x509.Certificate) -> tuple[dt.datetime, dt.datetime]:
    return sound.not_valid_before_utc, sound.not_valid_after_utc


def rewritten(certificate: x509.Certificate, place: int, change: Callable[[bytes], bytes]) -> x509.Certificate:
    """The certificate with one part of what is signed written anew; its signature is void, which no lint asks about.

    ``place`` counts the parts: 0 version, 1 serial, 2 algorithm, 3 issuer, 4 validity, 5 subject.
    """
    body, algorithm, signature = split(split(certificate.public_bytes(Encoding.DER))[0][2])
    parts = [raw for _, raw, _ in split(body[2])]
    parts[place] = change(parts[place])
    whole = box(0x30, box(0x30, b"".join(parts)) + algorithm[1] + signature[1])
    return x509.load_der_x509_certificate(whole)


def box(tag: int, content: bytes) -> bytes:
    """One DER box."""
    length = len(content)
    size = length.to_bytes((length.bit_length() + 7) // 8 or 1)
    return bytes([tag]) + (size if length < 128 else bytes([128 + len(size)]) + size) + content


def split(content: bytes) -> list[tuple[int, bytes, bytes]]:
    """The boxes of some DER: tag, the whole box, its content."""
    found, at = [], 0
    while at < len(content):
        begin, length = at + 2, content[at + 1]
        if length >= 128:
            begin += length - 128
            length = int.from_bytes(content[at + 2 : begin])
        found.append((content[at], content[at : begin + length], content[begin : begin + length]))
        at = begin + length
    return found
