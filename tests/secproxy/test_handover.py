"""What a CSMS is told: headers of ours alone, whatever a station writes in its own."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from secproxy import handover
from secproxy.head import HeadError, read_request, write_request
from secproxy.upstreams import Preset
from tests.certs import Party
from tests.secproxy import scene

if TYPE_CHECKING:
    from secproxy.admission import Admitted

BY_CERTIFICATE = scene.admitted(scene.station(), shown=scene.certificate())
BY_PASSWORD = scene.admitted(scene.station(verifier=scene.VERIFIER), profile=2)
PARTY: Final = Party.root().issue("SN-CP-001")
DER: Final = PARTY.certificate.public_bytes(Encoding.DER)

OURS = ("Bollard-Station", "Bollard-Serial", "Bollard-Profile", "Bollard-Assertion", "Bollard-Anything")
THEIRS = (
    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Client-Cert", "Forwarded", "X-Real-IP",
    "X-Client-Cert", "X-Client-Cert-CN", "X-SSL-Client-Cert", "Client-Cert", "Client-Cert-Chain", "Via", "Origin",
    "traceparent", "tracestate", "baggage",
)  # fmt: skip
REQUEST = (
    "GET /ocpp/CP-001 HTTP/1.1",
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: ocpp2.0.1",
)
SPOOF = "spoofed-by-the-station"


def test_the_trace_of_an_arrival_is_named_where_there_is_one() -> None:
    """It is ours; whatever a station calls one is among what never passes."""
    plain = handover.headers(Preset.PLAIN, BY_CERTIFICATE, None, b"", "")
    ours = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert handover.headers(Preset.PLAIN, BY_CERTIFICATE, None, b"", "", ours) == [*plain, ("traceparent", ours)]


def asked(admitted: Admitted, preset: Preset = Preset.PLAIN, authorization: str | None = None) -> str:
    """What a CSMS is asked, as text."""
    told = handover.headers(preset, admitted, authorization, DER if admitted.certificate else b"", "an.asser.tion")
    return write_request("csms", "/ocpp/CP-001", "key", ("ocpp2.0.1",), told).decode("latin-1")


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """A header's name as somebody could write it to get it past us: any case, underscores, blanks around it."""
    name = draw(st.sampled_from(OURS + THEIRS))
    cased = "".join(draw(st.sampled_from([char.lower(), char.upper()])) for char in name)
    marked = "".join(draw(st.sampled_from("-_.")) if char == "-" else char for char in cased)
    before, after = (
        draw(st.sampled_from(["", "", " ", "\t", "\0", "X:y\r\n "])),
        draw(st.sampled_from(["", "", " ", "\t"])),
    )
    return f"{before}{marked}{after}"


@given(st.lists(spellings(), min_size=1, max_size=8), st.sampled_from(Preset), st.booleans())
def test_attack_15_no_spelling_of_an_identity_header_arrives(
    names: list[str], preset: Preset, by_certificate: bool
) -> None:
    """Row 15: case, underscores, blanks, duplicates: the head is refused, or nothing of these lines goes on."""
    lines = [*REQUEST, *(f"{name}: {SPOOF}" for name in names)]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    try:
        upgrade = read_request(head, 100)
    except HeadError:
        return
    written = asked(BY_CERTIFICATE if by_certificate else BY_PASSWORD, preset, upgrade.authorization)
    assert SPOOF not in written
    told = [line.split(":")[0].lower().replace("_", "-") for line in written.split("\r\n")[1:] if line]
    assert len(set(told)) == len(told)


def test_the_csms_reads_who_connected_by_names_that_nothing_else_has() -> None:
    """Identity, registered serial, security profile of the connection, where from, and the signed form of it."""
    written = asked(BY_CERTIFICATE)
    for line in (
        "Bollard-Station: CP-001",
        "Bollard-Serial: SN-CP-001",
        "Bollard-Profile: 3",
        "Bollard-Assertion: an.asser.tion",
        "X-Forwarded-For: 192.0.2.7",
        "X-Forwarded-Proto: https",
    ):
        assert f"\r\n{line}\r\n" in written


def test_the_list_of_headers_is_closed() -> None:
    """Whoever adds one changes this test, and thinks about what a CSMS would believe of it."""
    names = re.findall(r"^([A-Za-z-]+):", asked(BY_PASSWORD, Preset.STEVE, "Basic x"), re.MULTILINE)
    assert names == [
        "Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
        "X-Forwarded-For", "X-Forwarded-Proto", "Bollard-Station", "Bollard-Serial", "Bollard-Profile",
        "Bollard-Assertion", "Authorization",
    ]  # fmt: skip


def test_the_password_goes_on_for_password_stations_alone() -> None:
    """On a certificate's connection nobody verified it, so the CSMS must not see it."""
    assert "\r\nAuthorization: Basic x\r\n" in asked(BY_PASSWORD, authorization="Basic x")
    assert "Authorization" not in asked(BY_CERTIFICATE, authorization="Basic x")
    assert "Authorization" not in asked(BY_PASSWORD)


@pytest.mark.parametrize("preset", Preset)
def test_steve_alone_is_given_the_certificate_itself(preset: Preset) -> None:
    """In PEM on one line, escaped; a password station has none."""
    [found] = re.findall(r"^X-Client-Cert: (.*)\r$", asked(BY_CERTIFICATE, preset), re.MULTILINE) or [""]
    assert (unquote(found) == x509.load_der_x509_certificate(DER).public_bytes(Encoding.PEM).decode()) is (
        preset is Preset.STEVE
    )
    assert "X-Client-Cert" not in asked(BY_PASSWORD, preset)
    assert handover.wants_certificate(preset) is (preset is Preset.STEVE)


def test_an_assertion_that_was_not_made_is_no_header() -> None:
    """An empty one would look like a broken one."""
    told = handover.headers(Preset.PLAIN, BY_CERTIFICATE, None, b"", "")
    assert "Bollard-Assertion" not in dict(told)


def test_an_ipv6_address_stands_without_brackets() -> None:
    """As X-Forwarded-For has it by custom."""
    told = dict(handover.headers(Preset.PLAIN, replace(BY_CERTIFICATE, remote="[2001:db8::7]:4"), None, b"", ""))
    assert told["X-Forwarded-For"] == "2001:db8::7"
