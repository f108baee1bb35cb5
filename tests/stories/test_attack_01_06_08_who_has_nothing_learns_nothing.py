"""Whoever has nothing to show, or too little, is turned away before the CSMS sees anything, and learns nothing."""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from OpenSSL import SSL
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.headers import build_authorization_basic

from pki import password
from pki.station import StationStatus
from tests.secproxy.edge.doors import STATIONS, UPGRADE, Door, csms, door, known, registered, station, trusting

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "Kp7tqZ3wYx9RmBc4NsVd"
VERIFIER = password.remember(SECRET, b"s" * 16, generated=True)
PARTY = STATIONS.issue("SN-1")


@pytest.mark.parametrize("profile", [1, 2, 3])
def test_attack_01_a_known_identity_without_credentials_opens_nothing(tmp_path: Path, profile: int) -> None:
    """Row 1, CWE-306: 401 where a password is due, an alert where a certificate is; one event that names the peer."""

    async def story() -> None:
        view = known(registered(profile=profile, verifier=VERIFIER))
        async with csms() as backend, door(tmp_path, view, backend.port, profile=profile) as at:
            if profile == 3:
                with pytest.raises((OSError, InvalidHandshake)):  # TLS 1.3 tells a client after it spoke
                    await station(tmp_path, at)
            else:
                secure = trusting(tmp_path) if profile == 2 else None
                reader, writer = await asyncio.open_connection("localhost", at.port, ssl=secure, family=2)
                writer.write(UPGRADE)
                assert (await reader.readline()).split(b" ")[1] == b"401"
                writer.close()
            note = await at.around.notes.get()
            assert note.cause == ("cert.missing" if profile == 3 else "auth.missing")
            assert note.remote.startswith("127.0.0.1:")
            assert backend.requests == []

    asyncio.run(story())


async def answer(folder: Path, at: Door, identity: str, secret: str) -> bytes:
    """Ask with a password, and return every byte of the answer but the seconds of a wait."""
    reader, writer = await asyncio.open_connection("localhost", at.port, ssl=trusting(folder), family=2)
    said = UPGRADE.replace(b"CP-001", identity.encode())
    word = build_authorization_basic(identity, secret).encode()
    writer.write(said[:-2] + b"Authorization: " + word + b"\r\n\r\n")
    told = await reader.read()
    writer.close()
    return re.sub(rb"Retry-After: \d+", b"Retry-After: N", told)  # seconds go by between one answer and the next


def test_attack_06_every_refused_name_gets_the_same_bytes_at_the_same_time(tmp_path: Path) -> None:
    """Row 6: unknown, wrong, disabled, of a higher profile, without a password; before a lock and in it. None is told
    earlier than the others: each waits for the same moment."""
    names = ("CP-001", "CP-002", "CP-003", "CP-004", "CP-404")

    async def story() -> None:
        view = known(
            registered(profile=2, verifier=VERIFIER),
            replace(registered("CP-002", "SN-2", 2, VERIFIER), status=StationStatus.DISABLED),
            registered("CP-003", "SN-3", 3, VERIFIER),
            registered("CP-004", "SN-4", 2),
        )
        async with csms() as backend, door(tmp_path, view, backend.port, profile=2) as at:
            for expected in (b"401", b"429"):
                secrets = ["wrong" if name == "CP-001" else SECRET for name in names]
                told = await asyncio.gather(*(answer(tmp_path, at, *each) for each in zip(names, secrets, strict=True)))
                assert {each.split(b" ")[1] for each in told} == {expected}
                assert len(set(told)) == 1
                for name in names:
                    for _ in range(5):
                        await at.claims.attempt(name, "127.0.0.1")
            assert backend.requests == []

    asyncio.run(story())


@pytest.mark.parametrize(
    ("version", "suites", "cause"),
    [
        pytest.param(SSL.TLS1_1_VERSION, b"ALL:@SECLEVEL=0", "tls.version", id="TLS 1.1"),
        pytest.param(SSL.TLS1_VERSION, b"ALL:@SECLEVEL=0", "tls.version", id="TLS 1.0"),
        pytest.param(SSL.TLS1_2_VERSION, b"AES128-SHA:@SECLEVEL=0", "tls.cipher", id="a suite that OCPP does not name"),
    ],
)
@pytest.mark.parametrize("profile", [2, 3])
def test_attack_08_less_than_tls_1_2_or_another_suite_is_refused(
    tmp_path: Path, profile: int, version: int, suites: bytes, cause: str
) -> None:
    """Row 8: A00.FR.314, .318, with one event; the CSMS hears nothing."""

    def client() -> SSL.Context:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        context.set_cipher_list(suites)
        return context

    def shake(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), 10) as sock:
            connection = SSL.Connection(client(), sock)
            connection.set_connect_state()
            sock.settimeout(None)
            connection.do_handshake()

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, profile=profile) as at:
            with pytest.raises(SSL.Error):
                await asyncio.to_thread(shake, at.port)
            assert await at.around.causes(1) == [cause]
            assert backend.requests == []

    asyncio.run(story())


def test_attack_09_a_certificate_does_not_help_on_a_lower_listener(tmp_path: Path) -> None:
    """Row 9: a station of profile 3 that comes to the listener for passwords is refused, whatever it shows there."""

    async def story() -> None:
        async with csms() as backend:
            view = known(registered(profile=3, verifier=VERIFIER))
            async with door(tmp_path, view, backend.port, profile=2) as at:
                headers = {"Authorization": build_authorization_basic("CP-001", SECRET)}
                with pytest.raises(InvalidStatus) as refused:
                    await station(tmp_path, at, PARTY, headers=headers)
                assert refused.value.response.status_code == 401
                assert await at.around.causes(1) == ["profile.too_low"]
                assert backend.requests == []

    asyncio.run(story())
