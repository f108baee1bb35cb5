"""Decides whether the holder of a certificate may sign firmware for a vendor's stations.

* A signer stands directly under one of *that vendor's* trusted manufacturer roots, without intermediates (A00.FR.603).
* Our own CAs and other vendors' roots never vouch for firmware; they are known here only to name the mistake.
* A file that people handled may have its line ends changed; on the wire the PEM has one form, ``form_findings`` says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificate import extension, read_certificates
from pki.chain import Purpose, verify
from pki.errors import InputError, RefusedError
from pki.fields import read_fields
from pki.findings import Finding, Severity, error
from pki.firmware.policy import MissingPurpose
from pki.unreadable import UNREADABLE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from pki.firmware.policy import FirmwarePolicy

CERTIFICATE_LENGTH: Final = 5500
"""Characters of PEM; SignedUpdateFirmware (1.6) and UpdateFirmware (2.x), field ``signingCertificate``."""

_LOOSE: Final = re.compile(r"[\r\t\\]| \n| \Z|\n\n")
_ADVICE: Final = "Ask the manufacturer for the one certificate that signed this image, in PEM."


@dataclass(frozen=True, slots=True)
class Anchors:
    """The manufacturer roots trusted for firmware, by vendor.

    ``others`` are our own CAs and what is trusted for another purpose: being issued by one is told, never accepted.
    """

    vendors: Mapping[str, tuple[x509.Certificate, ...]] = field(default_factory=dict)
    others: tuple[x509.Certificate, ...] = ()


def read_signer(pem: str) -> x509.Certificate:
    """Read exactly one PEM certificate; ``RefusedError("firmware.certificate")`` names what else was in the text."""
    if len(pem) > CERTIFICATE_LENGTH:
        raise _refused(error("field.size", "L01.FR.11", f"the certificate has {len(pem)} characters, 5500 are allowed"))
    try:
        certificates = read_certificates(pem, CERTIFICATE_LENGTH)
    except InputError as unreadable:
        raise _refused(error("cert.encoding", "L01.FR.11", f"the certificate: {unreadable.cause}")) from None
    if len(certificates) > 1:
        raise _refused(_too_many(certificates))
    return certificates[0]


def key_as_written(certificate: x509.Certificate) -> bytes:
    """Return the signer's key as it came, in DER: what it is held to stands there. ``RefusedError`` if it is none."""
    try:
        return read_fields(certificate.public_bytes(Encoding.DER)).key
    except ValueError:
        says = "the certificate is not strict DER, so that its key cannot be read"
        raise _refused(error("cert.encoding", "RFC 5280 4.1", says)) from None


def form_findings(pem: str) -> tuple[Finding, ...]:
    """What a reader forgives in a file but a station may not: line ends other than LF, blanks, escapes."""
    if _LOOSE.search(pem):
        says = "the certificate's PEM has carriage returns, blanks or escapes where only line feeds are due"
        return (error("cert.encoding", "L01.FR.11", says),)
    return ()


def examine_signer(
    certificate: x509.Certificate,
    vendor: str,
    anchors: Anchors,
    now: dt.datetime,
    revoked: frozenset[tuple[bytes, int]] = frozenset(),
) -> tuple[Finding, ...]:
    """All that is wrong with this signer for this vendor at this time; the caller weighs it with its other findings."""
    trusted = anchors.vendors.get(vendor, ())
    try:
        verify(certificate, trusted, (), Purpose.FIRMWARE, now, revoked=revoked)
    except RefusedError as refused:
        fatal = (finding for finding in refused.findings if finding.severity is Severity.ERROR)
        return tuple(_explained(finding, certificate, vendor, anchors) for finding in fatal)
    return ()


def purpose_findings(certificate: x509.Certificate, policy: FirmwarePolicy) -> tuple[Finding, ...]:
    """A certificate without any extended key usage says nothing of code: told or refused, as the policy has it."""
    if extension(certificate, x509.ExtendedKeyUsage):
        return ()
    says = "the signer's certificate names no extended key usage, code signing is expected"
    severity = Severity.ERROR if policy.missing_purpose is MissingPurpose.REFUSE else Severity.WARNING
    return (Finding("signer.purpose", severity, "RFC 5280 4.2.1.12", says),)


def _explained(finding: Finding, certificate: x509.Certificate, vendor: str, anchors: Anchors) -> Finding:
    """Replace "untrusted" by what the signer really is, where that can be told."""
    if finding.code != "signer.untrusted":
        return finding
    for name, roots in anchors.vendors.items():
        if name != vendor and _issuer_among(certificate, roots):
            says = f"the signer belongs to the manufacturer {name[:50]!r}, the station to {vendor[:50]!r}"
            return error("signer.vendor", "A00.FR.707", says)
    if _issuer_among(certificate, anchors.others):
        says = "the signer was issued by a CA that is not trusted for firmware (ours, or for another purpose)"
        return error("signer.hierarchy", "A00.FR.601", says)
    return finding


def _issuer_among(certificate: x509.Certificate, roots: Iterable[x509.Certificate]) -> x509.Certificate | None:
    for root in roots:
        try:
            certificate.verify_directly_issued_by(root)
        except (InvalidSignature, *UNREADABLE):
            continue
        return root
    return None


def _too_many(certificates: list[x509.Certificate]) -> Finding:
    if _issuer_among(certificates[0], certificates[1:]):
        says = "an intermediate stands beside the signer; a signer stands directly under the manufacturer's root"
        return error("signer.depth", "A00.FR.603", says)
    return error("cert.order", "L01.FR.11", f"{len(certificates)} certificates were found where one is due")


def _refused(finding: Finding) -> RefusedError:
    return RefusedError(
        "firmware.certificate", f"the signing certificate: {finding.says}", _ADVICE, findings=(finding,)
    )
