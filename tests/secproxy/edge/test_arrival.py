"""How stations come in, through a real door: admitted ones reach the CSMS, all others leave one event and no trace."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.headers import build_authorization_basic

from pki import password
from pki.chain import key_id
from pki.station import StationStatus
from secproxy.claims import REPLACED_AT_ONCE
from secproxy.config import Limits, NoSubprotocol, Unknown
from secproxy.edge.turns import Turns
from tests.certs import Party
from tests.secproxy.edge.doors import (
    NO_UPSTREAM,
    STATIONS,
    UPGRADE,
    Door,
    csms,
    door,
    known,
    raw_station,
    registered,
    station,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PARTY = STATIONS.issue("SN-1")
SECRET = "Kp7tqZ3wYx9RmBc4NsVd"
VERIFIER = password.remember(SECRET, b"s" * 16, generated=True)


def test_an_admitted_station_reaches_the_csms_on_its_own_path_and_subprotocol(tmp_path: Path) -> None:
    """The CSMS sees one socket, the same path and subprotocol, and no header of the station's making."""

    async def story() -> None:
        spoof = {"X-Forwarded-For": "203.0.113.9", "X-Client-Cert": "me", "X-Station-Identity": "CP-999"}
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            async with station(tmp_path, at, PARTY, headers=spoof) as socket:
                await socket.send('[2,"1","Heartbeat",{}]')
                assert await backend.heard.get() == '[2,"1","Heartbeat",{}]'
                assert socket.subprotocol == "ocpp2.0.1"
            assert await backend.closed.get() == 1000
        [(path, headers)] = backend.requests
        assert path == "/ocpp/CP-001"
        assert headers["X-Forwarded-For"] == "127.0.0.1"
        assert {"X-Client-Cert", "X-Station-Identity", "Origin"}.isdisjoint(headers)

    asyncio.run(story())


def test_the_csms_chooses_among_the_subprotocols_the_station_offers(tmp_path: Path) -> None:
    """A CSMS that speaks 1.6 only gets a station that offers both, as it would without a proxy."""

    async def story() -> None:
        async with (
            csms("ocpp1.6") as backend,
            door(tmp_path, known(registered()), backend.port) as at,
            station(tmp_path, at, PARTY) as socket,
        ):
            assert socket.subprotocol == "ocpp1.6"

    asyncio.run(story())


SILENT = UPGRADE.replace(b"Sec-WebSocket-Protocol: ocpp1.6\r\n", b"")


def test_a_station_that_names_no_version_speaks_1_6_where_its_listener_says_so(tmp_path: Path) -> None:
    """The CSMS is asked for OCPP 1.6; the station is told of no choice, for it offered none (RFC 6455 4.2.2)."""

    async def story() -> None:
        view = known(registered())
        async with csms() as backend, door(tmp_path, view, backend.port, silent=NoSubprotocol.OCPP_16) as at:
            reader, writer = await raw_station(tmp_path, at, PARTY)
            writer.write(SILENT)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 101 ")
            assert b"Sec-WebSocket-Protocol" not in answer
            assert (await backend.sockets.get()).subprotocol == "ocpp1.6"
            [opened] = at.around.opened
            assert (opened.evidence["subprotocol"], opened.evidence["assumed"]) == ("ocpp1.6", True)
            writer.close()

    asyncio.run(story())


def test_a_stranger_that_names_no_version_waits_in_it_too(tmp_path: Path) -> None:
    """In quarantine as with a CSMS."""

    async def story() -> None:
        how = {"unknown": Unknown.QUARANTINE, "silent": NoSubprotocol.OCPP_16, "profile": 2}
        async with door(tmp_path, known(), **how) as at:  # type: ignore[arg-type]  # each of its own type
            reader, writer = await raw_station(tmp_path, at, PARTY)
            secret = build_authorization_basic("CP-001", "x" * 16).encode()
            writer.write(SILENT[:-2] + b"Authorization: " + secret + b"\r\n\r\n")
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 101 ")
            assert b"Sec-WebSocket-Protocol" not in answer
            writer.close()

    asyncio.run(story())


def test_what_another_ca_of_ours_signed_opens_nothing_below_an_anchor(tmp_path: Path) -> None:
    """A real chain: an operator's certificate with a station's serial for a name, its CA below what is trusted."""
    operators = STATIONS.issue("Operator CA", ca=True)
    operator = operators.issue("SN-1")

    async def story() -> None:
        view = known(registered())
        async with csms() as backend, door(tmp_path, view, backend.port) as at:
            async with station(tmp_path, at, operator, above=(operators,)):
                await backend.sockets.get()
            at.view.own_keys = frozenset({key_id(operators.certificate)})
            with pytest.raises(InvalidStatus):
                await station(tmp_path, at, operator, above=(operators,))
            assert await at.around.causes(1) == ["cert.invalid"]

    asyncio.run(story())


