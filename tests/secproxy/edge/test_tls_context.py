"""What a listener agrees to, asked by clients of another TLS library."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.ocsp import OCSPResponseBuilder, OCSPResponseStatus
from msgspec.structs import replace
from OpenSSL import SSL, crypto

from pki.edge.calls import NamedCredentials
from secproxy.edge.tls_context import server_context
from secproxy.edge.tls_failure import HandshakeError
from tests.secproxy.edge.legs import (
    CREDENTIALS,
    ROOT,
    SERVER_EC,
    SERVER_RSA,
    STATION,
    STATIONS,
    client_context,
    connect,
    der,
    meet,
)

if TYPE_CHECKING:
    from pathlib import Path

    from secproxy.edge.tls import TlsLeg
    from tests.certs import Party


@pytest.mark.parametrize(
    "suite",
    ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "AES128-GCM-SHA256", "AES256-GCM-SHA384"],
)
def test_tc_a_04_all_four_mandatory_suites_are_served_on_one_listener(tmp_path: Path, suite: str) -> None:
    """TC_A_04 and TC_086: an ECDSA and an RSA certificate wait for whoever can use only one of them (A00.FR.318)."""
    context = client_context(tmp_path, STATION)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite)
    used: list[str] = []

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        used.append(leg.cipher)
        await leg.farewell(b"x")

    asyncio.run(meet(serve, connect(context, b"", [])))

    assert [suite] == used


def test_a_session_is_never_resumed(tmp_path: Path) -> None:
    """Resumption would skip the certificate's check, so a second connection shakes hands in full."""
    context = client_context(tmp_path, STATION)
    session: list[ssl.SSLSession | None] = [None]
    reused: list[bool] = []

    def visit(port: int) -> None:
        with (
            socket.create_connection(("127.0.0.1", port), 10) as raw,
            context.wrap_socket(raw, server_hostname="localhost", session=session[0]) as tls,
        ):
            tls.recv(1)
            session[0] = tls.session
            reused.append(bool(tls.session_reused))

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        await leg.farewell(b"x")

    for _ in range(2):
        asyncio.run(meet(serve, visit))

    assert reused == [False, False]


def test_credentials_never_show_their_keys() -> None:
    """A log line with the credentials in it gives nothing away."""
    assert "PRIVATE" not in repr(CREDENTIALS)
    assert crypto.load_privatekey(crypto.FILETYPE_PEM, CREDENTIALS.rsa_key.encode()).bits() == 2048


OTHER_HOST = ROOT.issue("other.example.org", dns="other.example.org")
NAMED = replace(CREDENTIALS, named=(NamedCredentials("other.example.org", OTHER_HOST.pem, OTHER_HOST.key_pem),))
ANSWERS = {
    der(party.certificate): OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
    for party, status in zip((SERVER_EC, SERVER_RSA, OTHER_HOST), list(OCSPResponseStatus)[1:4], strict=True)
}
"""One for each certificate, to be told from each other; OpenSSL sends on nothing that it cannot read."""
OUR_TERMS = server_context(NAMED, [STATIONS.certificate], mutual=True, staple=ANSWERS.__getitem__)


@pytest.mark.parametrize(
    ("asked", "presented"),
    [
        pytest.param("other.example.org", OTHER_HOST, id="a host that has one"),
        pytest.param("OTHER.example.ORG", OTHER_HOST, id="capitals"),
        pytest.param("localhost", SERVER_EC, id="the host of the certificate for everybody"),
        pytest.param("third.example.org", SERVER_EC, id="a host that nobody knows"),
        pytest.param("a" * 60 + "." + "b" * 60 + "." + "c" * 60, SERVER_EC, id="a long name"),
        pytest.param("127.0.0.1", SERVER_EC, id="an address, so no name is sent"),
        pytest.param(None, SERVER_EC, id="no name"),
    ],
)
def test_the_certificate_for_the_host_asked_for_is_presented_and_else_the_one_for_everybody(
    tmp_path: Path, asked: str | None, presented: Party
) -> None:
    """RFC 6066 3: a name is a wish. It never ends a handshake, and it never spares a station its own certificate."""
    context = client_context(tmp_path, STATION)
    context.check_hostname = False
    seen: list[bytes | None] = []

    def visit(port: int) -> None:
        with (
            socket.create_connection(("127.0.0.1", port), 10) as raw,
            context.wrap_socket(raw, server_hostname=asked) as tls,
        ):
            seen.append(tls.getpeercert(binary_form=True))

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        assert leg.leaf() == der(STATION.certificate)
        await leg.farewell(b"x")

    asyncio.run(meet(serve, visit, context=OUR_TERMS))

    assert seen == [der(presented.certificate)]


