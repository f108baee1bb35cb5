"""Policies on their way from a file to a live connection, and what they do there, between real peers."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING

import pytest

from pki.edge.policies import FOLDER
from pki.errors import InputError, NotFoundError
from secproxy.config import parse_config
from secproxy.edge import reading
from secproxy.edge.effective import in_force
from secproxy.edge.policies import (
    Policies,
    parse,
    read_policies,
    read_policies_in_force,
    read_policy_text,
)
from secproxy.edge.schema_files import SchemaFiles, official_fields
from secproxy.plan import Need, Side
from secproxy.policy.gauges import Over
from secproxy.policy.rules import Rate, Scope
from secproxy.policy_settings import PolicySettings
from secproxy.station_view import Authority
from tests.certs import Party
from tests.pki.papers import request
from tests.secproxy.edge.doors import CREDENTIALS, ROOT, STATIONS, csms, door, known, registered, station
from tests.secproxy.edge.homes import bare_home
from tests.secproxy.policy.test_certificates import hash_data
from tests.worlds import make_home

if TYPE_CHECKING:
    from pathlib import Path

    from pki.edge.home import Home
    from secproxy.policy.rulebook import InForce

OPEN = '[allow]\nstation = "all"\ncsms = "all"\n'
SHIPPED = {path.stem: parse(path.stem, path.read_text()) for path in (FOLDER / "proxy").glob("*.toml")}
FIELDS = official_fields(SchemaFiles())
FIRST, SECOND = STATIONS.issue("SN-1"), STATIONS.issue("SN-2")


def lay(home: Home, name: str, text: str) -> None:
    """Lay a policy of the home's own down."""
    (home.policies / "proxy").mkdir(parents=True, exist_ok=True)
    (home.policies / "proxy" / f"{name}.toml").write_text(text)


def test_a_home_s_own_policy_takes_the_place_of_ours(tmp_path: Path) -> None:
    """Under the same name, or beside them under another; a name that nothing has is told with those there are."""
    home = bare_home(tmp_path)
    lay(home, "strict", OPEN)
    lay(home, "mine", OPEN)
    assert read_policy_text(home, "strict") == read_policy_text(home, "mine") == OPEN
    assert "no-lower-profile" in read_policy_text(home, "baseline")
    with pytest.raises(NotFoundError, match=r"policy\.unknown") as unknown:
        read_policies(home, PolicySettings("nobodys"))
    assert "baseline, migration, mine, observe, strict" in unknown.value.advice


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_policy_that_ships_looks_at_fields_that_there_are(name: str) -> None:
    """In the official schemas of every version that its rules are for."""
    assert parse(name, (FOLDER / "proxy" / f"{name}.toml").read_text(), FIELDS) == SHIPPED[name]


def test_a_misspelt_field_is_found_by_whoever_checks_and_keeps_nobody_out() -> None:
    """A home whose policy was taken before goes on; its check says what is wrong with it."""
    rule = '[[rule]]\nname = "a"\nclause = "attack 33"\nfrom = "csms"\nactions = ["GetLog", "GetDiagnostics"]\n'
    text = f'{rule}urls = {{ fields = ["location", "log.remotelocation"], schemes = ["https"] }}\n'
    parse("own", text)
    with pytest.raises(InputError, match=r"line 6: urls\.fields: 'log\.remotelocation' .* write 'log\.remoteLocation'"):
        parse("own", text, FIELDS)
    parse("own", text.replace("remotelocation", "remoteLocation"), FIELDS)


def test_a_mistake_in_a_policy_stops_the_start(tmp_path: Path) -> None:
    """Nothing runs under half a policy; what nobody is under is not read."""
    home = make_home(tmp_path)
    config = parse_config(home.settings.read_text())
    lay(home, "mine", "[[rule]]\n")
    with in_force(home, config):
        pass
    broken = dataclasses.replace(config, policies=PolicySettings(groups={"depot": "mine"}))
    with pytest.raises(InputError, match=r"policy\.wrong"), in_force(home, broken):
        raise AssertionError
    assert not [path for path in home.run.iterdir() if path.name.startswith("policy-")]


def test_workers_judge_by_what_was_laid_down_at_the_start(tmp_path: Path) -> None:
    """Whatever is edited meanwhile: a worker that is started again is no stranger among the others."""
    home = make_home(tmp_path)
    lay(home, "mine", OPEN)
    config = parse_config(home.settings.read_text())
    config = dataclasses.replace(config, policies=PolicySettings("mine", stations={"CP-002": "strict"}))
    with in_force(home, config):
        lay(home, "mine", "")
        found = read_policies_in_force(home, config)
        assert found.of(registered(), "ocpp1.6").rulebook.allows(Side.CSMS, b"reset")
        assert found.of(registered("CP-002"), "ocpp1.6").rulebook.name == "strict"
    assert not list(home.run.glob("policy-*"))


