"""Reads what a station asks to have certified, and judges whether it may be.

Of a request only the public key is taken over. Names come from the register, everything else from the certificate
profile, so a station can ask for nothing that it is not due. All that is wrong is found before anything is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from pki.certificate import common_names, organisations
from pki.der import header
from pki.dn import COMMON_NAME, ORGANISATION, read_plain
from pki.errors import InputError
from pki.findings import Finding, error, refuse_errors, warning
from pki.names import HolderName
from pki.pem import read_base64, read_blocks
from pki.signature import verify_ecdsa
from pki.signed import is_pss_only
from pki.strength import check_key, check_mark, check_signature_hash, is_ec
from pki.unreadable import UNREADABLE, touch_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from pki.names import Organisation, StationSerial
    from pki.station import Station

REQUEST_LENGTH: Final = 5_500  # characters; SignCertificate.csr in every edition's schema
REQUEST_BYTES: Final = REQUEST_LENGTH // 4 * 3  # bytes of DER; base64 writes three of them in four characters

_NAMES: Final = frozenset({NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME})
_SEQUENCE: Final = b"\x30"  # how every request in DER begins; as a character, "0", it begins none in base64
_LABELS: Final = frozenset({"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"})


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """A request as read: well-formed, and nothing more is known of it yet."""

    csr: x509.CertificateSigningRequest
    public_key: CertificatePublicKeyTypes
    common_names: tuple[str, ...]
    organisations: tuple[str, ...]
    names_more: bool = False
    """Whether its subject holds anything else."""
    is_pss_only: bool = False
    """Whether its key is marked as one that signs with RSA-PSS alone; ``public_key`` does not keep that."""


@dataclass(frozen=True, slots=True)
class Admissible:
    """Evidence that this key may be certified for this station: proved to be held, strong, and rightly named."""

    public_key: CertificatePublicKeyTypes
    serial: StationSerial
    organisation: Organisation
    findings: tuple[Finding, ...]


def read_request(text: str | bytes) -> SigningRequest:
    """Read a PKCS#10 request in PEM (A02.FR.03), at most 5,500 characters. Raises ``InputError("csr.unreadable")``."""
    blocks = read_blocks(text, _LABELS, "csr.unreadable", REQUEST_LENGTH)
    if len(blocks) > 1:
        raise _unreadable("it holds more than one request")
    return _read(blocks[0], "PEM")


def read_request_der(body: bytes) -> SigningRequest:
    """Read a request as EST carries it: DER in base64, with or without line ends (RFC 8951 3.1), or the bare DER.

    The bounds are those of the same request in PEM. Raises ``InputError("csr.unreadable")``.
    """
    if body[:1] != _SEQUENCE:
        return _read(read_base64(body, "csr.unreadable", REQUEST_LENGTH), "base64")
    if len(body) > REQUEST_BYTES:
        raise _unreadable(f"it has {len(body)} bytes; {REQUEST_BYTES} are the most")
    return _read(body, "DER")


def _read(der: bytes, form: str) -> SigningRequest:
    try:
        csr = x509.load_der_x509_csr(der)
        key, (subject, spki) = csr.public_key(), subject_and_key(der)
        found = SigningRequest(csr, key, *_read_names(csr, subject), is_pss_only=is_pss_only(key, spki))
        _ = csr.attributes  # of what is asked for nothing is taken over, so it need not be understood
    except UNREADABLE:
        raise _unreadable(f"it is {form}, but no PKCS#10 request with a known kind of key inside") from None
    if not der.endswith(b"\0" + csr.signature):
        raise _unreadable("its signature is not made of whole bytes, the one form it has (X.690 11.2)")
    return found


def subject_and_key(der: bytes) -> tuple[bytes, bytes]:
    """Return subject and key of a request as they are written, second and third in its body (RFC 2986 4.1)."""
    body, _ = header(der, 0)
    version, _ = header(der, body)
    _, begin = header(der, version)
    _, end = header(der, begin)
    return der[begin:end], der[end : header(der, end)[1]]


