"""A worker as a process: it follows the ledger, survives the authority, and goes with its supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.headers import build_authorization_basic
from websockets.typing import Subprotocol

from pki.certificate import to_pem
from pki.edge import calls
from pki.names import Organisation
from pki.station import SecurityProfile
from secproxy.config import Limits, ListenerConfig, parse_config
from secproxy.edge.authority_line import AuthorityLine
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.claim_line import ClaimLine
from secproxy.edge.effective import write_config
from secproxy.edge.errands import ask_record
from secproxy.edge.event_store import EventStore
from secproxy.edge.journal import Journal
from secproxy.edge.links import Links
from secproxy.edge.policies import Policies
from secproxy.edge.reporter import Reporter
from secproxy.edge.worker import Surroundings, Worker
from secproxy.tally import Tally
from tests.certs import DAY, NOW, Party, key_pem, request
from tests.secproxy.edge.doors import CREDENTIALS, Csms, csms, known
from tests.secproxy.policy.test_certificates import hash_data
from tests.worlds import Paper, connected, free_port, make_home, running_authority, station_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from websockets.asyncio.server import ServerConnection

    from pki.edge.client import Authority
    from pki.edge.home import Home

HEARTBEAT = '[2,"1","Heartbeat",{}]'


@contextlib.asynccontextmanager
async def working(
    home: Home, backend: Csms, *started: str, swaps: Sequence[tuple[str, str]] = ()
) -> AsyncIterator[tuple[int, subprocess.Popen[bytes], asyncio.Event]]:
    """A real worker process of this home, its listeners open; the supervisor is a desk in this process."""
    port, ready = free_port(), asyncio.Event()
    text = home.settings.read_text()
    for old, new in swaps:
        text = text.replace(old, new)
    text = text.replace("0.0.0.0:8443", f"127.0.0.1:{port}")
    text = text.replace("0.0.0.0:8442", f"127.0.0.1:{free_port()}")
    text = text.replace('upstream = ""', f'upstream = "ws://127.0.0.1:{backend.port}"')
    (home.run / "config.toml").write_text(write_config(Organisation.parse("Example Charging"), parse_config(text)))
    async with asyncio.timeout(40), ClaimDesk(3, lambda _: ready.set()).open(home.claims_socket):
        argv = [sys.executable, *(started or ("-m", "bollard", "--home", str(home.path), "worker", "--number", "0"))]
        process = subprocess.Popen(argv)
        try:
            await ready.wait()
            yield port, process, ready
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 10)


async def issue(authority: Authority, folder: Path) -> ssl.SSLContext:
    """Register CP-001, issue its certificate, and make its TLS context."""
    paper = Paper.of(1)
    await authority.ask(paper.add, calls.StationAdded)
    issued = await authority.ask(paper.issue, calls.CertificateIssued)
    (folder / "station.pem").write_text(key_pem(station_key(1)) + issued.chain)
    context = ssl.create_default_context(cadata=(folder / "home" / "ca" / "root.pem").read_text())
    context.load_cert_chain(folder / "station.pem")
    return context


def dial(
    port: int, context: ssl.SSLContext | None, identity: str = "CP-001", headers: dict[str, str] | None = None
) -> connect:
    """A station's connection to the worker, without a context one without TLS."""
    return connect(
        f"{'wss' if context else 'ws'}://csms.example.org:{port}/ocpp/{identity}",
        host="127.0.0.1",
        ssl=context,
        subprotocols=[Subprotocol("ocpp1.6")],
        additional_headers=headers,
        compression=None,
        proxy=None,
    )


@contextlib.asynccontextmanager
async def met(
    port: int, context: ssl.SSLContext | None, identity: str = "CP-001", headers: dict[str, str] | None = None
) -> AsyncIterator[ClientConnection]:
    """The same, as soon as the worker has heard of what lets the station in: the authority does not wait for that."""
    while True:
        try:
            socket = await dial(port, context, identity, headers)
            break
        except (OSError, InvalidHandshake):
            await asyncio.sleep(0.01)
    async with socket:
        yield socket