def test_all_stations_under_one_policy_and_version_share_rulebook_and_plan() -> None:
    """A station's own comes before its group's, that before everybody's; the firmware gate's needs are in each plan."""
    settings = PolicySettings("baseline", {"depot": "strict"}, {"CP-009": "observe"})
    found = Policies(settings, SHIPPED, "localhost", 1)
    depot = dataclasses.replace(registered("CP-009"), group="depot")
    assert found.of(registered(), "ocpp1.6") is found.of(registered("CP-002"), "ocpp1.6")
    assert found.of(registered(), "ocpp1.6") is not found.of(registered(), "ocpp2.1")
    assert found.of(dataclasses.replace(registered(), group="depot"), "ocpp1.6").rulebook.name == "strict"
    assert found.of(depot, "ocpp1.6").rulebook.name == "observe"
    plan = found.of(registered(), "ocpp1.6").plan
    assert plan.calls[Side.CSMS].of(b"updatefirmware") is Need.WHOLE
    assert plan.calls[Side.STATION].of(b"metervalues") is Need.PASS


def test_a_worker_has_its_share_of_what_the_fleet_may_be_told() -> None:
    """Four workers allow a quarter each."""
    fleet, rate = (
        Policies(PolicySettings(), SHIPPED, "localhost", 4).of(registered(), "ocpp1.6").fleet,
        Rate(60, 8, Scope.FLEET),
    )
    assert [fleet.take("p", "r", rate, 0.0) for _ in range(3)] == [None, None, Over(tell=True)]


def under(name: str, version: str = "ocpp2.0.1", text: str = "") -> InForce:
    """What every station behind a door is under."""
    chosen = {name: parse(name, text) if text else SHIPPED[name]}
    return Policies(PolicySettings(name), chosen, "localhost", 1).of(registered(), version)