NOBODY = STATIONS.issue("SN-404")
NO_TEXT = STATIONS.issue_bits("SN-1")


@pytest.mark.parametrize(
    ("party", "identity", "subprotocol", "status", "cause"),
    [
        pytest.param(PARTY, "CP-002", "ocpp1.6", 403, "cert.other_station", id="attack 02, another's identity"),
        pytest.param(NOBODY, "CP-404", "ocpp1.6", 403, "station.unknown", id="an identity nobody registered"),
        pytest.param(NO_TEXT, "CP-001", "ocpp1.6", 403, "cert.invalid", id="a common name that is no text"),
        pytest.param(PARTY, "CP-001", "ocpp0.1", 400, "subprotocol.none", id="TC_B_58, no common subprotocol"),
        pytest.param(PARTY, "..%2fCP-001", "ocpp1.6", 400, "http.bad_request", id="attack 16, a path as identity"),
    ],
)
def test_a_refused_station_leaves_one_event_and_the_csms_sees_nothing(
    tmp_path: Path, party: Party, identity: str, subprotocol: str, status: int, cause: str
) -> None:
    """Each refusal is one event with its cause; the CSMS is not even dialled."""

    async def story() -> None:
        view = known(registered(), registered("CP-002", "SN-2"))
        async with csms() as backend, door(tmp_path, view, backend.port) as at:
            with pytest.raises(InvalidStatus) as refused:
                await station(tmp_path, at, party, identity=identity, subprotocols=(subprotocol,))
            assert await at.around.causes(1) == [cause]
            assert refused.value.response.status_code == status
            assert backend.requests == []

    asyncio.run(story())


def test_a_stranger_s_certificate_that_only_openssl_can_read_leaves_one_event(tmp_path: Path) -> None:
    """Refused in the handshake, by an authority nobody knows; the door stays open for the next."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            with pytest.raises((OSError, InvalidHandshake)):  # TLS 1.3 tells a client after it spoke
                await station(tmp_path, at, Party.root("Other Root").issue_bits("SN-1"))
            assert await at.around.causes(1) == ["cert.unknown_ca"]
            async with station(tmp_path, at, PARTY) as socket:
                assert socket.subprotocol == "ocpp2.0.1"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("identity", "secret", "status"),
    [("CP-001", SECRET, 101), ("CP-001", SECRET.encode().hex(), 101), ("CP-001", "wrong", 401), ("CP-404", "x", 401)],
)
def test_tc_a_01_a_password_station_is_let_in_by_its_password_alone(
    tmp_path: Path, identity: str, secret: str, status: int
) -> None:
    """TC_A_01, TC_A_03: right passwords in text or hex come in; wrong and unknown look alike from outside."""

    async def story() -> None:
        view = known(registered(profile=2, verifier=VERIFIER))
        headers = {"Authorization": build_authorization_basic(identity, secret)}
        async with csms() as backend, door(tmp_path, view, backend.port, profile=2) as at:
            if status == 101:
                async with station(tmp_path, at, identity=identity, headers=headers) as socket:
                    assert socket.subprotocol == "ocpp2.0.1"
                assert backend.requests[0][1]["Authorization"] == headers["Authorization"]
                return
            with pytest.raises(InvalidStatus) as refused:
                await station(tmp_path, at, identity=identity, headers=headers)
            response = refused.value.response
            assert (response.status_code, response.body) == (401, b"Unauthorized")
            assert response.headers["WWW-Authenticate"].startswith("Basic")
            assert len(await at.around.causes(1)) == 1

    asyncio.run(story())


def test_attack_07_guesses_are_stopped_and_nobody_learns_which_stations_exist(tmp_path: Path) -> None:
    """Row 7: a handful of 401, then 429 with a time to come back, alike for a known, a disabled and an unknown name;
    one event for each lock. A right password is of no use meanwhile; another name from there still is."""

    async def status_of(at: Door, identity: str, secret: str) -> tuple[int, str | None]:
        headers = {"Authorization": build_authorization_basic(identity, secret)}
        with pytest.raises(InvalidStatus) as refused:
            await station(tmp_path, at, identity=identity, headers=headers)
        response = refused.value.response
        return response.status_code, response.headers.get("Retry-After")

    async def story() -> None:
        off = replace(registered("CP-003", "SN-3", profile=2, verifier=VERIFIER), status=StationStatus.DISABLED)
        other = registered("CP-004", "SN-4", profile=2, verifier=VERIFIER)
        view = known(registered(profile=2, verifier=VERIFIER), off, other)
        async with csms() as backend, door(tmp_path, view, backend.port, profile=2) as at:
            for name in ("CP-001", "CP-003", "CP-404"):
                guesses = [status_of(at, name, f"wrong-{number}") for number in range(5)]
                assert await asyncio.gather(*guesses) == [(401, None)] * 5
                assert [await status_of(at, name, SECRET) for _ in range(2)] == [(429, "60")] * 2
            causes = await at.around.causes(18)
            assert causes.count("auth.locked") == 3
            assert backend.requests == []
            headers = {"Authorization": build_authorization_basic("CP-004", SECRET)}
            async with station(tmp_path, at, identity="CP-004", headers=headers) as socket:
                assert socket.subprotocol == "ocpp2.0.1"

    asyncio.run(story())


def test_attack_07_holders_of_certificates_are_never_stopped_by_guesses(tmp_path: Path) -> None:
    """Whatever was guessed at a station's name from its own network, its certificate is not asked to wait."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            for _ in range(10):
                await at.claims.attempt("CP-001", "127.0.0.1")
            async with station(tmp_path, at, PARTY) as socket:
                assert socket.subprotocol == "ocpp2.0.1"

    asyncio.run(story())


