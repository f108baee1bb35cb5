"""What a worker asks and tells the authority for its connections, and when stations are let go."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.headers import build_authorization_basic

from pki.edge import calls
from secproxy.config import Limits
from secproxy.edge.authority_line import AuthorityLine
from secproxy.edge.event_store import EventStore
from secproxy.edge.journal import Journal
from secproxy.edge.surroundings import Surroundings
from tests.certs import DAY, NOW, Party, key_pem, request
from tests.secproxy.edge.doors import csms
from tests.secproxy.edge.workers import HEARTBEAT, answers, dial, issue, met, refused, settled, until, working
from tests.worlds import connected, free_port, make_home, running_authority, station_key

if TYPE_CHECKING:
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection

    from pki.edge.client import Authority


def test_attack_09_a_station_that_came_with_a_certificate_is_not_let_back_with_a_password(tmp_path: Path) -> None:
    """OCTT TC_083, A05.FR.09: registered with 2, seen with 3, refused with 2, though the password is right; and let
    back once an operator has allowed it."""
    home, other = make_home(tmp_path), free_port()
    swap = ("0.0.0.0:8442", f"127.0.0.1:{other}")

    async def story() -> None:
        async with (
            csms() as backend,
            working(home, backend, swaps=[swap]) as (port, _, _ready),
            connected(home) as authority,
        ):
            context = await issue(authority, tmp_path)
            down = calls.ChangeStation("CP-001", profile=2, allow_downgrade=True)
            await authority.ask(down, calls.Done)
            given = await authority.ask(calls.SetStationPassword("CP-001"), calls.StationAdded)
            headers = {"Authorization": build_authorization_basic("CP-001", given.password)}
            plain = ssl.create_default_context(cadata=(home.path / "ca" / "root.pem").read_text())
            async with met(other, plain, "CP-001", headers):
                await backend.sockets.get()
            async with met(port, context):
                await settled(authority, "profile", 3)
            with pytest.raises(InvalidStatus) as refused:
                await dial(other, plain, "CP-001", headers)
            assert refused.value.response.status_code == 401
            found = [event["cause"] for event in EventStore(home).list(cause="profile.too_low")]
            assert found == ["profile.too_low"]
            await authority.ask(down, calls.Done)
            async with met(other, plain, "CP-001", headers) as socket:
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT

    with running_authority(home):
        asyncio.run(story())


def test_the_former_password_is_dead_once_a_station_came_with_the_one_that_follows(tmp_path: Path) -> None:
    """A01.FR.03: until then it counts, and its live session goes with it."""
    home, other = make_home(tmp_path), free_port()
    swap = ("0.0.0.0:8442", f"127.0.0.1:{other}")

    async def story() -> None:
        async with (
            csms() as backend,
            working(home, backend, swaps=[swap]) as (_, _, _ready),
            connected(home) as authority,
        ):
            added = await authority.ask(calls.AddStation("CP-001", "SN-1", 2), calls.StationAdded)
            old = {"Authorization": build_authorization_basic("CP-001", added.password)}
            call = calls.SetStationPassword("CP-001", rotate=True)
            new = {"Authorization": ""}
            context = ssl.create_default_context(cadata=(home.path / "ca" / "root.pem").read_text())
            async with met(other, context, "CP-001", old) as socket:
                given = await authority.ask(call, calls.StationAdded)
                new["Authorization"] = build_authorization_basic("CP-001", given.password)
                await until(lambda: answers(other, context, 503, new))  # while its old session is live
                await settled(authority, "rotating", False)
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
            async with met(other, context, "CP-001", new) as socket:
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT
            with pytest.raises(InvalidStatus):
                await dial(other, context, "CP-001", old)

    with running_authority(home):
        asyncio.run(story())


def test_a_station_that_comes_late_renews_over_ocpp_and_comes_back(tmp_path: Path) -> None:
    """A00.FR.429 from end to end: refused in the handshake until an operator lists it; then Pending, triggered,
    certified, sent away, and let in with what it was given. The CSMS sees it then, and not before."""
    home, maker, key = make_home(tmp_path), Party.root("Maker Root", "Maker"), station_key(7)
    old = maker.issue("SN-007", "Maker", key=key, start=NOW - 9 * DAY, end=NOW - DAY)

    def shows(chain: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=(home.path / "ca" / "root.pem").read_text())
        (tmp_path / "late.pem").write_text(key_pem(key) + chain)
        context.load_cert_chain(tmp_path / "late.pem")
        return context

    async def hear(socket: ClientConnection) -> list[Any]:
        message: list[Any] = json.loads(await socket.recv())
        return message

    async def story() -> None:
        async with csms() as backend, working(home, backend) as (port, _, _ready), connected(home) as authority:
            await authority.ask(calls.AddStation("CP-007", "SN-007", 3), calls.StationAdded)
            await authority.ask(calls.AddAnchor(maker.pem, "station"), calls.Done)
            await refused(home, "cert.expired", port, shows(old.pem), "CP-007")
            await authority.ask(calls.ChangeStation("CP-007", expired_until=NOW + DAY), calls.Done)
            async with met(port, shows(old.pem), "CP-007") as socket:
                await socket.send('[2,"1","BootNotification",{}]')
                assert (await hear(socket))[2]["status"] == "Pending"
                assert (await hear(socket))[2:] == [
                    "ExtendedTriggerMessage",
                    {"requestedMessage": "SignChargePointCertificate"},
                ]
                csr = request(key, "SN-007", "Example Charging")
                await socket.send(json.dumps([2, "2", "SignCertificate", {"csr": csr}]))
                assert await hear(socket) == [3, "2", {"status": "Accepted"}]
                _, signed, action, payload = await hear(socket)
                assert action == "CertificateSigned"
                await socket.send(json.dumps([3, signed, {"status": "Accepted"}]))
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
            assert backend.requests == []
            async with met(port, shows(payload["certificateChain"]), "CP-007") as socket:
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT
        causes = dict.fromkeys(event["cause"] for event in EventStore(home).list())
        causes.pop("cert.unknown_ca", None)  # where it came before the word that its maker is trusted
        assert list(causes) == ["cert.expired", "cert.expired_pending", "cert.renewed", "session.opened"]

    with running_authority(home):
        asyncio.run(story())


def test_attack_39_the_more_stations_there_are_the_longer_they_take_to_go(tmp_path: Path) -> None:
    """Row 39: each draws its own moment; one alone goes at once."""
    home = make_home(tmp_path)
    with Journal(home.journal, "worker-0") as journal:
        around = Surroundings(AuthorityLine(home), journal, Limits(returns_per_second=100, close_spread_seconds=5))
        assert around.grace() == 0
        for live, bound in ((100, 1), (1_000_000, 5)):
            around.links = range(live)
            graces = [around.grace() for _ in range(200)]
            assert 0 <= min(graces) < bound / 4
            assert bound * 3 / 4 < max(graces) <= bound


BOOT = '[2,"1","BootNotification",{"chargePointVendor":"Volta","chargePointModel":"Wall"}]'


def test_a_station_that_booted_over_tls_1_3_is_not_let_in_with_less_where_that_is_wished(tmp_path: Path) -> None:
    """Row 8: the worker tells the authority, the authority all workers, and the next door with less is shut."""
    home = make_home(tmp_path)
    home.settings.write_text(home.settings.read_text().replace("[proxy]", "[proxy]\nrefuse_tls_downgrade = true"))

    async def story() -> None:
        async with csms() as backend, connected(home) as authority, working(home, backend) as (port, _, _ready):
            context = await issue(authority, tmp_path)
            async with met(port, context) as socket:
                await socket.send(BOOT)
                assert await backend.heard.get() == BOOT
                await until(lambda: has_tls(authority, "TLSv1.3"))
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            await until(lambda: answers(port, context, 403))
            await authority.ask(calls.ForgetStationTls("CP-001"), calls.Done)
            await until(lambda: answers(port, context, 101))

    with running_authority(home):
        asyncio.run(story())


async def has_tls(authority: Authority, version: str) -> bool:
    """Whether the station is known to have booted over this version."""
    return (await authority.ask(calls.ListStations("CP-001"), calls.Stations)).stations[0].tls == version
