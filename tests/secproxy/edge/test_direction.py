"""What needs no thought of all that is said: the plan and the session agree about every message."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.edge.policies import FOLDER
from secproxy.config import Limits
from secproxy.edge.direction import Direction, Tapped
from secproxy.edge.policies import parse
from secproxy.edge.schema_files import SchemaFiles
from secproxy.inspection import inspect
from secproxy.jws import write_coded
from secproxy.message_settings import MessageSettings, Mode
from secproxy.orders import Forward, Heard
from secproxy.plan import Need, Needs, Plan, Side, compile_plan
from secproxy.policy import carried
from secproxy.policy.gauges import Gauges
from secproxy.policy.rulebook import InForce, Rulebook
from secproxy.schemas import Schemas
from secproxy.session import Session
from tests.pki.papers import request
from tests.secproxy import scene
from tests.secproxy.edge.doors import (
    PARTY,
    csms,
    door,
    known,
    registered,
    say,
    station,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_an_answer_is_thought_about_where_the_plan_names_the_action_it_answers(tmp_path: Path) -> None:
    """One with a doubled key stops there, and whoever waits for it is told; the same answer to another call is nobody's
    business."""

    async def story() -> None:
        wish = Plan(answers={Side.STATION: Needs({b"getlog": Need.WHOLE}), Side.CSMS: Needs()})
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port, plan=compile_plan(wish)) as at,
            station(tmp_path, at, PARTY) as client,
        ):
            server = await backend.sockets.get()
            for number, action in enumerate(["GetLog", "GetReport"]):
                await server.send(f'[2,"{number}","{action}",{{}}]')
                await client.recv()
                await client.send(f'[3,"{number}",{{"a":1,"a":2}}]')
            assert await backend.heard.get() == '[4,"0","GenericError","no answer: duplicate",{}]'
            assert await backend.heard.get() == '[3,"1",{"a":1,"a":2}]'
            assert await at.around.causes(1) == ["message.malformed"]

    asyncio.run(story())


INSTALL: dict[str, object] = {
    "vendorId": "org.openchargealliance.iso15118pnc", "messageId": "InstallCertificate", "data": "{}"
}  # fmt: skip
INSIDE: list[object] = [
    {}, {"type": "Hard"}, {"csr": "x"}, INSTALL, {"payload": "e30", "signature": "x"}, [], "x"
]  # fmt: skip


def sealed(text: str) -> dict[str, object]:
    """A payload that signs what stands there in base64url."""
    return {"payload": text, "signature": "x"}


SEALED = [*map(sealed, [*map(write_coded, INSIDE), "?"]), {**INSTALL, "data": "x"}, INSTALL]
SAID = st.builds(
    lambda kind, number, action, payload: (
        [kind, number, action, payload] if kind in {2, 6} else [kind, number, *["x"] * (2 * (kind == 4)), payload]
    ),
    st.sampled_from([2, 2, 2, 3, 4, 6]),
    st.sampled_from(["1", "2", "3"]),
    st.sampled_from(["Reset", "Reset-Signed", "GetLog", "SetNetworkProfile", "Heartbeat", "Mad", "DataTransfer",
                     "DataTransfer-Signed", "Reset-Signed-Signed", "NotifyReport-Signed", "GetVariables",
                     "GetVariables-Signed", "Heartbeat-Signed", "SignCertificate-Signed", "TransactionEvent-Signed",
                     "SignCertificate", "signcertificate", "InstallCertificate", "DeleteCertificate"]),
    st.sampled_from([{}, {"vendorId": "x", "data": "x" * 20_000}, {"log": {"remoteLocation": "file:///x"}},
                     {"connectionData": {"securityProfile": 0}}, {"csr": request(("SN-CP-001",))}, {"csr": "x"},
                     {"certificate": "x"}, {"certificateHashData": {}}, {"status": "Accepted", "data": "{}"}, *SEALED]),
)  # fmt: skip


VERSIONS = ("ocpp1.6", "ocpp2.1")
SCHEMAS = Schemas(SchemaFiles())
CARRIED = SCHEMAS.book(carried.VERSION)


BOOKS = {
    (path, version): Rulebook(parse(path.stem, path.read_text()), version, "csms.example.org")
    for path in sorted((FOLDER / "proxy").glob("*.toml"))
    for version in VERSIONS
}


@given(
    st.lists(st.tuples(st.sampled_from(Side), SAID, st.booleans()), max_size=30),
    st.sampled_from(sorted((FOLDER / "proxy").glob("*.toml"))),
    st.sampled_from(VERSIONS),
    st.none() | st.builds(MessageSettings, st.sampled_from(Mode), st.sampled_from(Mode)),
)
def test_plan_and_session_agree_about_every_message(
    said: list[tuple[Side, list[object], bool]], path: Path, version: str, settings: MessageSettings | None
) -> None:
    """A relay that tells only what the plan names orders what a session orders that is told everything."""
    planned, told = (_under(path, version, settings) for _ in range(2))
    ways = {side: Direction(side, planned, Limits(), lambda _: None) for side in Side}
    for side, items, escaped in said:
        text = json.dumps(items).replace("Reset", "R\\u0065set" if escaped else "Reset").encode()
        now = dt.datetime.now(dt.UTC)
        dull = ways[side].is_dull(text)
        assert ([Forward()] if dull else planned.tell(Heard(side, text), now)) == told.tell(Heard(side, text), now)


def _under(path: Path, version: str, settings: MessageSettings | None) -> Session:
    rulebook = BOOKS[path, version]
    policy = InForce(rulebook, Gauges(), compile_plan(rulebook.plan))
    shown = scene.certificate()
    held = None if settings is None else inspect(SCHEMAS.book(version), settings, CARRIED)
    return Session(scene.admitted(scene.station(), shown=shown), version, scene.view(), policy.plan, policy, held)


@pytest.mark.parametrize(
    ("payload", "dull"),
    [
        ('{"vendorId":"com.example","messageId":"m","data":"{}"}', True),
        ('{"vendorId":"com.example","data":"a\\nb"}', True),
        ('{"vendorId":"com.example","data":"\\u0041"}', False),
        ('{"vendorId":"org.openchargealliance.iso15118pnc","messageId":"Authorize","data":"{}"}', False),
        ('{"vendorId":"Org.OpenChargeAlliance.ISO15118PNC","messageId":"authorize","data":"{}"}', False),
        ('{"vendorId":"\\u006frg.openchargealliance.iso15118pn\\u0063","messageId":"Authorize"}', False),
    ],
)
@pytest.mark.parametrize("settings", [None, MessageSettings(), MessageSettings(schema_csms=Mode.OFF)])
def test_a_transfer_is_dull_that_surely_carries_nothing(
    payload: str, dull: bool, settings: MessageSettings | None
) -> None:
    """Whatever stands in it, where no policy reads it either; where nobody is held to schemas all of them are."""
    held = None if settings is None else inspect(SCHEMAS.book("ocpp1.6"), settings, CARRIED)
    session = Session(scene.admitted(scene.station()), "ocpp1.6", scene.view(), compile_plan(), None, held)
    for side in Side:
        way = Direction(side, session, Limits(), lambda _: None)
        assert way.is_dull(f'[2,"1","DataTransfer",{payload}]'.encode()) is (dull or settings is None)


def test_what_fits_its_schema_goes_on_byte_for_byte_and_untold(tmp_path: Path) -> None:
    """Calls, answers and errors of both sides, however they are spaced; one that does not fit arrives as well."""
    up = [
        '[2,"1","Heartbeat",{}]',
        '[2, "2", "StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}]',
        '[3,"a",{"status":"Accepted"}]',
        '[4,"b","NotSupported","",{}]',
        '[2,"3","StatusNotification",{"connectorId":1,"errorCode":"None","status":"Available"}]',
    ]
    down = ['[2,"a","Reset",{"type":"Soft"}]', '[2,"b","ClearCache",{}]', '[2,"c","ClearCache",{}]']

    async def story() -> None:
        async with (
            csms() as backend,
            door(tmp_path, known(registered()), backend.port, messages=MessageSettings()) as at,
            station(tmp_path, at, PARTY, subprotocols=("ocpp1.6",)) as client,
        ):
            await say(await backend.sockets.get(), *down)
            assert [await client.recv() for _ in down] == down
            await say(client, *up)
            assert [await backend.heard.get() for _ in up] == up
            assert await at.around.causes(1) == ["message.schema"]

    asyncio.run(story())


def test_whoever_listens_in_hears_all_of_it_and_decides_nothing() -> None:
    """What is dull is so with a listener as without one, and both go by a new plan."""
    heard: list[tuple[str, bytes]] = []

    class Ear:
        def take(self, speaker: str, message: bytes) -> None:
            heard.append((speaker, message))

        def end(self, because: str) -> None:
            raise AssertionError(because)

    session = Session(scene.admitted(scene.station()), "ocpp1.6", scene.view(), compile_plan())
    plain = Direction(Side.STATION, session, Limits(), lambda _: None)
    tapped = Tapped(plain, Ear())
    said = [b'[2,"1","Heartbeat",{}]', b'[2,"2","BootNotification",{}]', b'[2,"3","Heartbeat",{"a":1,"a":2}]', b"junk"]
    assert [tapped.is_dull(message) for message in said] == [True, False, True, False]
    tapped.follow(compile_plan(Plan(calls={Side.STATION: Needs({b"heartbeat": Need.WHOLE}), Side.CSMS: Needs()})))
    assert not tapped.is_dull(b'[2,"4","Heartbeat",{}]')
    assert heard == [("station", message) for message in [*said, b'[2,"4","Heartbeat",{}]']]


@pytest.mark.parametrize("settings", [None, MessageSettings(), MessageSettings(Mode.OFF, Mode.OFF)])
def test_what_is_signed_twice_is_never_dull(settings: MessageSettings | None) -> None:
    """Though no plan names it: the session refuses it."""
    held = None if settings is None else inspect(SCHEMAS.book("ocpp2.1"), settings, CARRIED)
    session = Session(scene.admitted(scene.station()), "ocpp2.1", scene.view(), compile_plan(), None, held)
    for side in Side:
        way = Direction(side, session, Limits(), lambda _: None)
        assert not way.is_dull(b'[2,"1","Reset-Signed-SIGNED",{}]')
        assert way.is_dull(b'[2,"2","Reset-Signed",{}]') is (held is None or not held.sides)
