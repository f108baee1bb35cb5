"""Strangers in quarantine, through a real door: answered by us, seen by no CSMS, few, and not for ever."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.headers import build_authorization_basic

from pki import password
from secproxy.config import Limits, Unknown
from secproxy.frames import SERVICE_RESTART, TRY_AGAIN
from tests.certs import DAY, NOW, Party
from tests.secproxy.edge.doors import STATIONS, Door, csms, door, known, raw_station, registered, station

if TYPE_CHECKING:
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection

STRANGER = STATIONS.issue("SN-900")
OTHER = STATIONS.issue("SN-901")
BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "One", "serialNumber": "SN-900"}}


def ended(above: Party, name: str = "SN-1", *, ca: bool = False) -> Party:
    """A certificate that has ended yesterday."""
    return above.issue(name, ca=ca, start=NOW - 9 * DAY, end=NOW - DAY)


async def call(socket: ClientConnection, action: str, payload: object = None) -> list[object]:
    """Ask and return the answer."""
    await socket.send(json.dumps([2, "1", action, payload or {}]))
    answer: list[object] = json.loads(await socket.recv())
    return answer


def test_a_stranger_in_quarantine_is_pending_and_the_csms_hears_nothing(tmp_path: Path) -> None:
    """B02 from both sides: the station is answered, the event names the command, the CSMS is not even dialled."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port, unknown=Unknown.QUARANTINE) as at,
            station(tmp_path, at, STRANGER, identity="CP-900") as socket,
        ):
            [kind, _, answer] = await call(socket, "BootNotification", BOOT)
            assert isinstance(answer, dict)
            assert (kind, answer["status"], answer["interval"]) == (3, "Pending", 300)
            assert (await call(socket, "Heartbeat"))[:3] == [4, "1", "SecurityError"]
            assert await call(socket, "StatusNotification") == [3, "1", {}]
            note = await at.around.notes.get()
            assert note.cause == "station.quarantined"
            assert note.evidence["admit"] == "bollard station add CP-900 --serial SN-900 --profile 3"
            await (await socket.ping())
            assert len(at.room) == 1
            assert (backend.requests, len(at.links)) == ([], 0)
        assert at.around.notes.empty()

    asyncio.run(story())


