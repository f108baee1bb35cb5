"""A worker follows the ledger, judges live connections by every change of it, and survives the authority."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import ssl
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.headers import build_authorization_basic

from pki.certificate import to_pem
from pki.edge import calls
from pki.station import SecurityProfile
from secproxy.config import Config, Limits, ListenerConfig, Unknown, parse_config
from secproxy.edge.authority_line import AuthorityLine
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.claim_line import ClaimLine
from secproxy.edge.journal import Journal
from secproxy.edge.links import Links
from secproxy.edge.policies import Policies
from secproxy.edge.reporter import Reporter
from secproxy.edge.soon import FEW
from secproxy.edge.surroundings import Surroundings
from secproxy.edge.worker import Worker
from secproxy.policy.rules import Rate, Scope
from secproxy.policy_settings import PolicySettings
from secproxy.tally import Tally
from tests.certs import Party
from tests.secproxy.edge.doors import CREDENTIALS, Csms, csms, known, registered
from tests.secproxy.edge.heres import Here, come, go
from tests.secproxy.edge.workers import HEARTBEAT, dial, issue, met, until, working
from tests.secproxy.policy.test_certificates import hash_data
from tests.worlds import Paper, connected, make_home, running_authority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from websockets.asyncio.client import ClientConnection
    from websockets.asyncio.server import ServerConnection

    from pki.edge.home import Home


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


@contextlib.asynccontextmanager
async def at_work(home: Home, config: Config) -> AsyncIterator[tuple[Worker, Links, ClaimLine]]:
    """A worker without a process, whose connections are made by the test; its authority is away."""
    view, told = known(), calls.Snapshot("Example Charging", "localhost", (), (), (), ())
    async with asyncio.timeout(20), ClaimDesk(3, lambda _: None).open(home.claims_socket):
        with contextlib.closing(Journal(home.journal, "worker-0")) as journal:
            around = Surroundings(AuthorityLine(home), journal, Limits())
            links = Links(view, config.limits, around.record)
            claims = await ClaimLine.connect(home, 0, links.probe, links.drop)
            worker = Worker(
                config,
                view,
                (CREDENTIALS, told),
                links,
                claims,
                around,
                allowing(),
                Reporter(0, Tally(), journal, claims),
            )
            yield worker, links, claims
            worker.leave()
            await claims.close()


def allowing() -> Policies:
    """Policies under which nobody has to be."""
    return Policies(PolicySettings(), {}, "localhost", 1)


@pytest.fixture
def nobody_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that a test made are no station's."""
    monkeypatch.setattr("secproxy.edge.links.still_allowed", lambda *_: None)


def watching(home: Home, unknown: Unknown = Unknown.OBSERVE) -> Config:
    """Settings with one listener, for strangers or not."""
    listener = ListenerConfig("127.0.0.1", 0, SecurityProfile.MUTUAL_TLS, unknown=unknown)
    return replace(parse_config(home.settings.read_text()), listeners=(listener,))


@pytest.mark.usefixtures("nobody_judges")
@pytest.mark.parametrize("rounds", [0, 1, 2, FEW, 3 * FEW, 4 * FEW])
def test_settings_that_come_while_others_are_taken_in_hold_for_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int
) -> None:
    """However far the work had come; then both are answered."""
    monkeypatch.setattr("secproxy.edge.soon.ROUND_SECONDS", 0.0)
    home = make_home(tmp_path)

    async def story() -> None:
        config, one, other = watching(home), allowing(), allowing()
        async with at_work(home, config) as (worker, links, _):
            here = [Here(leg) for leg in range(3 * FEW)]
            come(links, *here)
            first = asyncio.ensure_future(worker.reload(config, one))
            for _ in range(rounds):
                await asyncio.sleep(0)
            second = asyncio.ensure_future(worker.reload(config, other))
            await asyncio.gather(first, second)
            assert {each.obeys[-1] == other.of for each in here} == {True}
            assert worker._policies is other
            go(links, *here)

    asyncio.run(story())


