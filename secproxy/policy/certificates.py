"""Judges what changes whom a station trusts, and what it proves itself with: requests, installations, deletions.

Rules this file keeps:

* A request is read and judged as the authority does at its intake, by the same functions; nothing is read before its
  length is known to be that of a request (A02.FR.03).
* What cannot be read in one way is not allowed: neither a certificate beside which another stands, nor one that is to
  be deleted under a hash that the standard does not have.
* A station is kept from losing any authority that stands above what our own listeners present: it would connect no
  more. Either hash is enough to name one, since some stations compute the other wrongly.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.errors import InputError, RefusedError
from pki.external import examine_vehicle_side
from pki.findings import Severity, refuse_errors
from pki.names import Organisation
from pki.ocsp import identify
from pki.request import examine, examine_named, read_request
from pki.unreadable import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pki.request import SigningRequest
    from pki.station import Station
    from secproxy.station_view import View

    Payload = Mapping[str, object]

CERTIFICATE_LENGTH: Final = 10_000  # characters; InstallCertificate.certificate in OCPP 2.1, the most of all versions
SAYS_LENGTH: Final = 240  # characters of what is said against a request; an event holds 256
SUBJECT_LENGTH: Final = 96  # characters of a subject that a stranger chose

_CSMS: Final = ("CSMSRootCertificate", "CentralSystemRootCertificate")
_MAKERS: Final = ("ManufacturerRootCertificate",)
_VEHICLES: Final = ("V2GRootCertificate", "MORootCertificate")  # contract certificates may end in a V2G root too
_OF_OTHERS: Final = (*_VEHICLES, "OEMRootCertificate")  # also what an anchor is called that is trusted as just that
_TYPES_BY_ROLE: Final[Mapping[str, tuple[str, ...]]] = {
    "root": _CSMS,
    "link": _CSMS,  # M05.FR.09: a new root as the old one signed it
    "csms": _CSMS,
    "manufacturer": _MAKERS,
    "firmware": _MAKERS,
    "v2g-root": _VEHICLES,
    **{kind: (kind,) for kind in _OF_OTHERS},
}
TYPES: Final = frozenset({*_CSMS, *_MAKERS, *_OF_OTHERS})
"""What InstallCertificate may say that a certificate is for, in any version."""

STATIONS: Final = "ChargingStationCertificate"  # also what a request without a type is for
_PROFILES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "ocpp1.6": {},
    "ocpp2.0.1": {"V2GCertificate": ("v2g-secc-2", "v2g-secc-20")},  # this version has one word for both editions
    "ocpp2.1": {"V2GCertificate": ("v2g-secc-2",), "V2G20Certificate": ("v2g-secc-20",)},
}
"""The certificate profiles of what is shown to cars, by version and certificateType."""

_PEM: Final = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")
_HASHES: Final = {"SHA256": "sha256", "SHA384": "sha384", "SHA512": "sha512"}


@dataclass(frozen=True, slots=True)
class Certificates:
    """Which certificates may be installed: those whose SHA-256 over the DER is listed, in hex, and, with ``catalogue``,
    those that this home has for the same purpose.

    One of ``unsafe_types`` goes on whatever it is, and is told of.
    """

    fingerprints: frozenset[str]
    catalogue: bool = False
    unsafe_types: frozenset[str] = frozenset()

    def fault(self, payload: Payload, view: View) -> str:
        """Say that a certificate may not be installed, or cannot be read as one; empty when it may."""
        der = _read_certificate(payload.get("certificate"))
        if not der:
            return "the certificate is not one certificate in PEM"
        fingerprint = hashlib.sha256(der).hexdigest()
        known = self.catalogue and fingerprint in _catalogue(view, payload.get("certificateType"))
        if known or fingerprint in self.fingerprints:
            return ""
        return f"certificate {fingerprint} of {_subject(der)} is none of those allowed"

    def tolerates(self, payload: Payload) -> bool:
        """Whether a certificate goes on although it may not be installed."""
        return payload.get("certificateType") in self.unsafe_types


@dataclass(frozen=True, slots=True)
class KeepRoots:
    """No authority above what our listeners present may be deleted (M04.FR.03, 1.6 M04.FR.06)."""

    def fault(self, payload: Payload, view: View) -> str:
        """Say that a station would lose an authority that it needs; empty when it would not."""
        told = payload.get("certificateHashData")
        data = told if isinstance(told, dict) else {}
        algorithm, *hashes = (data.get(key) for key in ("hashAlgorithm", "issuerNameHash", "issuerKeyHash"))
        named = [each.lower() for each in hashes if isinstance(each, str)]
        if not isinstance(algorithm, str) or algorithm not in _HASHES or len(named) < len(hashes):
            return "what is to be deleted is not named as the standard says"
        needed = dict(_needed(_HASHES[algorithm], view))
        found = next((needed[each] for each in named if each in needed), "")
        return f"{found!r} stands above the certificate that stations are shown here" if found else ""


@dataclass(frozen=True, slots=True)
class Requests:
    """Only what our authority would certify for this station may be asked for (A02.FR.03, .11, .12)."""

    def fault(self, payload: Payload, version: str, station: Station, organisation: str) -> str:
        """Say what is wrong with a request; empty when it could be certified."""
        written, kind = payload.get("csr"), payload.get("certificateType", STATIONS)
        if not isinstance(written, str):
            return "there is no request in it"
        try:
            request, ours = read_request(written), Organisation.parse(organisation)
            if version == "ocpp1.6" or kind == STATIONS:
                examine(request, station, ours)
                return ""
            profiles = _PROFILES[version].get(kind, ()) if isinstance(kind, str) else ()
            return _examine_vehicle_side(request, profiles, ours)
        except (InputError, RefusedError) as wrong:
            return _says(wrong)


def _examine_vehicle_side(request: SigningRequest, profiles: Sequence[str], ours: Organisation) -> str:
    """Judge a request for what is shown to cars; the station's SECCID is known to nobody here, so any is fine."""
    if not profiles:
        return "it is for no kind of certificate that this version has"
    found = [examine_vehicle_side(each, request.common_names, request.public_key) for each in profiles]
    against = next((each for each in found if not each), found[0])
    refuse_errors(against, "csr.refused", "the request", "Let the station make another.")
    examine_named(request, request.common_names[0], "ISO 15118-2 F", ours)
    return ""


