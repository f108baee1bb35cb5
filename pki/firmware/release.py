"""Decides whether an image handed in is a true release of its manufacturer's, before anything is stored of it.

Every reason against it is told at once. What passes is a ``Release``: the image's digest with the claim, the signature
and the signer that were proved to belong together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pki.errors import InputError, RefusedError
from pki.findings import Finding, error, refuse_errors, warning
from pki.firmware.policy import Algorithm
from pki.firmware.signature import PSS_ADVICE, examine_signature, read_signature
from pki.firmware.signer import examine_signer, key_as_written, purpose_findings, read_signer

if TYPE_CHECKING:
    import datetime as dt

    from cryptography import x509

    from pki.firmware.policy import FirmwarePolicy
    from pki.firmware.signature import FileDigests
    from pki.firmware.signer import Anchors

CLAIM_LENGTH: Final = 50
"""Characters of vendor, model and firmware version in a BootNotification of 2.x, and of the version in 1.6."""
LEGACY_LENGTH: Final = 20
"""Characters of vendor and model in a BootNotification of 1.6."""


@dataclass(frozen=True, slots=True)
class ReleaseClaim:
    """What an image is said to be: for which vendor and model, exactly as stations spell them, and which version."""

    vendor: str
    model: str
    version: str

    @classmethod
    def parse(cls, vendor: str, model: str, version: str) -> ReleaseClaim:
        """Read a claim as a person gives it; ``InputError("firmware.claim")`` names the field that is wrong."""
        for name, text in (("vendor", vendor), ("model", model), ("version", version)):
            if not 1 <= len(text) <= CLAIM_LENGTH or not text.isprintable() or text != text.strip():
                raise InputError(
                    "firmware.claim",
                    f"{text[:64]!r} is no {name}: 1 to {CLAIM_LENGTH} printable characters, no blanks at the ends",
                    f"Give the {name} exactly as the station spells it in its BootNotification.",
                )
        return cls(vendor, model, version)

    def __str__(self) -> str:
        return f"{self.vendor} {self.model} {self.version}"


@dataclass(frozen=True, slots=True)
class Release:
    """One verified image. ``digest`` is SHA-256 in lower-case hex, ``size`` bytes; ``findings`` are the warnings."""

    digest: str
    size: int
    claim: ReleaseClaim
    algorithm: Algorithm
    signature: bytes
    certificate: x509.Certificate
    findings: tuple[Finding, ...] = ()


def recall(
    *, digest: str, size: int, vendor: str, model: str, version: str, algorithm: str, signature: bytes, certificate: str
) -> Release:
    """A release as it was verified and recorded earlier; ``certificate`` is the PEM that was recorded with it."""
    claim = ReleaseClaim.parse(vendor, model, version)
    return Release(digest, size, claim, Algorithm(algorithm), signature, read_signer(certificate))


def examine(
    claim: ReleaseClaim,
    digests: FileDigests,
    signature_text: str,
    certificate_pem: str,
    anchors: Anchors,
    policy: FirmwarePolicy,
    now: dt.datetime,
    revoked: frozenset[tuple[bytes, int]] = frozenset(),
) -> Release:
    """Prove an image (A00.FR.707), or raise ``RefusedError("firmware.refused")`` with every finding.

    ``signature_text`` is base64 as OCPP carries it. ``revoked`` holds (issuer key id, serial number) pairs.
    """
    findings = list(_claim_findings(claim, digests))
    signature = certificate = algorithm = None
    try:
        signature = read_signature(signature_text)
    except RefusedError as refused:
        findings += refused.findings
    try:
        certificate = read_signer(certificate_pem)
        findings += examine_signer(certificate, claim.vendor, anchors, now, revoked)
        findings += purpose_findings(certificate, policy)
    except RefusedError as refused:
        findings += refused.findings
    if signature and certificate:
        try:
            verified = examine_signature(
                digests, signature, certificate.public_key(), key_as_written(certificate), policy
            )
            algorithm, findings = verified.algorithm, [*findings, *verified.findings]
        except RefusedError as refused:
            findings += refused.findings
    noticed = refuse_errors(findings, "firmware.refused", f"the image for {claim}", _advice(findings))
    if signature is None or certificate is None or algorithm is None:
        raise AssertionError("an image without proof had no finding against it")
    return Release(digests.hex, digests.size, claim, algorithm, signature, certificate, noticed)


def _claim_findings(claim: ReleaseClaim, digests: FileDigests) -> list[Finding]:
    findings = []
    if digests.size == 0:
        findings.append(error("image.empty", "L01.FR.04", "the image holds no bytes"))
    if max(len(claim.vendor), len(claim.model)) > LEGACY_LENGTH:
        says = f"a vendor or model of more than {LEGACY_LENGTH} characters cannot come from an OCPP 1.6 station"
        findings.append(warning("target.length", "B01.FR.01", says))
    return findings


def _advice(findings: list[Finding]) -> str:
    codes = {finding.code for finding in findings}
    if codes & {"signer.untrusted", "signer.vendor"}:
        return "Trust the manufacturer's root first: bollard ca trust add FILE --purpose firmware --vendor VENDOR."
    if codes & {"alg.profile", "sig.encoding"}:
        return PSS_ADVICE
    return "Ask the manufacturer for the image, its signature and its signing certificate again; use none of these."