@pytest.mark.usefixtures("nobody_judges")
def test_settings_hold_for_ten_thousand_without_anybody_waiting_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop goes on meanwhile; it is answered when all go by them, and strangers have gone whom they refuse."""
    home = make_home(tmp_path)
    monkeypatch.setattr("secproxy.edge.soon.SOON_SECONDS", 60.0)
    monkeypatch.setattr("secproxy.edge.soon.ROUND_SECONDS", 0.0)

    async def story() -> None:
        async with at_work(home, watching(home)) as (worker, links, _):
            here = [Here(leg, observed=leg % 2 == 1) for leg in range(10_000)]
            come(links, *here)
            policies, rounds = allowing(), 0
            taken = asyncio.ensure_future(worker.reload(watching(home, Unknown.REFUSE), policies))
            while not taken.done():
                rounds += 1
                await asyncio.sleep(0)
            assert rounds >= len(here)
            assert all(each.obeys == [policies.of] for each in here)
            assert [bool(each.closed) for each in here] == [leg % 2 == 1 for leg in range(10_000)]
            go(links, *here)

    asyncio.run(story())


@pytest.mark.usefixtures("nobody_judges")
@pytest.mark.parametrize("unknown", [Unknown.OBSERVE, Unknown.REFUSE])
def test_a_stranger_who_came_while_settings_changed_meets_the_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unknown: Unknown
) -> None:
    """It was let in by the former, and its CSMS took a while."""
    home, come_in = make_home(tmp_path), Here(1, observed=True)
    monkeypatch.setattr("secproxy.edge.worker.Link", lambda *_: come_in)
    monkeypatch.setattr("secproxy.edge.worker.Session", lambda *_: None)
    monkeypatch.setattr(Policies, "of", lambda *_: SimpleNamespace(plan=None))

    async def story() -> None:
        async with at_work(home, watching(home)) as (worker, links, _):
            monkeypatch.setattr(worker._reporter, "opened", lambda _: None)
            monkeypatch.setattr(worker._surroundings, "pin", lambda _: None)
            await worker.reload(watching(home, unknown), allowing())
            leg = SimpleNamespace(subprotocol="ocpp1.6", csms="csms")
            admitted = SimpleNamespace(station=registered(), observed=True)
            worker._connect(1, admitted, leg, leg, 0)  # type: ignore[arg-type]  # as much as it takes
            assert bool(come_in.closed) == (unknown is Unknown.REFUSE)
            go(links, come_in)

    asyncio.run(story())


@pytest.mark.usefixtures("nobody_judges")
def test_one_who_cannot_go_by_new_settings_goes(tmp_path: Path) -> None:
    """Rather than going on by the former; the others are settled."""
    home = make_home(tmp_path)

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        async with at_work(home, watching(home)) as (worker, links, _):
            here = [Here(leg) for leg in range(3 * FEW)]
            here[1].obeys = ()  # type: ignore[assignment]  # it cannot take any
            come(links, *here)
            await worker.reload(watching(home), allowing())
            assert [each.leg for each in here if each.closed] == [1]
            assert all(each.obeys for each in here if each.leg != 1)
            go(links, *here)

    asyncio.run(story())


def test_what_is_left_of_a_fleet_s_rates_is_left_when_settings_change(tmp_path: Path) -> None:
    """Whoever may change them does not begin a burst anew with it."""
    home, rate = make_home(tmp_path), Rate(60, 3, Scope.FLEET)

    async def story() -> None:
        async with at_work(home, watching(home)) as (worker, _, _):
            before, after = allowing(), allowing()
            await worker.reload(watching(home), before)
            assert [before.fleet.take("p", "r", rate, 0.0) is None for _ in range(3)] == [True] * 3
            await worker.reload(watching(home), after)
            assert after.fleet.take("p", "r", rate, 0.0) is not None

    asyncio.run(story())


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