def test_a_registered_station_gets_past_a_guest_of_its_name(tmp_path: Path) -> None:
    """A guest takes nobody's place; once the station is registered the guest is let go to come back as what it is."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(), backend.port, unknown=Unknown.QUARANTINE) as at:
            guest = await station(tmp_path, at, STRANGER, identity="CP-900")
            at.view.stations["CP-900"] = registered("CP-900", "SN-900")
            async with station(tmp_path, at, STRANGER, identity="CP-900"):
                at.room.judge(["CP-900", "CP-901"], at.view)
                with pytest.raises(ConnectionClosed) as ended:
                    await guest.recv()
                assert ended.value.rcvd is not None
                assert ended.value.rcvd.code == SERVICE_RESTART
                await backend.sockets.get()

    asyncio.run(story())


def test_all_who_are_here_are_sent_away_and_who_comes_then_may_wait(tmp_path: Path) -> None:
    """So that they are judged anew, by settings or anchors that have changed."""

    async def story() -> None:
        async with (
            door(tmp_path, known(), unknown=Unknown.QUARANTINE) as at,
            station(tmp_path, at, STRANGER, identity="CP-900") as guest,
        ):
            at.room.send_away("the settings have changed")
            async with station(tmp_path, at, OTHER, identity="CP-901") as later:
                with pytest.raises(ConnectionClosed) as gone:
                    await guest.recv()
                assert gone.value.rcvd is not None
                assert (gone.value.rcvd.code, gone.value.rcvd.reason) == (SERVICE_RESTART, "the settings have changed")
                assert (await call(later, "BootNotification", BOOT))[0] == 3

    asyncio.run(story())


def test_on_a_password_listener_any_password_waits_and_a_known_name_does_not(tmp_path: Path) -> None:
    """A registered station with a wrong password is refused; it is not turned into a guest of its own name."""

    async def story() -> None:
        verifier = password.remember("Kp7tqZ3wYx9RmBc4NsVd", b"s" * 16, generated=True)
        view = known(registered(profile=2, verifier=verifier))
        async with door(tmp_path, view, profile=2, unknown=Unknown.QUARANTINE) as at:
            headers = {"Authorization": build_authorization_basic("CP-900", "whatever")}
            async with station(tmp_path, at, identity="CP-900", headers=headers) as socket:
                assert (await call(socket, "BootNotification", BOOT))[0] == 3
            headers = {"Authorization": build_authorization_basic("CP-001", "whatever")}
            with pytest.raises(InvalidStatus):
                await station(tmp_path, at, headers=headers)
            assert await at.around.causes(2) == ["station.quarantined", "auth.wrong_password"]

    asyncio.run(story())


@pytest.mark.parametrize("limits", [Limits(guests=2), Limits(guests_of_one=2)])
def test_there_is_room_for_a_few(tmp_path: Path, limits: Limits) -> None:
    """In a worker and for a network; the next is refused like any stranger, and there is room again when one leaves."""

    async def story() -> None:
        async with door(tmp_path, known(), limits=limits, unknown=Unknown.QUARANTINE) as at:
            async with station(tmp_path, at, STRANGER, identity="CP-900"):
                async with station(tmp_path, at, STRANGER, identity="CP-901"):
                    with pytest.raises(InvalidStatus) as refused:
                        await station(tmp_path, at, STRANGER, identity="CP-902")
                    assert refused.value.response.status_code == 403
                    note = await at.around.notes.get()
                    assert (note.cause, note.evidence["says"]) == ("station.unknown", "the quarantine is full")
                assert (await at.around.notes.get()).cause == "station.quarantined"
            async with station(tmp_path, at, OTHER, identity="CP-903") as socket:
                assert (await call(socket, "BootNotification", BOOT))[0] == 3

    asyncio.run(story())


def test_one_event_an_hour_for_each_name(tmp_path: Path) -> None:
    """A station that boots and reconnects without end fills no journal."""

    async def story() -> None:
        async with door(tmp_path, known(), unknown=Unknown.QUARANTINE) as at:
            for name in ("CP-900", "CP-900", "CP-901", "CP-900"):
                async with station(tmp_path, at, STRANGER, identity=name) as socket:
                    await call(socket, "BootNotification", BOOT)
            assert await at.around.causes(2) == ["station.quarantined"] * 2

    asyncio.run(story())


def test_a_guest_is_let_go_after_its_time(tmp_path: Path) -> None:
    """With a code that says: come back later."""

    async def story() -> None:
        limits = Limits(guest_seconds=0.1)
        async with (
            door(tmp_path, known(), limits=limits, unknown=Unknown.QUARANTINE) as at,
            station(tmp_path, at, STRANGER, identity="CP-900") as socket,
        ):
            with pytest.raises(ConnectionClosed) as ended:
                await socket.recv()
            assert ended.value.rcvd is not None
            assert ended.value.rcvd.code == TRY_AGAIN
            assert len(at.room) == 0

    asyncio.run(story())


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(b"\x82\x80\0\0\0\0", 1003, id="test_attack_21 binary"),
        pytest.param(b"\x81\x00", 1002, id="test_attack_21 unmasked"),
        pytest.param(b"\x89\x80\0\0\0\0" * 40, 1008, id="test_attack_20 a flood of pings"),
        pytest.param(b"\x81\xff" + (1 << 40).to_bytes(8), 1009, id="test_attack_17 a giant"),
        pytest.param(b"\x81\x85\0\0", 1008, id="test_attack_19 a frame that never ends"),
    ],
)
def test_a_guest_that_breaks_the_frames_is_shown_out(tmp_path: Path, sent: bytes, code: int) -> None:
    """The limits on frames hold for strangers as for stations."""
    request = (
        b"GET /ocpp/CP-900 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
    )

    async def story() -> None:
        limits = Limits(partial_frame_seconds=0.1)
        async with door(tmp_path, known(), limits=limits, unknown=Unknown.QUARANTINE) as at:
            reader, writer = await raw_station(tmp_path, at, STRANGER)
            writer.write(request)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(sent)
            rest = await reader.read()
            assert code.to_bytes(2) in rest
            writer.close()
            assert len(at.room) == 0

    asyncio.run(story())


def test_an_observed_stranger_reaches_the_csms_with_an_alarm(tmp_path: Path) -> None:
    """unsafe_observe: through to the CSMS, one critical event for each connection."""

    async def story(at: Door) -> None:
        async with station(tmp_path, at, STRANGER, identity="CP-900") as socket:
            await socket.send('[2,"1","Heartbeat",{}]')
            note = await at.around.notes.get()
            assert (note.cause, note.kind.severity, note.station) == ("station.observed", "critical", "CP-900")

    async def both() -> None:
        async with csms() as backend, door(tmp_path, known(), backend.port, unknown=Unknown.OBSERVE) as at:
            await story(at)
            assert await backend.heard.get() == '[2,"1","Heartbeat",{}]'

    asyncio.run(both())


def test_a_late_door_is_open_to_nobody_but_the_listed(tmp_path: Path) -> None:
    """The end alone is passed over, of the leaf alone, and admission then asks whose it is (A00.FR.407, .429)."""
    gone = ended(STATIONS, "Gone CA", ca=True)

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, late=True) as at:
            for party, above in ((ended(Party.root("Other")), ()), (gone.issue("SN-1"), (gone,))):
                with pytest.raises((OSError, InvalidHandshake)):  # TLS 1.3 tells a client after it spoke
                    await station(tmp_path, at, party, above=above)
            with pytest.raises(InvalidStatus) as refused:
                await station(tmp_path, at, ended(STATIONS))
            assert refused.value.response.status_code == 403
            assert await at.around.causes(3) == ["cert.unknown_ca", "cert.expired", "cert.expired"]
            listed = replace(registered(), expired_until=NOW + DAY)
            at.view.stations["CP-001"] = listed
            async with station(tmp_path, at, ended(STATIONS)) as socket:
                assert (await call(socket, "BootNotification", BOOT))[0] == 3
                assert json.loads(await socket.recv())[2] == "TriggerMessage"
                await socket.send('[2,"2","SignCertificate",{"csr":"x"}]')
                waiting, asked = await at.around.requested.get()
                assert (asked.csr, len(waiting.chain)) == ("x", 2)
            assert backend.requests == []

    asyncio.run(story())