def test_a_named_certificate_demands_the_station_s_own_like_any_other(tmp_path: Path) -> None:
    """A00.FR.401: no name is a way around it."""
    context = client_context(tmp_path, None)
    context.check_hostname = False

    def visit(port: int) -> None:
        with (
            socket.create_connection(("127.0.0.1", port), 10) as raw,
            suppress(ssl.SSLError),
            context.wrap_socket(raw, server_hostname="other.example.org") as tls,
        ):
            tls.recv(1)

    async def serve(leg: TlsLeg) -> None:
        with pytest.raises(HandshakeError) as refused:
            await leg.handshake()
        assert refused.value.cause == "cert.missing"
        await leg.farewell(b"")

    asyncio.run(meet(serve, visit, context=OUR_TERMS))


@pytest.mark.parametrize(
    ("asked", "suite", "presented"),
    [
        pytest.param("localhost", "ECDHE-ECDSA-AES128-GCM-SHA256", SERVER_EC, id="ECDSA"),
        pytest.param("localhost", "AES128-GCM-SHA256", SERVER_RSA, id="RSA"),
        pytest.param("other.example.org", "ECDHE-ECDSA-AES128-GCM-SHA256", OTHER_HOST, id="another host"),
    ],
)
def test_the_status_that_goes_along_is_that_of_the_very_certificate_presented(
    asked: str, suite: str, presented: Party
) -> None:
    """RFC 6066 8: a client that knows one kind of certificate has no use for an answer about the other."""
    heard: list[bytes] = []

    def hear(_: SSL.Connection, answer: bytes, __: object) -> bool:
        heard.append(answer)
        return True

    def visit(port: int) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(suite.encode())
        context.set_ocsp_client_callback(hear)
        context.use_certificate(STATION.certificate)
        context.use_privatekey(STATION.key)
        with socket.create_connection(("127.0.0.1", port)) as raw:
            connection = SSL.Connection(context, raw)
            connection.set_tlsext_host_name(asked.encode())
            connection.request_ocsp()
            connection.set_connect_state()
            connection.do_handshake()

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        await leg.farewell(b"x")

    asyncio.run(meet(serve, visit, context=OUR_TERMS))

    assert heard == [ANSWERS[der(presented.certificate)]]


OLD_TERMS = server_context(NAMED, [STATIONS.certificate], mutual=True, legacy=True)
OLD = [SSL.TLS1_VERSION, SSL.TLS1_1_VERSION]


def shake(context: SSL.Context, version: int, suites: bytes) -> str:
    """Let an old station shake hands with this context; what was agreed on, or why nothing was."""
    heard: list[str] = []

    def visit(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as raw:
            connection = SSL.Connection(client, raw)
            connection.set_connect_state()
            with suppress(SSL.Error):
                connection.do_handshake()

    async def serve(leg: TlsLeg) -> None:
        try:
            await leg.handshake()
            heard.append(f"{leg.version} {leg.cipher}")
        except HandshakeError as failure:
            heard.append(failure.cause)
        await leg.farewell(b"")

    client = SSL.Context(SSL.TLS_CLIENT_METHOD)
    client.set_min_proto_version(version)
    client.set_max_proto_version(version)
    client.set_cipher_list(suites + b":@SECLEVEL=0")
    client.use_certificate(STATION.certificate)
    client.use_privatekey(STATION.key)
    asyncio.run(meet(serve, visit, context=context))
    return heard[0]


@pytest.mark.parametrize("version", OLD)
def test_a_context_of_old_tls_takes_the_old_suite_and_no_other(version: int) -> None:
    """A00.FR.319 of OCPP 1.6 names one suite for old stations; what else the library could do stays off."""
    name = {SSL.TLS1_VERSION: "TLSv1", SSL.TLS1_1_VERSION: "TLSv1.1"}[version]

    assert shake(OLD_TERMS, version, b"AES128-SHA") == f"{name} AES128-SHA"
    assert shake(OLD_TERMS, version, b"ALL:!AES128-SHA") == "tls.cipher"


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_a_context_of_old_tls_takes_nothing_newer(version: int) -> None:
    """A00.FR.324 of OCPP 1.6: the old suite only with old TLS; who can do better has a listener for that."""
    assert shake(OLD_TERMS, version, b"AES128-SHA:AES128-GCM-SHA256") in {"tls.version", "tls.failed"}


@pytest.mark.parametrize("version", OLD)
def test_no_other_context_takes_old_tls_because_one_does(version: int) -> None:
    """Both live in one process, and the one changes nothing for the other."""
    assert shake(OUR_TERMS, version, b"AES128-SHA") == "tls.version"
    assert shake(OUR_TERMS, SSL.TLS1_2_VERSION, b"AES128-SHA") == "tls.cipher"
