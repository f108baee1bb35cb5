"""Decides whether an update that the CSMS asks for may reach the station: only images that we verified ourselves may.

The request must carry the very signature and the very certificate of a verified release, the station must be of the
model that the release is for, and the signer must still be good now. ``Cleared`` proves all of this and only
``examine`` makes one; nothing else is ever forwarded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding

from pki.errors import RefusedError
from pki.findings import Finding, Severity, error, reasons
from pki.firmware.signature import encoding_findings, mirrored, read_signature
from pki.firmware.signer import examine_signer, form_findings, read_signer

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from cryptography import x509

    from pki.firmware.release import Release
    from pki.firmware.signer import Anchors

ADVICE: Final = "Import the image with 'bollard firmware import', and have the CSMS send its signature and certificate."


class Answer(StrEnum):
    """What the CSMS is told of a refusal: the first three are statuses, the others CALLERROR codes."""

    REJECTED = "Rejected"
    INVALID_CERTIFICATE = "InvalidCertificate"
    REVOKED_CERTIFICATE = "RevokedCertificate"
    NOT_SUPPORTED = "NotSupported"
    PROPERTY_CONSTRAINT = "PropertyConstraintViolation"


class GateRefusedError(RefusedError):
    """The update stays here. ``reason`` is the gravest finding and ``answer`` what the CSMS hears for it; ``digest``
    names the image where the request led to one."""

    def __init__(self, findings: Sequence[Finding], digest: str = "") -> None:
        fatal = [finding for finding in findings if finding.severity is Severity.ERROR]
        super().__init__("firmware.gate", f"the firmware update: {reasons(findings)}", ADVICE, findings=tuple(findings))
        self.reason = min(fatal, key=lambda finding: _ORDER.index(_answer(finding)))
        self.answer = _answer(self.reason)
        self.digest = digest


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """What the CSMS asks for, whatever the OCPP version: base64 text and PEM; empty is what was not sent."""

    signature: str = ""
    certificate: str = ""


@dataclass(frozen=True, slots=True)
class StationModel:
    """What the station said of itself when it booted; both empty before it ever did."""

    vendor: str
    model: str


_MADE_HERE: Final = object()


@dataclass(frozen=True, slots=True)
class Cleared:
    """This request, for this release, may go to this model of station; made by ``examine`` alone."""

    request: UpdateRequest
    release: Release
    station: StationModel
    proof: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.proof is not _MADE_HERE:
            raise TypeError("only the gate clears an update")


def examine(
    request: UpdateRequest,
    station: StationModel,
    releases: Sequence[Release],
    anchors: Anchors,
    now: dt.datetime,
    revoked: frozenset[tuple[bytes, int]] = frozenset(),
) -> Cleared:
    """Clear the update, or raise ``GateRefusedError`` with every finding (A00.FR.707, L01.FR.11)."""
    _require_signed(request)
    _require_known(station)
    findings: list[Finding] = []
    signature = _read_signature(request, findings)
    certificate = _read_certificate(request, findings)
    if certificate:
        findings += examine_signer(certificate, station.vendor, anchors, now, revoked)
    if signature and certificate:
        findings += encoding_findings(signature, certificate.public_key())
    release = _find(signature, certificate, releases, findings) if signature and certificate else None
    findings += _target_findings(station, release, releases) if release else ()
    if release is None or any(finding.severity is Severity.ERROR for finding in findings):
        raise GateRefusedError(findings, release.digest if release else "")
    return Cleared(request, release, station, _MADE_HERE)


def _require_signed(request: UpdateRequest) -> None:
    match (bool(request.signature), bool(request.certificate)):
        case (False, False):
            raise GateRefusedError(
                [error("unsigned", "L01.FR.11", "the update carries neither signature nor certificate")]
            )
        case (True, False):
            raise GateRefusedError(
                [error("field.pair", "L01.FR.11", "the update carries a signature but no certificate")]
            )
        case (False, True):
            raise GateRefusedError(
                [error("field.pair", "L01.FR.04", "the update carries a certificate but no signature")]
            )


def _require_known(station: StationModel) -> None:
    if not station.vendor or not station.model:
        says = "the station never booted through this proxy, so its vendor and model are not known"
        raise GateRefusedError([error("target.unknown", "A00.FR.707", says)])


def _read_signature(request: UpdateRequest, findings: list[Finding]) -> bytes | None:
    try:
        return read_signature(request.signature)
    except RefusedError as refused:
        findings += refused.findings
        return None


def _read_certificate(request: UpdateRequest, findings: list[Finding]) -> x509.Certificate | None:
    try:
        certificate = read_signer(request.certificate)
    except RefusedError as refused:
        findings += refused.findings
        return None
    findings += form_findings(request.certificate)
    return certificate


def _find(
    signature: bytes, certificate: x509.Certificate, releases: Sequence[Release], findings: list[Finding]
) -> Release | None:
    """The release with exactly this signature by exactly this certificate; a near miss is named."""
    der = certificate.public_bytes(Encoding.DER)
    by_signer = [release for release in releases if release.certificate.public_bytes(Encoding.DER) == der]
    for release in by_signer:
        if release.signature == signature:
            return release
    key = certificate.public_key()
    if any(mirrored(release.signature, signature, key) for release in by_signer):
        findings.append(error("sig.encoding", "L01.FR.04", "the signature is an altered copy of a release's (n - s)"))
    else:
        findings.append(error("sig.bad", "A00.FR.707", "no image verified here carries this signature by this signer"))
    return None


def _target_findings(station: StationModel, release: Release, releases: Sequence[Release]) -> list[Finding]:
    findings = []
    claim = release.claim
    if (claim.vendor, claim.model) != (station.vendor, station.model):
        says = (
            f"the image is for {claim.vendor[:50]!r} {claim.model[:50]!r}, "
            f"the station is {station.vendor[:50]!r} {station.model[:50]!r}"
        )
        findings.append(error("target.model", "A00.FR.707", says))
    if any(other.claim == claim and other.digest != release.digest for other in releases):
        findings.append(error("version.conflict", "A00.FR.707", f"two images go by the version {claim.version!r}"))
    return findings


# The graver answer first: a station's owner must hear of a bad signer before hearing of a wrong model.
_ORDER: Final = (
    Answer.PROPERTY_CONSTRAINT,
    Answer.REVOKED_CERTIFICATE,
    Answer.INVALID_CERTIFICATE,
    Answer.NOT_SUPPORTED,
    Answer.REJECTED,
)
_ANSWERS: Final = {
    "field.size": Answer.PROPERTY_CONSTRAINT,
    "field.range": Answer.PROPERTY_CONSTRAINT,
    "signer.revoked": Answer.REVOKED_CERTIFICATE,
    "alg.weak": Answer.INVALID_CERTIFICATE,
    "cert.encoding": Answer.INVALID_CERTIFICATE,
    "cert.order": Answer.INVALID_CERTIFICATE,
}


def _answer(finding: Finding) -> Answer:
    by_room = Answer.INVALID_CERTIFICATE if finding.code.startswith("signer.") else Answer.REJECTED
    return _ANSWERS.get(finding.code, by_room)