def test_a_station_registered_while_the_worker_runs_is_admitted_and_a_revocation_ends_it(tmp_path: Path) -> None:
    """Every change of the ledger reaches the worker by itself, and a live session within a second."""
    home = make_home(tmp_path)

    async def story() -> None:
        async with csms() as backend, working(home, backend) as (port, _, _ready), connected(home) as authority:
            context = await issue(authority, tmp_path)
            async with met(port, context) as socket:
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT
                [certificate] = (
                    await authority.ask(calls.ListCertificates(station="CP-001"), calls.Certificates)
                ).certificates
                await authority.ask(calls.RevokeCertificate(certificate.serial), calls.Done)
                async with asyncio.timeout(1):
                    with pytest.raises(ConnectionClosed):
                        await socket.recv()
            with pytest.raises(InvalidStatus):
                await dial(port, context)

    with running_authority(home):
        asyncio.run(story())


def test_attack_35_a_worker_knows_the_roots_of_its_home_and_which_of_them_stations_need(tmp_path: Path) -> None:
    """Row 35: from the authority's news, while they change: a successor is known as soon as it is made."""
    home = make_home(tmp_path)

    async def story() -> None:
        async with csms() as backend, working(home, backend) as (port, _, _ready), connected(home) as authority:
            context = await issue(authority, tmp_path)
            root = x509.load_pem_x509_certificate((home.ca / "root.pem").read_bytes())
            async with met(port, context) as socket:
                server = await backend.sockets.get()

                async def install(pem: str) -> bool:
                    payload: dict[str, object] = {"certificateType": "CentralSystemRootCertificate", "certificate": pem}
                    return await _goes_on(server, socket, backend, "InstallCertificate", payload)

                assert await install(to_pem([root]))
                assert not await install(Party.root("Evil Root").pem)
                assert not await _goes_on(server, socket, backend, "DeleteCertificate", hash_data(root))
                made = await authority.ask(calls.RollOver("root"), calls.RolledOver)
                assert made.link is not None
                await until(lambda: install(made.issuer.pem))
                assert await install(made.link.pem)
                new = x509.load_pem_x509_certificate(made.issuer.pem.encode())
                assert await _goes_on(server, socket, backend, "DeleteCertificate", hash_data(new))

    with running_authority(home):
        asyncio.run(story())


async def _goes_on(
    server: ServerConnection, socket: ClientConnection, backend: Csms, action: str, payload: dict[str, object]
) -> bool:
    """Whether a call of the CSMS reaches the station, which then answers it; else the CSMS is answered."""
    called = secrets.token_hex(8)
    await server.send(json.dumps([2, called, action, payload]))
    heard = [asyncio.ensure_future(each) for each in (socket.recv(), backend.heard.get())]
    await asyncio.wait(heard, return_when=asyncio.FIRST_COMPLETED)
    reached = heard[0].done()
    if reached:
        await socket.send(json.dumps([3, called, {"status": "Accepted"}]))
    answer = json.loads(await heard[1])
    if not reached:
        heard[0].cancel()
        await asyncio.wait(heard[:1])
        assert answer[2]["status"] in {"Rejected", "Failed"}
    assert answer[1] == called
    return reached


def test_a_stranger_in_quarantine_is_let_go_when_it_is_registered(tmp_path: Path) -> None:
    """By the news of its registration, within a second; with the password it was given it then reaches the CSMS."""
    home = make_home(tmp_path)
    swap = ("profile = 3", 'profile = 2\nunknown = "quarantine"')

    async def story() -> None:
        async with (
            csms() as backend,
            working(home, backend, swaps=[swap]) as (port, _, _ready),
            connected(home) as authority,
        ):
            context = ssl.create_default_context(cadata=(home.path / "ca" / "root.pem").read_text())
            guessed = {"Authorization": build_authorization_basic("CP-007", "whatever")}
            async with met(port, context, "CP-007", guessed) as socket:
                await socket.send('[2,"1","BootNotification",{}]')
                assert '"Pending"' in str(await socket.recv())
                added = await authority.ask(calls.AddStation("CP-007", "SN-7", 2), calls.StationAdded)
                async with asyncio.timeout(1):
                    with pytest.raises(ConnectionClosed):
                        await socket.recv()
            given = {"Authorization": build_authorization_basic("CP-007", added.password)}
            async with met(port, context, "CP-007", given) as socket:
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT

    with running_authority(home):
        asyncio.run(story())


