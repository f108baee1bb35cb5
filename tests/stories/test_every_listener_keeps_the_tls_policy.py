"""All that TLS can be asked for, asked of each kind of listener by OpenSSL's own client: policy is given, no more."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from OpenSSL import SSL
from OpenSSL._util import lib  # the binding's own door to OpenSSL: its client has no call to choose groups

from tests.secproxy.edge.houses import bollard
from tests.stories.listeners import DOORS, SECONDS, SUITES_1_2, SUITES_1_3, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stories.listeners import Doors


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """A home that is up, for all questions of this file."""
    with listening(tmp_path_factory.mktemp("policy")) as found:
        yield found


def agreed(told: str) -> str:
    """The suite that was agreed on, or nothing."""
    found = [line.rpartition("Cipher is ")[2] for line in told.splitlines() if ", Cipher is " in line]
    return "" if not found or found[0] == "(NONE)" or "alert" in told.casefold() else found[0]


def offered(version: str) -> list[str]:
    """Every suite that OpenSSL's client can offer in a version."""
    listed = ["openssl", "ciphers", "-s", f"-{version}", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    text = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.strip()
    return [name for name in text.split(":") if not name.startswith("TLS_")]


@pytest.mark.parametrize("door", sorted(DOORS))
def test_in_tls_1_2_the_policy_s_suites_are_had_one_by_one_and_no_other(doors: Doors, door: str) -> None:
    """A00.FR.318, TC_A_04, TC_086: both kinds of certificate on one listener; of all others of the library, none."""
    others = [name for name in offered("tls1_2") if name not in SUITES_1_2]
    given = [agreed(doors.ask(door, "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0")) for suite in SUITES_1_2]
    beyond = doors.ask(door, "-tls1_2", "-cipher", f"{':'.join(others)}:@SECLEVEL=0")

    assert list(SUITES_1_2) == given
    assert len(others) > 20
    assert agreed(beyond) == ""


@pytest.mark.parametrize("door", sorted(DOORS))
def test_in_tls_1_3_each_suite_of_the_policy_is_had_and_no_other(doors: Doors, door: str) -> None:
    """RFC 8446 B.4: the two with CCM are left out."""
    given = [agreed(doors.ask(door, "-tls1_3", "-ciphersuites", suite)) for suite in SUITES_1_3]
    beyond = doors.ask(door, "-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256")

    assert list(SUITES_1_3) == given
    assert agreed(beyond) == ""


@pytest.mark.parametrize("version", ["tls1", "tls1_1"])
@pytest.mark.parametrize("door", sorted(DOORS))
def test_below_tls_1_2_nothing_is_had(doors: Doors, door: str, version: str) -> None:
    """A00.FR.313, TC_A_06: whatever suite is offered with it; the alert says that it is the version."""
    told = doors.ask(door, f"-{version}", "-cipher", "ALL:@SECLEVEL=0")

    assert agreed(told) == ""
    assert "alert protocol version" in told


@pytest.mark.parametrize("door", sorted(DOORS))
def test_there_is_no_compression_no_ticket_and_no_renegotiation_but_the_safe_answer_to_it(
    doors: Doors, door: str
) -> None:
    """A00.FR.321 and RFC 5746: compression stays off where it is asked for, and a client that wants to shake hands
    again is refused, while the extension that makes others' renegotiation safe is there."""
    told = doors.ask(door, "-tls1_2", "-comp", "-cipher", "DEFAULT:@SECLEVEL=0", say=b"R\n")

    assert "Compression: NONE" in told
    assert "Secure Renegotiation IS supported" in told
    assert "TLS session ticket" not in told
    assert "no renegotiation" in told


@pytest.mark.parametrize("door", sorted(DOORS))
def test_in_tls_1_3_no_ticket_comes_after_the_handshake(doors: Doors, door: str) -> None:
    """Row 10: a resumed session would skip the check of the station's certificate."""
    told = doors.ask(door, "-tls1_3", "-msg", "-ign_eof", say=b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")

    assert "HTTP/1.1 4" in told  # so that whatever comes with the handshake has come by now
    assert "NewSessionTicket" not in told


@pytest.mark.parametrize("door", sorted(DOORS))
def test_no_name_and_a_strange_name_are_answered_like_the_right_one(doors: Doors, door: str) -> None:
    """RFC 6066 3: old stations send no name or an address; an alert would shut them out."""
    without = doors.ask(door, name="")
    strange = doors.ask(door, name="other.example.org")

    assert agreed(without) in SUITES_1_3
    assert agreed(strange) in SUITES_1_3


GROUPS = [
    pytest.param(b"X25519MLKEM768:X25519", "X25519MLKEM768", id="hybrid first"),
    pytest.param(b"X25519:X25519MLKEM768", "X25519MLKEM768", id="hybrid named, another guessed"),
    pytest.param(b"X25519", "x25519", id="X25519"),
    pytest.param(b"P-256", "secp256r1", id="P-256"),
    pytest.param(b"P-384", "secp384r1", id="P-384"),
    pytest.param(b"P-521", "secp521r1", id="P-521"),
    pytest.param(b"ffdhe2048", "", id="a finite field"),
    pytest.param(b"X448", "", id="X448"),
    pytest.param(b"MLKEM768", "", id="ML-KEM alone, nothing classic beside it"),
]


@pytest.mark.parametrize(("groups", "expected"), GROUPS)
@pytest.mark.parametrize("door", sorted(DOORS))
def test_the_hybrid_group_comes_first_and_the_classic_ones_stay(
    doors: Doors, door: str, groups: bytes, expected: str
) -> None:
    """What is recorded today is not to be read later; a station that knows only classic groups comes in as before."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    assert lib.SSL_CTX_set1_curves_list(context._context, groups) == 1
    found = ""
    with socket.create_connection(("127.0.0.1", doors.ports[door]), SECONDS) as raw:
        raw.settimeout(None)
        connection = SSL.Connection(context, raw)
        connection.set_connect_state()
        try:
            connection.do_handshake()
            found = connection.get_group_name() or ""
        except SSL.Error:
            assert expected == ""

    assert expected == found


@pytest.mark.parametrize("kind", ["ECDSA", "RSA"])
@pytest.mark.parametrize("door", sorted(DOORS))
def test_a_client_that_asks_for_our_certificate_s_status_has_it_with_the_handshake(
    doors: Doors, door: str, kind: str
) -> None:
    """RFC 6066 8: a fresh answer about the very certificate, made by the authority, which OpenSSL finds to be good."""
    suite = f"ECDHE-{kind}-AES128-GCM-SHA256"
    deadline = time.monotonic() + SECONDS
    told = ""
    while "OCSP Response Status: successful" not in told:  # signers are made by the authority's first round of duties
        assert time.monotonic() < deadline, told
        told = doors.ask(door, "-status", "-tls1_2", "-cipher", suite)
    shown = doors.ask(door, "-showcerts", "-tls1_2", "-cipher", suite)
    leaf = x509.load_pem_x509_certificate(shown[shown.index("-----BEGIN") :].encode())

    assert "Cert Status: good" in told
    assert f"Serial Number: {leaf.serial_number:X}" in told
    assert suite == agreed(told)


@pytest.mark.parametrize("version", ["tls1", "tls1_1"])
def test_the_listener_for_old_stations_gives_them_their_one_suite_and_nothing_else(doors: Doors, version: str) -> None:
    """A00.FR.312, .319 of OCPP 1.6: RSA with AES-128-CBC and SHA-1, also where the client would take anything."""
    assert agreed(doors.ask("old", f"-{version}", "-cipher", "AES128-SHA:@SECLEVEL=0")) == "AES128-SHA"
    assert agreed(doors.ask("old", f"-{version}", "-cipher", "ALL:@SECLEVEL=0")) == "AES128-SHA"
    assert agreed(doors.ask("old", f"-{version}", "-cipher", "ALL:!AES128-SHA:@SECLEVEL=0")) == ""


@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_the_listener_for_old_stations_serves_no_others(doors: Doors, version: str) -> None:
    """A00.FR.324 of OCPP 1.6: the old suite is had with old TLS alone, and nobody ends up there by mistake."""
    assert agreed(doors.ask("old", f"-{version}", "-cipher", "ALL:@SECLEVEL=0")) == ""


def test_the_listener_for_old_stations_is_on_record_from_the_start(doors: Doors) -> None:
    """Once for all workers, with the stations it is for."""
    told = bollard(doors.home, "-o", "jsonl", "event", "list", "--cause", "tls.legacy").stdout.splitlines()
    [event] = [json.loads(line) for line in told]

    assert event["evidence"] == {"listener": f"127.0.0.1:{doors.ports['old']}", "stations": "CP-001"}