def test_while_a_password_follows_another_both_open_the_door_and_the_new_one_is_told(tmp_path: Path) -> None:
    """A01 with real sockets: the former counts until the new one was seen; a third is refused."""
    newer = password.generate(bytes(range(64)))
    after = password.remember(newer, b"n" * 16, generated=True)

    async def story() -> None:
        rotating = replace(registered(profile=2, verifier=VERIFIER), next_verifier=after)
        async with csms() as backend, door(tmp_path, known(rotating), backend.port, profile=2) as at:
            for secret, settled in ((SECRET, 0), (newer, 1)):
                headers = {"Authorization": build_authorization_basic("CP-001", secret)}
                async with station(tmp_path, at, headers=headers) as socket:
                    assert socket.subprotocol == "ocpp2.0.1"
                await backend.closed.get()
                assert len(at.around.settled) == settled
            headers = {"Authorization": build_authorization_basic("CP-001", "neither")}
            with pytest.raises(InvalidStatus):
                await station(tmp_path, at, headers=headers)
            assert await at.around.causes(1) == ["auth.wrong_password"]

    asyncio.run(story())


def test_a_csms_that_is_away_is_said_so_with_a_time_to_come_back(tmp_path: Path) -> None:
    """503 and Retry-After; the claim is given back, so the next try is not a duplicate. The URL is said down once."""

    async def story() -> None:
        async with door(tmp_path, known(registered()), NO_UPSTREAM) as at:
            for _ in range(2):
                with pytest.raises(InvalidStatus) as refused:
                    await station(tmp_path, at, PARTY)
                assert refused.value.response.status_code == 503
                assert refused.value.response.headers["Retry-After"] == "10"
            assert await at.around.causes(3) == ["upstream.down", *["upstream.unreachable"] * 2]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("said", "status"),
    [
        pytest.param(UPGRADE.replace(b"GET", b"PUT"), b"400", id="not GET"),
        pytest.param(UPGRADE + b"\x81\x80\0\0\0\0", b"400", id="test_attack_14 frames before the 101"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"x" * 9_000, b"431", id="test_attack_13 a giant head"),
        pytest.param(
            UPGRADE[:-2] + b"X: " + b"x" * 10_000 + b"\r\n\r\n", b"431", id="test_attack_13 a giant line, at once"
        ),
        pytest.param(UPGRADE[:-2] + b"X: yyyy\r\n" * 95 * 9 + b"\r\n", b"431", id="test_attack_13 too much, at once"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"408", id="test_attack_13 a head that never ends"),
    ],
)
def test_attack_13_a_bad_request_is_answered_recorded_once_and_ended(
    tmp_path: Path, said: bytes, status: bytes
) -> None:
    """Rows 13 and 14: the head is bounded in size and time and read in one way only."""

    async def story() -> None:
        limits = Limits(head_seconds=0.3)
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, limits=limits) as at:
            reader, writer = await raw_station(tmp_path, at, PARTY)
            writer.write(said)
            answer = await reader.read()
            assert answer.split(b" ")[1] == status
            assert await at.around.causes(1) == ["http.bad_request"]
            writer.close()

    asyncio.run(story())


def test_attack_12_a_silent_socket_is_shown_out(tmp_path: Path) -> None:
    """Row 12: a connection that never shakes hands is ended in time, and others get in meanwhile."""

    async def story() -> None:
        limits = Limits(handshake_seconds=0.3)
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, limits=limits) as at:
            reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
            async with station(tmp_path, at, PARTY):
                assert await reader.read() == b""
            assert await at.around.causes(1) == ["tls.failed"]
            writer.close()

    asyncio.run(story())