REFUSED = [
    ("09", {"configurationSlot": 1, "connectionData": {"securityProfile": 1}}, "SetNetworkProfile"),
    ("32", {"configurationSlot": 1, "connectionData": {"ocppCsmsUrl": "ws://evil.example/"}}, "SetNetworkProfile"),
    ("33", {"log": {"remoteLocation": "http://169.254.169.254/latest"}}, "GetLog"),
    ("34", {"getVariableData": [{"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}]},
     "GetVariables"),
    ("35", {"certificateType": "CSMSRootCertificate", "certificate": FIRST.pem}, "InstallCertificate"),
    ("35", {"certificateHashData": {}}, "DeleteCertificate"),
    ("37", {"vendorId": "com.evil", "data": "x"}, "DataTransfer"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "payload", "action"), REFUSED)
def test_attack_09_32_33_34_35_37_what_the_policy_forbids_never_reaches_the_station(
    tmp_path: Path, row: str, payload: dict[str, object], action: str
) -> None:
    """The CSMS is answered in the station's place; the next good call goes through; the event names rule and clause."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port, policy=under("strict")) as at,
            station(tmp_path, at, FIRST) as client,
        ):
            server = await backend.sockets.get()
            await server.send(json.dumps([2, "bad", action, payload]))
            answer = json.loads(await backend.heard.get())
            assert answer[:2] == [3, "bad"] if answer[0] == 3 else answer[:3] == [4, "bad", "SecurityError"]
            assert answer[0] == 4 or answer[2]["status"] == ("Failed" if "Delete" in action else "Rejected")
            await server.send('[2,"good","Reset",{"type":"OnIdle"}]')
            assert json.loads(await client.recv())[1] == "good"
            notes = [at.around.notes.get_nowait() for _ in range(at.around.notes.qsize())]
            refused = [note for note in notes if note.cause == "policy.refused"]
            assert [note.evidence["clause"] for note in refused] == [f"attack {row}"]
            assert (refused[0].station, refused[0].evidence["message_id"]) == ("CP-001", "bad")

    asyncio.run(story())


EVIL = Party.root("Evil Root")
TRUST = [
    ("station", "SignCertificate", {"csr": request(("SN-2",))}, {"csr": request(("SN-1",))}, "Rejected"),
    ("station", "SignCertificate", {"csr": "x" * 60_000}, {"csr": request(("SN-1",))}, "Rejected"),
    ("csms", "InstallCertificate", {"certificateType": "CSMSRootCertificate", "certificate": EVIL.pem},
     {"certificateType": "CSMSRootCertificate", "certificate": ROOT.pem}, "Rejected"),
    ("csms", "DeleteCertificate", hash_data(ROOT), hash_data(EVIL), "Failed"),
]  # fmt: skip


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
@pytest.mark.parametrize(("side", "action", "evil", "good", "status"), TRUST)
def test_attack_35_what_changes_trust_passes_when_it_is_right_and_is_answered_here_when_not(
    tmp_path: Path, version: str, side: str, action: str, evil: object, good: object, status: str
) -> None:
    """Row 35, under the policy that everybody is under: the other side hears of the good one alone."""

    async def story() -> None:
        view = known(registered())
        view.authorities = (Authority("root", ROOT.certificate),)
        reading.present(view, CREDENTIALS)
        async with (
            csms() as backend,
            door(tmp_path, view, backend.port, policy=under("baseline", version)) as at,
            station(tmp_path, at, FIRST, subprotocols=(version,)) as client,
        ):
            server = await backend.sockets.get()
            speaker = client if side == "station" else server
            said, heard = client.recv, backend.heard.get
            back, on = (said, heard) if side == "station" else (heard, said)
            await speaker.send(json.dumps([2, "bad", action, evil]))
            answer = json.loads(await back())
            assert (answer[:2], answer[2]["status"]) == ([3, "bad"], status)
            await speaker.send(json.dumps([2, "good", action, good]))
            assert json.loads(await on()) == [2, "good", action, good]
            notes = [at.around.notes.get_nowait() for _ in range(at.around.notes.qsize())]
            [refused] = [note for note in notes if note.cause == "policy.refused"]
            assert (refused.evidence["clause"], refused.evidence["message_id"]) == ("attack 35", "bad")

    asyncio.run(story())


def test_attack_35_a_foreign_request_is_only_noted_where_everything_is(tmp_path: Path) -> None:
    """Under ``observe`` the CSMS hears it, byte for byte."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port, policy=under("observe")) as at,
            station(tmp_path, at, FIRST) as client,
        ):
            said = json.dumps([2, "1", "SignCertificate", {"csr": request(("SN-2",))}])
            await client.send(said)
            assert await backend.heard.get() == said
            note = await at.around.notes.get()
            assert (note.cause, note.evidence["rule"]) == ("policy.observed", "certificate-requests")
            assert "SN-2" in str(note.evidence["says"])

    asyncio.run(story())


def test_attack_37_a_station_s_tunnel_is_answered_to_the_station(tmp_path: Path) -> None:
    """And the CSMS hears nothing of it."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port, policy=under("strict")) as at,
            station(tmp_path, at, FIRST) as client,
        ):
            await client.send('[2,"t","DataTransfer",{"vendorId":"com.evil"}]')
            assert json.loads(await client.recv())[2]["status"] == "Rejected"
            await client.send('[2,"h","Heartbeat",{}]')
            assert json.loads(await backend.heard.get())[1] == "h"

    asyncio.run(story())


MASS = (
    OPEN
    + """
[[rule]]
name = "few-resets"
clause = "attack 36"
from = "csms"
actions = ["Reset"]
rate = { per_minute = 0.1, burst = 2, scope = "fleet" }
"""
)


def test_attack_36_resets_are_counted_over_all_stations(tmp_path: Path) -> None:
    """Two stations, two resets at once: the third, to whichever, is stopped, with one alarm."""

    async def story() -> None:
        view = known(registered(), registered("CP-002", "SN-2"))
        async with (
            csms() as backend,
            door(tmp_path, view, backend.port, policy=under("mass", text=MASS)) as at,
            station(tmp_path, at, FIRST) as first,
            station(tmp_path, at, SECOND, identity="CP-002") as second,
        ):
            servers = {}
            for _ in range(2):
                socket = await backend.sockets.get()
                assert socket.request
                servers[socket.request.path[-6:]] = socket
            for name, client in (("CP-001", first), ("CP-002", second)):
                await servers[name].send('[2,"r","Reset",{"type":"OnIdle"}]')
                assert json.loads(await client.recv())[2] == "Reset"
            for name in ("CP-001", "CP-002"):
                await servers[name].send('[2,"s","Reset",{"type":"OnIdle"}]')
                assert json.loads(await backend.heard.get())[2]["status"] == "Rejected"
            assert await at.around.causes(1) == ["policy.mass_command"]

    asyncio.run(story())


def test_a_live_connection_goes_on_under_the_policy_that_is_in_force_now(tmp_path: Path) -> None:
    """What passed unread is refused from then on, and passes again after; the connection is the same."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port, policy=under("open", text=OPEN)) as at,
            station(tmp_path, at, FIRST) as client,
        ):
            server = await backend.sockets.get()
            [link] = at.links.all()
            for number, text in enumerate([OPEN, "", OPEN]):
                link.obey(Policies(PolicySettings("x"), {"x": parse("x", text)}, "localhost", 1).of)
                await server.send(f'[2,"{number}","ClearCache",{{}}]')
                if text:
                    assert json.loads(await client.recv())[1] == str(number)
                else:
                    assert json.loads(await backend.heard.get())[1] == str(number)

    asyncio.run(story())


def test_what_is_only_observed_goes_on_byte_for_byte(tmp_path: Path) -> None:
    """With an event, and blanks where they were."""

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port, policy=under("observe")) as at,
            station(tmp_path, at, FIRST) as client,
        ):
            server = await backend.sockets.get()
            said = '[2,"1", "Made-Up" , {"a" : 1.50}]'
            await server.send(said)
            assert await client.recv() == said
            assert await at.around.causes(1) == ["policy.observed"]

    asyncio.run(story())
