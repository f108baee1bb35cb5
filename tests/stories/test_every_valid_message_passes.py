"""Whatever the standard lets station and CSMS say to each other arrives as it was said, answers included.

Each action of each version is called with the least that its schema takes, with all of it, and with long texts and
lists, and answered the same way. What is stopped on purpose is listed here.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Final

import pytest

from pki.edge.policies import FOLDER
from secproxy.edge.policies import parse
from secproxy.message_settings import MessageSettings, Mode
from secproxy.plan import OTHER, Side, compile_plan
from secproxy.policy.actions import ACTIONS
from secproxy.policy.gauges import Gauges
from secproxy.policy.rulebook import InForce, Rulebook
from secproxy.schemas import VERSIONS
from tests.certs import request
from tests.payloads import FILES, FULL, LEAST, LONGEST, Measure, payload
from tests.secproxy.edge.doors import STATIONS, csms, door, known, registered, station
from tests.worlds import station_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from pathlib import Path

    Hear = Callable[[], Coroutine[object, object, str | bytes]]

PARTY = STATIONS.issue("SN-1")
MEASURES: Final = {"least": LEAST, "full": FULL, "longest": LONGEST}
STOPPED: Final = {
    "ocpp1.6": {"UpdateFirmware", "SignedUpdateFirmware"},
    "ocpp2.0.1": {"UpdateFirmware", "PublishFirmware"},
    "ocpp2.1": {"UpdateFirmware", "PublishFirmware"},
}
"""No firmware was imported, so none may be installed (A00.FR.707)."""
FORBIDDEN: Final = {"observe": frozenset(), "baseline": frozenset({"InstallCertificate"})}
"""By a policy besides: no root is known here, so none may be installed."""
REQUEST: Final = request(station_key(), "SN-1")
SENT: Final = "NotifyPeriodicEventStream"  # the one message that nobody answers


def says(version: str, action: str, *, answer: bool, measure: Measure) -> dict[str, object]:
    """A payload, as a station or CSMS that means well says it."""
    ending = "Response" if answer else "Request" if version != "ocpp1.6" and action != SENT else ""
    said = payload(version, action + ending, measure)
    if action == "BootNotification" and not answer:  # with the serial number that is in the station's certificate
        names = ("chargePointSerialNumber", "chargeBoxSerialNumber", "serialNumber")
        for part in (said, said.get("chargingStation", {})):
            assert isinstance(part, dict)
            part.update({name: "SN-1" for name in names if name in part})
    if action == "SignCertificate" and not answer:  # a request that its key has signed
        said |= {"csr": REQUEST} | (
            {"certificateType": "ChargingStationCertificate"} if "certificateType" in said else {}
        )
    if action == "SetNetworkProfile" and not answer:  # no lower than the station is registered with
        said["connectionData"] = {**said["connectionData"], "securityProfile": 3}  # type: ignore[dict-item]
    return said


def conversation(version: str) -> Iterator[tuple[Side, str, str, str]]:
    """Every call there is, by its caller, with its answer, empty where there is none."""
    for side in Side:
        for action in sorted(ACTIONS[version][side]):
            for size, measure in MEASURES.items():
                name = f"{side.value}-{action[:20]}-{size}"[:36]
                call = says(version, action, answer=False, measure=measure)
                kind = 6 if action == SENT else 2
                answer = "" if action == SENT else said(3, name, says(version, action, answer=True, measure=measure))
                yield side, action, said(kind, name, action, call), answer


def said(*parts: object) -> str:
    """A message with blanks where no program of ours writes any."""
    return json.dumps(parts, ensure_ascii=False, separators=(" , ", " : "))


async def talk(folder: Path, version: str, policy: InForce, mode: Mode) -> tuple[set[str], list[str]]:
    """Have all of it said; return the actions that did not arrive, and the causes of all events."""
    settings = MessageSettings(schema_station=mode, schema_csms=mode)
    stopped = set()
    async with (
        csms(version) as backend,
        door(folder, known(registered()), backend.port, policy=policy, messages=settings, seconds=60) as at,
        station(folder, at, PARTY, subprotocols=(version,)) as client,
    ):
        server = await backend.sockets.get()
        ends: dict[Side, tuple[Callable[[str], Awaitable[None]], Hear]] = {
            Side.STATION: (client.send, client.recv),
            Side.CSMS: (server.send, backend.heard.get),
        }
        for side, action, call, answer in conversation(version):
            (say, hear), (reply, listen) = ends[side], ends[OTHER[side]]
            await say(call)
            if await first(hear, listen) != call:
                stopped.add(action)
            elif answer:
                await reply(answer)
                assert await hear() == answer, action
        return stopped, [at.around.notes.get_nowait().cause for _ in range(at.around.notes.qsize())]


async def first(*hear: Hear) -> str | bytes:
    """What is heard first, at either end."""
    tasks = [asyncio.ensure_future(each()) for each in hear]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    return done.pop().result()


def test_every_action_of_every_version_is_tried() -> None:
    """There is a call for each schema, and an answer for each but the one."""
    for version in VERSIONS:
        tried = {action for _, action, _, _ in conversation(version)}
        assert tried == {name.removesuffix("Response").removesuffix("Request") for name in FILES.names(version)}


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.OBSERVE, Mode.ENFORCE])
@pytest.mark.parametrize("preset", ["observe", "baseline"])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_valid_message_arrives_byte_for_byte(tmp_path: Path, version: str, preset: str, mode: Mode) -> None:
    """Only firmware that nobody imported does not, nor what the policy names; no schema finds fault with any of it."""
    rulebook = Rulebook(parse(preset, (FOLDER / "proxy" / f"{preset}.toml").read_text()), version, "a.example")
    policy = InForce(rulebook, Gauges(), compile_plan(rulebook.plan))
    stopped, causes = asyncio.run(talk(tmp_path, version, policy, mode))
    assert stopped == STOPPED[version] | FORBIDDEN[preset]
    assert not {cause for cause in causes if cause.startswith(("message.", "frame."))}