def test_a_listener_that_weakens_security_is_an_event_of_each_start(tmp_path: Path) -> None:
    """Once, however many workers there are; and a station of profile 1 is served there."""
    home, other = make_home(tmp_path), free_port()
    swaps = ("0.0.0.0:8442", f"127.0.0.1:{other}"), ("profile = 2", "profile = 1\nunsafe_plain = true")

    async def story() -> None:
        async with csms() as backend, working(home, backend, swaps=swaps), connected(home) as authority:
            (told,) = EventStore(home).list(cause="listener.unsafe")
            assert told["evidence"] == {"listener": f"127.0.0.1:{other}", "setting": "unsafe_plain"}
            added = await authority.ask(calls.AddStation("CP-001", "SN-1", 1), calls.StationAdded)
            headers = {"Authorization": build_authorization_basic("CP-001", added.password)}
            async with met(other, None, "CP-001", headers) as socket:
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT

    with running_authority(home):
        asyncio.run(story())


async def refused(home: Home, cause: str, port: int, context: ssl.SSLContext, identity: str) -> None:
    """Be turned away, as soon as the worker has heard of what it is to be for."""
    while cause not in {event["cause"] for event in EventStore(home).list()}:
        with pytest.raises((OSError, InvalidHandshake)):  # TLS 1.3 tells a client after it spoke
            await dial(port, context, identity)


async def settled(authority: Authority, name: str, value: object) -> None:
    """Wait until a station's field says this."""
    while True:
        (row,) = (await authority.ask(calls.ListStations("CP-001"), calls.Stations)).stations
        if getattr(row, name) == value:
            return
        await asyncio.sleep(0.01)


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


def test_an_authority_that_is_revoked_takes_its_stations_with_it(tmp_path: Path) -> None:
    """Live sessions within a second, and no new one begins; nothing of the station's own changed."""
    home = make_home(tmp_path)

    async def story() -> None:
        async with csms() as backend, working(home, backend) as (port, _, _ready), connected(home) as authority:
            context = await issue(authority, tmp_path)
            rows = (await authority.ask(calls.ListCertificates(purpose="issuing"), calls.Certificates)).certificates
            (serial,) = (row.serial for row in rows if "Station CA" in row.subject)
            async with met(port, context) as socket:
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT
                await authority.ask(calls.RevokeCertificate(serial, "ca_compromise", True), calls.Done)
                async with asyncio.timeout(1):
                    with pytest.raises(ConnectionClosed):
                        await socket.recv()
            with pytest.raises((InvalidHandshake, OSError)):
                await dial(port, context)

    with running_authority(home):
        asyncio.run(story())


def test_a_worker_goes_on_without_the_authority_and_catches_up_after_it(tmp_path: Path) -> None:
    """Known stations are admitted meanwhile; what changed meanwhile is applied after the restart."""
    home = make_home(tmp_path)

    async def story() -> None:
        first = contextlib.ExitStack()
        first.enter_context(running_authority(home))
        async with csms() as backend, working(home, backend) as (port, _, _ready):
            async with connected(home) as authority:
                context = await issue(authority, tmp_path)
            async with met(port, context):
                first.close()
            async with met(port, context) as socket:
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT
                with running_authority(home):
                    async with connected(home) as authority:
                        await authority.ask(calls.SetStationStatus("CP-001", "disabled"), calls.Done)
                        with pytest.raises(ConnectionClosed):
                            await socket.recv()

    asyncio.run(story())


def test_a_worker_ends_with_its_supervisor(tmp_path: Path) -> None:
    """When the claims line ends nobody knows who is connected where, so the worker leaves."""
    home = make_home(tmp_path)

    async def story() -> int:
        async with csms() as backend, contextlib.AsyncExitStack() as stack:
            _, process, _ready = await stack.enter_async_context(working(home, backend))
            pid = process.pid
        assert pid
        return process.returncode

    with running_authority(home):
        assert asyncio.run(story()) == 0