def _says(wrong: InputError | RefusedError) -> str:
    errors = [f"{each.says} [{each.clause}]" for each in wrong.findings if each.severity is Severity.ERROR]
    return ("; ".join(errors) or wrong.cause)[:SAYS_LENGTH]


def _read_certificate(written: object) -> bytes:
    """Return the DER of the one certificate in a text; nothing when it is not just that."""
    if not isinstance(written, str) or len(written) > CERTIFICATE_LENGTH:
        return b""
    match = _PEM.fullmatch(written.replace("\\r", "").replace("\\n", "\n"))
    try:
        return base64.b64decode("".join(match[1].split()), validate=True) if match else b""
    except binascii.Error:
        return b""


def _catalogue(view: View, kind: object) -> Iterator[str]:
    """The fingerprints of what this home has of a certificateType."""
    for known in view.authorities:
        if kind in _TYPES_BY_ROLE.get(known.role, ()):
            yield hashlib.sha256(known.certificate.public_bytes(Encoding.DER)).hexdigest()


def _needed(algorithm: str, view: View) -> Iterator[tuple[str, str]]:
    """The hashes of name and key of all who signed what we present, each with the name; keys as far as they are known.

    A root signed itself, so that its own hashes are those of its issuer. Of two roots, while one leads to the other,
    either may be the only one that a station has.
    """
    for issuer in {each.issuer for each in view.presented}:
        name = issuer.rfc4514_string()[:SUBJECT_LENGTH]
        yield hashlib.new(algorithm, issuer.public_bytes()).hexdigest(), name
        for known in view.authorities:
            if known.certificate.subject == issuer:
                yield identify(algorithm, known.certificate)[2].hex(), name


def _subject(der: bytes) -> str:
    try:
        return repr(x509.load_der_x509_certificate(der).subject.rfc4514_string()[:SUBJECT_LENGTH])
    except UNREADABLE:
        return "a subject that cannot be read"
