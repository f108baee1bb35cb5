"""What a CSMS is told of a station: headers that only we write, and those its preset asks for.

Rules this file keeps:

* The list here is all there is; nothing of the station's own request is among it but the password that we verified.
* Every value is ours or from the register, and none can hold a line break: identity and serial are of printable ASCII.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from secproxy.upstreams import Preset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secproxy.admission import Admitted

STATION: Final = "Bollard-Station"  # the identity
SERIAL: Final = "Bollard-Serial"  # the serial number in the register
PROFILE: Final = "Bollard-Profile"  # the security profile of this connection
ASSERTION: Final = "Bollard-Assertion"  # the same, signed (``assertion``)
TRACE: Final = "traceparent"  # the trace that this connection belongs to (W3C Trace Context), where there is one
CERTIFICATE_HEADERS: Final[Mapping[Preset, str]] = {Preset.STEVE: "X-Client-Cert"}
"""Under which name a preset's CSMS reads the station's certificate; SteVe is told the name in its own settings."""


def headers(
    preset: Preset, admitted: Admitted, authorization: str | None, certificate: bytes, assertion: str, trace: str = ""
) -> list[tuple[str, str]]:
    """Write the headers. ``authorization`` is the station's own, ``certificate`` its DER, empty without any;
    ``assertion``, and ``trace``, our own, may be empty."""
    station = admitted.station
    written = [
        ("X-Forwarded-For", admitted.remote.rpartition(":")[0].strip("[]")),
        ("X-Forwarded-Proto", "http" if admitted.profile == 1 else "https"),
        (STATION, station.identity.text),
        (SERIAL, station.serial.text),
        (PROFILE, f"{admitted.profile:d}"),
    ]
    if assertion:
        written.append((ASSERTION, assertion))
    if trace:
        written.append((TRACE, trace))
    if certificate and preset in CERTIFICATE_HEADERS:
        written.append((CERTIFICATE_HEADERS[preset], _escaped_pem(certificate)))
    if admitted.certificate is None and authorization is not None:
        written.append(("Authorization", authorization))  # verified by us; a CSMS that checks it too still can
    return written


def wants_certificate(preset: Preset) -> bool:
    """Whether the CSMS is to be given the station's certificate itself."""
    return preset in CERTIFICATE_HEADERS


def _escaped_pem(der: bytes) -> str:
    """PEM on one line, escaped as in a URL; what nginx calls ``ssl_client_escaped_cert``."""
    return quote(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode("ascii"), safe="")