def test_a_worker_killed_outright_leaves_the_port_to_the_next(tmp_path: Path) -> None:
    """SIGKILL: the address is free at once, and a new worker serves it."""
    home = make_home(tmp_path)

    async def story() -> None:
        async with csms() as backend:
            async with working(home, backend) as (_, process, _ready):
                os.kill(process.pid, signal.SIGKILL)
                await asyncio.to_thread(process.wait, 10)
            async with (
                working(home, backend) as (port, _, _ready),
                connected(home) as authority,
                met(port, await issue(authority, tmp_path)) as socket,
            ):
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT

    with running_authority(home):
        asyncio.run(story())


def test_an_authority_that_dies_again_before_it_can_be_asked_costs_no_worker(tmp_path: Path) -> None:
    """News came, the question they raise finds nobody: the worker goes on with the certificates it has."""
    home = make_home(tmp_path)
    snapshot = calls.Snapshot("Example Charging", "localhost", (), (), (), ())

    async def told() -> AsyncIterator[calls.News]:
        yield snapshot
        yield calls.CredentialsChanged()

    async def story() -> None:
        config, view = parse_config(home.settings.read_text()), known()
        config = replace(config, listeners=(ListenerConfig("127.0.0.1", 0, SecurityProfile.MUTUAL_TLS),))
        async with ClaimDesk(3, lambda _: None).open(home.claims_socket):
            with contextlib.closing(Journal(home.journal, "worker-0")) as journal:
                around = Surroundings(AuthorityLine(home), journal, Limits())
                links = Links(view, config.limits, around.record)
                claims = await ClaimLine.connect(home, 0, links.probe, links.drop)
                policies = Policies(config.policies, {}, "localhost", 1)
                reporter = Reporter(0, Tally(), journal, claims)
                worker = Worker(config, view, (CREDENTIALS, snapshot), links, claims, around, policies, reporter)
                await worker.follow(told())
                worker.leave()
                await claims.close()

    asyncio.run(asyncio.wait_for(story(), 10))


