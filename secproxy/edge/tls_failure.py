"""Why a TLS handshake failed: one cause of ours, and what OpenSSL knows of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from OpenSSL import SSL

from pki.unreadable import UNREADABLE

if TYPE_CHECKING:
    from OpenSSL import crypto

    from secproxy.edge.clear import Clear

_UNTRUSTED: Final = frozenset({2, 18, 19, 20, 21, 24, 26, 28, 79})  # X509_V_ERR_*: no path to an anchor of ours
_HAS_ENDED: Final = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_CAUSES: Final = {9: "cert.not_yet_valid", 10: "cert.expired", 23: "cert.revoked"}  # the other X509_V_ERR_* we name
_NO_TLS: Final = frozenset({"http request", "https proxy request"})  # OpenSSL knows the methods, after five bytes
_VERSION_REASONS: Final = frozenset({"unsupported protocol", "version too low", "wrong ssl version"})


@dataclass(slots=True)
class Distrust:
    """Why a client's certificate was refused: OpenSSL's number and the certificate that failed."""

    error: int
    depth: int
    subject: str
    issuer: str
    serial: str


@dataclass(slots=True)
class HandshakeError(Exception):
    """The handshake failed. ``cause`` is one of ours, or empty when the peer went before it said a word of TLS."""

    cause: str
    evidence: dict[str, str | int] = field(default_factory=dict)


def why(conn: SSL.Connection | Clear, failure: Exception) -> HandshakeError:
    """Name the cause of a failed handshake; what ``judge_certificate`` kept comes before what OpenSSL says."""
    distrust = conn.get_app_data()
    if isinstance(distrust, Distrust):
        return HandshakeError(_cause(distrust.error), _evidence(distrust))
    if not isinstance(failure, SSL.Error) or isinstance(failure, SSL.SysCallError | SSL.ZeroReturnError):
        return HandshakeError("")
    reasons = [str(reason[-1]) for reason in failure.args[0]] if failure.args else []
    return HandshakeError(_cause_of_reasons(reasons), {"openssl": "; ".join(reasons)})


def judge_certificate(conn: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
    """OpenSSL asks this for each certificate; keep the first refusal with the certificate that caused it."""
    if not ok and conn.get_app_data() is None:
        conn.set_app_data(Distrust(error, depth, *_names(certificate)))
    return bool(ok)


def judge_but_end(conn: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
    """Judge all but the end of the client's own certificate, which admission looks at."""
    return (error == _HAS_ENDED and depth == 0) or judge_certificate(conn, certificate, error, depth, ok)


def _names(certificate: crypto.X509) -> tuple[str, str, str]:
    """Subject, issuer and serial of a refused certificate, which may be such that only OpenSSL can read it."""
    try:
        failed = certificate.to_cryptography()
        return failed.subject.rfc4514_string(), failed.issuer.rfc4514_string(), f"{failed.serial_number:x}"
    except UNREADABLE:
        return "unreadable", "unreadable", ""


def _cause(error: int) -> str:
    return "cert.unknown_ca" if error in _UNTRUSTED else _CAUSES.get(error, "cert.invalid")


def _cause_of_reasons(reasons: list[str]) -> str:
    if any(reason in _NO_TLS for reason in reasons):
        return "tls.missing"
    if any(reason in _VERSION_REASONS for reason in reasons):
        return "tls.version"
    if "no shared cipher" in reasons:
        return "tls.cipher"
    if "peer did not return a certificate" in reasons:
        return "cert.missing"
    return "tls.failed"


def _evidence(distrust: Distrust) -> dict[str, str | int]:
    return {
        "subject": distrust.subject,
        "issuer": distrust.issuer,
        "certificate_serial": distrust.serial,
        "depth": distrust.depth,
        "openssl_error": distrust.error,
    }