def test_attack_03_a_live_station_is_not_kicked_out_by_a_second_connection(tmp_path: Path) -> None:
    """Row 3: with the same certificate the old leg is asked first, and while it answers the newcomer waits outside."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port) as at,
            station(tmp_path, at, PARTY) as old,
        ):
            with pytest.raises(InvalidStatus) as refused:
                await station(tmp_path, at, PARTY)
            assert refused.value.response.status_code == 503
            assert await at.around.causes(1) == ["session.duplicate"]
            await old.send('[2,"1","Heartbeat",{}]')
            assert await backend.heard.get() == '[2,"1","Heartbeat",{}]'

    asyncio.run(story())


def test_attack_04_a_dead_leg_gives_way_to_its_own_station(tmp_path: Path) -> None:
    """Rows 3 and 4: a leg that does not answer a ping is replaced, and the CSMS has one socket at the end."""

    async def story() -> None:
        limits = Limits(probe_seconds=0.2)
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, limits=limits) as at:
            reader, writer = await raw_station(tmp_path, at, PARTY)
            writer.write(UPGRADE)
            assert b"101" in await reader.readline()
            async with station(tmp_path, at, PARTY) as new:
                assert await backend.closed.get() == 1001
                await new.send('[2,"1","Heartbeat",{}]')
                assert await backend.heard.get() == '[2,"1","Heartbeat",{}]'
            writer.close()

    asyncio.run(story())


def test_a_station_whose_end_is_known_comes_back_before_the_end_has_had_its_turn(tmp_path: Path) -> None:
    """After a failure of the mobile network thousands end first; who comes back meanwhile replaces nobody."""

    async def story(patch: pytest.MonkeyPatch) -> None:
        ends: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
        patch.setattr(Turns, "call", lambda _, end: ends.put_nowait(end))
        limits = Limits(probe_seconds=3600)
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, limits=limits) as at:
            for _ in range(2 * REPLACED_AT_ONCE):
                reader, writer = await raw_station(tmp_path, at, PARTY)
                writer.write(UPGRADE)
                assert b"101" in await reader.readline()
                writer.transport.abort()
                end = await ends.get()
                async with station(tmp_path, at, PARTY) as again:
                    assert await backend.closed.get() == 1001
                    end()
                    await again.send('[2,"1","Heartbeat",{}]')
                    assert await backend.heard.get() == '[2,"1","Heartbeat",{}]'
                await backend.closed.get()
            assert at.around.notes.empty()

    with pytest.MonkeyPatch.context() as patch:
        asyncio.run(story(patch))


def test_a_station_that_comes_in_leaves_one_event_with_what_its_handshake_agreed_on(tmp_path: Path) -> None:
    """Row 8: version, suite and group of every session are on record, so that one that comes with less is found."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port) as at,
            station(tmp_path, at, PARTY),
        ):
            [note] = at.around.opened
            assert (note.cause, note.station) == ("session.opened", "CP-001")
            assert note.evidence == {
                "subprotocol": "ocpp2.0.1",
                "listener_profile": 3,
                "tls": "TLSv1.3",
                "suite": "TLS_AES_128_GCM_SHA256",
                "group": "x25519",
            }

    asyncio.run(story())


def test_attack_05_two_devices_with_one_certificate_do_not_take_turns_for_ever(tmp_path: Path) -> None:
    """Row 5: neither answers a ping, so each takes the other's place; then whoever is there stays, with one event."""

    async def knock(at: Door) -> tuple[bytes, asyncio.StreamWriter]:
        reader, writer = await raw_station(tmp_path, at, PARTY)
        writer.write(UPGRADE)
        return (await reader.readline()).split(b" ")[1], writer

    async def story() -> None:
        limits = Limits(probe_seconds=0.05)
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, limits=limits) as at:
            knocks = [await knock(at) for _ in range(9)]
            assert [status for status, _ in knocks] == [b"101"] * 6 + [b"503"] * 3
            expected = ["session.replaced"] * 5 + ["session.flapping"] + ["session.duplicate"] * 2
            assert await at.around.causes(8) == expected
            assert len(backend.requests) == 6
            for _, writer in knocks:
                writer.close()

    asyncio.run(story())


def test_attack_03_the_event_of_another_credential_names_both(tmp_path: Path) -> None:
    """Two certificates for one serial number: the event says which is connected and which was refused."""
    second = STATIONS.issue("SN-1")

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port) as at,
            station(tmp_path, at, PARTY),
        ):
            with pytest.raises(InvalidStatus):
                await station(tmp_path, at, second)
            note = await at.around.notes.get()
            assert note.cause == "session.duplicate"
            prints = {"connected": PARTY, "refused": second}
            for name, party in prints.items():
                assert note.evidence[name] == party.certificate.fingerprint(hashes.SHA256())[:8].hex()

    asyncio.run(story())