def test_new_credentials_that_are_unsound_leave_the_worker_presenting_those_it_has(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An operator's file was spoilt while the authority was away: nobody is cut off, and the operator is told."""
    home = make_home(tmp_path)
    given = Party.root("Public Root", "Somebody Else").issue("csms.example.org", dns="csms.example.org")
    (tmp_path / "given.pem").write_text(given.pem)
    (tmp_path / "given.key").write_text(given.key_pem)
    table = f'[[server_certificate]]\ncertificate = "{tmp_path}/given.pem"\nkey = "{tmp_path}/given.key"\n'
    home.settings.write_text(f"{home.settings.read_text()}\n{table}")

    async def story() -> None:
        first = contextlib.ExitStack()
        first.enter_context(running_authority(home))
        async with csms() as backend, working(home, backend) as (port, process, _ready):
            async with connected(home) as authority:
                context = await issue(authority, tmp_path)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            first.close()
            (tmp_path / "given.pem").write_text("spoilt")
            with running_authority(home):
                async with connected(home) as authority:
                    await authority.ask(Paper.of(2).add, calls.StationAdded)
                await asyncio.to_thread(_until_said, capfd, "settings.server_certificate")
                async with met(port, context) as socket:
                    await socket.send(HEARTBEAT)
                    assert await backend.heard.get() == HEARTBEAT
            assert process.poll() is None

    asyncio.run(story())


def _until_said(capfd: pytest.CaptureFixture[str], word: str) -> None:
    """Wait until a process has said something on stderr."""
    while word not in capfd.readouterr().err:
        pass


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


SWOLLEN = """
import sys
from pathlib import Path
from pki.edge.home import Home
from secproxy.edge import memory, worker
measured, swollen = memory.resident, Path(sys.argv[2])
memory.CHECK_SECONDS = 0.05
memory.resident = lambda: measured() + (2**40 if swollen.exists() else 0)
worker.run_worker(Home(Path(sys.argv[1])), 0)
"""


def test_a_worker_with_too_much_memory_lets_its_stations_go_and_ends_by_itself(tmp_path: Path) -> None:
    """No message is cut: stations are told to come back, one event says why, and the supervisor starts another."""
    home, swollen = make_home(tmp_path), tmp_path / "swollen"

    async def story() -> None:
        words = ("-c", SWOLLEN, str(home.path), str(swollen))
        async with csms() as backend, connected(home) as authority:
            context = await issue(authority, tmp_path)
            async with working(home, backend, *words) as (port, process, _), met(port, context) as socket:
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT
                swollen.touch()
                with pytest.raises(ConnectionClosed) as told:
                    await socket.recv()
                assert told.value.rcvd is not None
                assert told.value.rcvd.code == 1012
                assert await asyncio.to_thread(process.wait, 10) == 0

    with running_authority(home):
        asyncio.run(story())

    written = [json.loads(line) for file in home.journal.glob("worker-0-*") for line in file.read_text().splitlines()]
    [event] = [each for each in written if each["cause"] == "worker.outgrown"]
    assert (event["evidence"]["stations"], event["evidence"]["worker_mib"]) == (1, 2048)


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


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask until it is so; what was told to one process reaches the others a moment later."""
    async with asyncio.timeout(10):
        while not await holds():
            pass


async def has_tls(authority: Authority, version: str) -> bool:
    """Whether the station is known to have booted over this version."""
    return (await authority.ask(calls.ListStations("CP-001"), calls.Stations)).stations[0].tls == version


async def answers(port: int, context: ssl.SSLContext, status: int, headers: dict[str, str] | None = None) -> bool:
    """Whether the worker answers a station's upgrade so."""
    try:
        async with dial(port, context, "CP-001", headers):
            return status == 101
    except InvalidStatus as refused:
        return refused.response.status_code == status


def test_what_a_station_and_its_csms_say_is_recorded_on_request_without_secrets(tmp_path: Path) -> None:
    """From the command's asking until its stop, by the worker that holds the station, fenced in as it is."""
    home = make_home(tmp_path)
    secret = '[2,"2","ChangeConfiguration",{"key":"AuthorizationKey","value":"Zq7mArKeR"}]'

    async def story() -> list[dict[str, Any]]:
        async with csms() as backend, working(home, backend) as (port, _, _ready), connected(home) as authority:
            context = await issue(authority, tmp_path)
            assert (await ask_record(home, "CP-001", 1, plain=False)).code == "recording.absent"
            async with met(port, context) as socket:
                await socket.send(HEARTBEAT)
                assert await backend.heard.get() == HEARTBEAT
                begun = await ask_record(home, "CP-001", 1, plain=False)
                assert (await ask_record(home, "CP-001", 1, plain=False)).code == "recording.running"
                await socket.send('[2,"7","Authorize",{"idTag":"TAG-7"}]')
                assert '"7"' in await backend.heard.get()
                await (await backend.sockets.get()).send(secret)
                assert "Rejected" in await backend.heard.get()  # the policy's answer, in the station's place
                assert (await ask_record(home, "CP-001", 0, plain=False)).file == begun.file
                assert (await ask_record(home, "CP-001", 0, plain=False)).code == "recording.none"
                await socket.send('[2,"8","Heartbeat",{}]')
                assert '"8"' in await backend.heard.get()
            path = home.recordings / begun.file
            assert path.stat().st_mode & 0o777 == 0o600
            return [json.loads(line) for line in path.read_text().splitlines()]

    with running_authority(home):
        head, said, changed, refused = asyncio.run(story())
    assert (head["station"], head["profile"], head["version"]) == ("CP-001", 3, "ocpp1.6")
    assert (said["from"], said["message"][:3], said["version"]) == ("station", [2, "7", "Authorize"], "ocpp1.6")
    assert said["message"][3]["idTag"].startswith("id-")
    assert changed["from"] == "csms"
    assert changed["message"] == [2, "2", "ChangeConfiguration", {"key": "AuthorizationKey", "value": "***"}]
    assert (refused["from"], refused["message"][:2]) == ("proxy", [3, "2"])
    journal = "".join(path.read_text() for path in home.journal.iterdir())
    assert "recording.started" in journal
    assert "recording.ended" in journal