def _read_names(csr: x509.CertificateSigningRequest, written: bytes) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Return common names, organisations, and whether there is anything else."""
    plain = read_plain(written)
    if plain is not None:
        common = tuple(text for kind, text in plain if kind == COMMON_NAME)
        return common, tuple(text for kind, text in plain if kind == ORGANISATION), False
    subject = csr.subject  # made anew at each touch
    touch_name(subject)
    return common_names(subject), organisations(subject), any(each.oid not in _NAMES for each in subject)


def examine(
    request: SigningRequest,
    station: Station,
    organisation: Organisation,
    *,
    compromised: bool = False,
    holder: str = "",
    also: Iterable[Finding] = (),
) -> Admissible:
    """Judge a request for one station. Raises ``RefusedError("csr.refused")`` with every finding.

    ``compromised`` says that a certificate of this very key was revoked because others may hold the key; ``holder`` is
    who else has a live certificate of it; ``also`` is what was found before and is to be told together with the rest.
    """
    findings = refuse_errors(
        [
            *also,
            *examine_key(request, compromised=compromised),
            *examine_holder(holder),
            *_examine_common_name(request.common_names, station),
            *_examine_organisation(request.organisations, organisation),
            *_examine_other_names(request),
            *_examine_extensions(request.csr),
        ],
        "csr.refused",
        f"the request of station {station.identity}",
        "Let the station make a new key and request once what is named here is corrected.",
    )
    return Admissible(request.public_key, station.serial, organisation, findings)


def examine_named(
    request: SigningRequest, name: str, clause: str, organisation: Organisation, *, compromised: bool = False
) -> tuple[str, tuple[Finding, ...]]:
    """Judge a request that is not for a station's own certificate; return the common name to certify, and what was
    noticed.

    ``name`` is what the common name must be; empty: any plain one. Raises ``RefusedError("csr.refused")`` with every
    finding.
    """
    findings = refuse_errors(
        [
            *examine_key(request, compromised=compromised),
            *_examine_holder(request.common_names, name, clause),
            *_examine_organisation(request.organisations, organisation),
            *_examine_other_names(request),
            *_examine_extensions(request.csr),
        ],
        "csr.refused",
        f"the request for {(name or 'a certificate')!r}",
        "Have a new key and request made once what is named here is corrected.",
    )
    return request.common_names[0], findings


def _examine_holder(names: tuple[str, ...], due: str, clause: str) -> list[Finding]:
    if len(names) != 1:
        return [error("csr.common_name", clause, f"it has {len(names)} common names; exactly one is due")]
    if due and names[0] != due:
        return [error("csr.common_name", clause, f"its common name is {names[0][:72]!r}, due is {due!r}")]
    try:
        HolderName.parse(names[0])
    except InputError as wrong:
        return [error("csr.common_name", clause, wrong.cause)]
    return []


def examine_key(request: SigningRequest, *, compromised: bool = False) -> list[Finding]:
    """Find what is wrong with the key alone: its strength, that it is held, that nobody else has it.

    What is out of bounds is not computed with, so that no request costs more than an honest one.
    """
    sound = check_key(request.public_key) or _examine_proof(request)
    return [*sound, *check_mark(is_pss_only=request.is_pss_only), *_examine_history(compromised=compromised)]


def _examine_proof(request: SigningRequest) -> list[Finding]:
    """RFC 2986 4.2: the signature proves that the station holds the private key."""
    try:
        if weak := check_signature_hash(request.csr.signature_hash_algorithm):
            return weak
        proved = _is_proved(request)
    except UNREADABLE:
        return [error("csr.proof", "RFC 2986 4.2", "its signature uses an algorithm that is not known here")]
    return [] if proved else [error("csr.proof", "RFC 2986 4.2", "its signature does not prove that the key is held")]


def _is_proved(request: SigningRequest) -> bool:
    csr, key = request.csr, request.public_key
    if not is_ec(key):
        return csr.is_signature_valid
    try:
        verify_ecdsa(key, csr, csr.tbs_certrequest_bytes)
    except InvalidSignature:
        return False
    return True


def examine_holder(holder: str) -> list[Finding]:
    """A00.FR.427: a key proves one identity, so it is certified for one; ``holder`` is who else has it, or nothing."""
    if not holder:
        return []
    return [error("csr.key_taken", "A00.FR.427", f"its key is that of {holder}; a key of its own is due")]


def examine_secc_id(secc_id: str, holder: str) -> list[Finding]:
    """A00.FR.427: a SECCID names one station towards cars; ``holder`` is who else has it, or nothing."""
    if not holder:
        return []
    says = f"the SECCID {secc_id!r} is that of the station {holder}; one of its own is due"
    return [error("csr.secc_id_taken", "A00.FR.427", says)]


def _examine_history(*, compromised: bool) -> list[Finding]:
    if not compromised:
        return []
    return [error("csr.compromised", "RFC 5280 5.3.1", "its key was given up as compromised; a new key is due")]


def _examine_common_name(names: tuple[str, ...], station: Station) -> list[Finding]:
    """A00.FR.405 and .511: exactly one common name, exactly the serial number in our register."""
    serial = station.serial.text
    if len(names) != 1:
        return [
            error("csr.common_name", "A00.FR.511", f"it has {len(names)} common names; exactly one is due, {serial!r}")
        ]
    if names[0] != serial:
        says = f"its common name is {names[0][:72]!r}, the registered serial number is {serial!r}"
        return [error("csr.common_name", "A00.FR.511", says)]
    return []


def _examine_organisation(names: tuple[str, ...], organisation: Organisation) -> list[Finding]:
    """A02.FR.13 (1.6) and A00.FR.509: the station may leave it out, but may not name another."""
    if not names:
        return [
            warning("csr.organisation", "A00.FR.509", f"it names no organisation; ours, {organisation.text!r}, goes in")
        ]
    if names != (organisation.text,):
        shown = ", ".join(repr(name[:72]) for name in names[:3])
        return [error("csr.organisation", "A00.FR.509", f"its organisation is {shown}, ours is {organisation.text!r}")]
    return []


def _examine_other_names(request: SigningRequest) -> list[Finding]:
    """Mail addresses, units, countries: the register knows none of them, so none goes into the certificate."""
    if not request.names_more:
        return []
    return [warning("csr.names", "A02.FR.04", "it names more than an organisation and a common name; that is left out")]


def _examine_extensions(csr: x509.CertificateSigningRequest) -> list[Finding]:
    """Nothing asked for is taken over; say so, since a person may wonder."""
    if len(csr.attributes) == 0:
        return []
    return [warning("csr.extensions", "A02.FR.04", "it asks for extensions or attributes; none of them is taken over")]


def _unreadable(cause: str) -> InputError:
    return InputError("csr.unreadable", cause, "Check the file with 'openssl req -in FILE -noout -text -verify'.")
