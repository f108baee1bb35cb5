"""A station's conversation with its CSMS, as transcripts: what is heard, what is ordered."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.station import SecurityProfile
from secproxy.edge.schema_files import SchemaFiles
from secproxy.envelope import HEAD
from secproxy.events import CAUSES, Note
from secproxy.inspection import SEALED, inspect
from secproxy.message_settings import Ambiguous, MessageSettings, Mode
from secproxy.notebook import LOOKS_AT_ONCE
from secproxy.orders import Ask, Declined, Forward, Granted, HangUp, Heard, HungUp, Learn, Order, Record, Say
from secproxy.plan import OTHER, Need, Needs, Plan, Side, compile_plan
from secproxy.policy import carried
from secproxy.policy.gauges import Gauges
from secproxy.policy.reading import parse_policy
from secproxy.policy.rulebook import InForce, Rulebook
from secproxy.schemas import Schemas
from secproxy.session import NOTED_AT_ONCE, PENDING_LIMIT, Session
from secproxy.standard_events import STANDARD
from secproxy.transactions import Transactions, Watch, wish
from tests.pki.firmware.makers import CLAIM, make_maker
from tests.play import NOON, play
from tests.secproxy.scene import REMOTE, admitted, certificate, station, view

if TYPE_CHECKING:
    from secproxy.events import Value
    from secproxy.station_view import View

STATION, CSMS = Side.STATION, Side.CSMS
MAKER = make_maker()
RELEASE = MAKER.release()
URL = "https://csms.example.org:8440/f/0123456789abcdefABCDEF/0011223344556677.bin"
BOOKS = Schemas(SchemaFiles())
INSIDE = BOOKS.book(carried.VERSION)
VERSIONS = pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
ACTIONS = {"ocpp1.6": "SignedUpdateFirmware", "ocpp2.0.1": "UpdateFirmware", "ocpp2.1": "UpdateFirmware"}


def world() -> View:
    """A ledger with one station of the maker's model, and one verified image for it."""
    known = view(dataclasses.replace(station(), vendor=CLAIM.vendor, model=CLAIM.model))
    known.anchors, known.releases = MAKER.anchors, (RELEASE,)
    return known


def session(version: str = "ocpp2.0.1", *, profile: int = 3, known: View | None = None) -> Session:
    """A session of ``CP-001``, whose serial number is ``SN-CP-001``."""
    shown = certificate() if profile == 3 else None
    return Session(admitted(station(), profile=profile, shown=shown), version, known or world(), compile_plan())


def held(version: str = "ocpp1.6", settings: MessageSettings | None = None, plan: Plan | None = None) -> Session:
    """A session whose messages are held against the schemas, as the settings say."""
    settings = settings or MessageSettings()
    plan = compile_plan(plan or Plan())
    shown = inspect(BOOKS.book(version), settings, INSIDE)
    return Session(admitted(station(), shown=certificate()), version, world(), plan, None, shown)


def message(*items: object) -> bytes:
    """A message as a peer might write it, with blanks."""
    return json.dumps(items).encode()


def note(cause: str, **evidence: Value) -> Record:
    """The event expected for ``CP-001``."""
    return Record(Note(cause, "CP-001", REMOTE, evidence))


def reported(version: str, name: str, tech_info: str, **evidence: Value) -> Record:
    """The event expected for a report by one of the standard's names."""
    known = STANDARD[version][name]
    told = {"type": name, "tech_info": tech_info, "critical": known.critical, **evidence}
    return Record(Note("station.event", "CP-001", REMOTE, told, known.kind))


def update(version: str, id: str = "m-1", **changes: object) -> bytes:  # noqa: A002 - OCPP's own word
    """An honest firmware update by the CSMS, with changes in its firmware part."""
    firmware = {
        "location": "https://vendor.example/fw.bin",
        "retrieveDateTime": "2026-06-01T12:00:00Z",
        "signingCertificate": MAKER.signer.pem,
        "signature": base64.b64encode(RELEASE.signature).decode(),
        **changes,
    }
    return message(2, id, ACTIONS[version], {"requestId": 7, "firmware": firmware})


# -- what is nobody's business -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    "said",
    [
        message(2, "1", "Heartbeat", {}),
        b'[2,"\\u0031","Heart\\u0062eat",{}]',
    ],
)
def test_what_no_rule_names_goes_on_as_it_came(side: Side, said: bytes) -> None:
    """Also when the head was odd enough to be read in full."""
    play(session(), (Heard(side, said), [Forward()]))


# -- what cannot be read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("version", "code"), [("ocpp1.6", "FormationViolation"), ("ocpp2.0.1", "RpcFrameworkError")])
def test_attack_27_a_malformed_call_is_answered_and_goes_nowhere(side: Side, version: str, code: str) -> None:
    """The sender hears the version's own error code and one word of ours; the other side hears nothing."""
    said = b'[2,"m-1","Heartbeat",{"a":1,"a":2}]'
    evidence = {"fault": "duplicate", "says": "an object holds the same key twice", "beginning": said.decode()}
    answer = message(4, "m-1", code, "duplicate", {}).replace(b" ", b"")
    play(
        session(version),
        (Heard(side, said), [note("message.malformed", side=side.value, **evidence), Say(side, answer)]),
    )


NO_ID = [
    b"hello",
    b'[2,"' + b"x" * 99 + b'","Heartbeat",{}]',
    b'[2,7,"Heartbeat",{}]',
    b"\xff\xfe",
    b'"x"',
    b"[]",
    b"[",
]
ANSWERS = [b'[3,"1"]', b" [ 3,7,{}]", b'[4,"1","X",{}]', b"[5,7]", b'[6,"1","A"]', b"", b" \n"]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("said", NO_ID)
def test_what_has_no_readable_id_is_recorded_and_dropped(said: bytes, side: Side) -> None:
    """OCPP 2.x has a name for such a message, under which its sender is told (OCPP-J 4.2.3); OCPP 1.6 has none."""
    record, told = session("ocpp2.0.1").tell(Heard(side, said), NOON)
    assert isinstance(record, Record)
    assert isinstance(told, Say)
    assert told.side is side
    assert json.loads(told.message)[:3] == [4, "-1", "RpcFrameworkError"]
    assert [type(order) for order in session("ocpp1.6").tell(Heard(side, said), NOON)] == [Record]


def test_a_type_of_message_that_nobody_knows_is_called_that() -> None:
    """OCPP-J 4.3 of OCPP 2.x."""
    _, told = session("ocpp2.1").tell(Heard(STATION, b'[9,"1"]'), NOON)
    assert isinstance(told, Say)
    assert json.loads(told.message)[:3] == [4, "-1", "MessageTypeNotSupported"]


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
@pytest.mark.parametrize("said", ANSWERS)
def test_what_begins_as_an_answer_is_never_answered(said: bytes, version: str) -> None:
    """Two that answer each other's errors would never come to an end; and some stations send nothing to stay awake."""
    orders = session(version).tell(Heard(STATION, said), NOON)
    assert [type(order) for order in orders] == [Record]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b'[3,"m-1",{"a":1,"a":2}]', "duplicate"),
        (b'[3,"m-1",{"a":18446744073709551616}]', "number"),
        (b'[3,"m-1",{},{}]', "arity"),
        (b'[3,"m-1",[]]', "payload"),
        (b'[4,"m-1",7,"",{}]', "text"),
        (b'[3,"m-1",{"a":', "json"),
    ],
)
def test_who_waits_for_an_answer_that_cannot_be_read_is_told_that_there_is_none(
    side: Side, said: bytes, fault: str
) -> None:
    """He would wait until his patience ends, and a station says nothing else meanwhile (OCPP-J 4.1.1); what comes
    under that id later answers nothing."""
    told = session()
    play(told, (Heard(OTHER[side], message(2, "m-1", "DataTransfer", {"vendorId": "v"})), [Forward()]))
    record, answer = told.tell(Heard(side, said), NOON)
    assert isinstance(record, Record)
    assert (record.note.cause, record.note.evidence["fault"]) == ("message.malformed", fault)
    assert answer == Say(OTHER[side], f'[4,"m-1","GenericError","no answer: {fault}",{{}}]'.encode())
    [late] = told.tell(Heard(side, message(3, "m-1", {"status": "Accepted"})), NOON)
    assert isinstance(late, Record)
    assert late.note.cause == "message.unasked"


@pytest.mark.parametrize("side", Side)
def test_an_answer_of_nothing_goes_on_as_it_came(side: Side) -> None:
    """OCPP-J 4.2: null is a payload of nothing; an error may say less than it could."""
    told = session()
    for said in (b'[3,"m-1",null]', b'[4,"m-1","InternalError","boom",null]', b'[4,"m-1",null,"boom",[]]'):
        play(told, (Heard(OTHER[side], message(2, "m-1", "DataTransfer", {"vendorId": "v"})), [Forward()]))
        play(told, (Heard(side, said), [Forward()]))


def test_an_update_of_nothing_is_refused_like_any_other() -> None:
    """No gate takes null for something else than it says."""
    [record, answer] = session().tell(Heard(CSMS, b'[2,"m-1","UpdateFirmware",null]'), NOON)
    assert isinstance(record, Record)
    assert record.note.cause.startswith("firmware.")
    assert isinstance(answer, Say)
    assert answer.side is CSMS


@pytest.mark.parametrize(("need", "reads"), [(Need.HEAD, False), (Need.WHOLE, True)])
def test_a_message_is_read_as_far_as_the_plan_says(need: Need, reads: bool) -> None:
    """Where the head is enough, what a payload holds is nobody's business, neither a call's nor an answer's."""
    wish = Needs({b"reset": need})
    plan = compile_plan(Plan(dict.fromkeys(Side, wish), dict.fromkeys(Side, wish)))
    told = Session(admitted(station(), shown=certificate()), "ocpp2.0.1", world(), plan)
    assert (Forward() in told.tell(Heard(CSMS, b'[2,"0","Reset",{"a":1,"a":2}]'), NOON)) is not reads
    play(told, (Heard(CSMS, message(2, "1", "Reset", {})), [Forward()]))
    assert (Forward() in told.tell(Heard(STATION, b'[3,"1",{"a":1,"a":2}]'), NOON)) is not reads


# -- the station boots -------------------------------------------------------------------------------------------------


def boot(version: str, **serials: str) -> bytes:
    """A BootNotification of that version."""
    if version == "ocpp1.6":
        told: dict[str, object] = {
            "chargePointVendor": "Volta",
            "chargePointModel": "V-22",
            "firmwareVersion": "1.4",
            **serials,
        }
    else:
        told = {"vendorName": "Volta", "model": "V-22", "firmwareVersion": "1.4", **serials}
        told = {"reason": "PowerUp", "chargingStation": told}
    return message(2, "b-1", "BootNotification", told)


@pytest.mark.parametrize(
    ("version", "serials", "learnt"),
    [
        ("ocpp1.6", {}, ""),
        ("ocpp1.6", {"chargePointSerialNumber": "SN-CP-001"}, "SN-CP-001"),
        ("ocpp1.6", {"chargeBoxSerialNumber": "SN-CP-001"}, "SN-CP-001"),
        ("ocpp1.6", {"chargePointSerialNumber": "SN-CP-001", "chargeBoxSerialNumber": "BOX"}, "SN-CP-001"),
        ("ocpp2.0.1", {}, ""),
        ("ocpp2.1", {"serialNumber": "SN-CP-001"}, "SN-CP-001"),
    ],
)
def test_a_boot_is_learnt_and_passed_on(version: str, serials: dict[str, str], learnt: str) -> None:
    """Vendor and model decide later which firmware fits; an optional serial number may be missing (B01.FR.11)."""
    play(
        session(version),
        (Heard(STATION, boot(version, **serials)), [Learn("Volta", "V-22", learnt, "1.4", version), Forward()]),
    )


@pytest.mark.parametrize(
    ("version", "field"),
    [
        ("ocpp1.6", "chargePointSerialNumber"),
        ("ocpp1.6", "chargeBoxSerialNumber"),
        ("ocpp2.0.1", "serialNumber"),
        ("ocpp2.1", "serialNumber"),
    ],
)
def test_a_serial_number_that_is_not_the_certificates_ends_the_connection(version: str, field: str) -> None:
    """B01.FR.12: the message does not reach the CSMS, nothing is learnt, and nothing is done after."""
    play(
        session(version),
        (
            Heard(STATION, boot(version, **{field: "SN-other"})),
            [
                note("cert.serial", reported="SN-other", certificate="SN-CP-001"),
                HangUp(1008, "the serial number is not the certificate's"),
            ],
        ),
        (Heard(STATION, message(2, "1", "Heartbeat", {})), []),
    )


def signed(said: bytes, **more: object) -> bytes:
    """The same call in a signed message; the signature is for the CSMS to verify."""
    kind, id_, action, payload = json.loads(said)
    inside = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    jws = {"protected": "eyJhbGciOiJFUzI1NiJ9", "payload": inside, "signature": "AAAA", **more}
    return message(kind, id_, f"{action}-Signed", jws)


@pytest.mark.parametrize("version", ["ocpp2.0.1", "ocpp2.1"])
def test_what_a_station_says_of_itself_in_a_signed_message_is_heard_as_in_the_clear(version: str) -> None:
    """B01.FR.12 has no exception for it; it goes on as it came where it may."""
    learn = Learn("Volta", "V-22", "SN-CP-001", "1.4", version)
    wrong = note("cert.serial", reported="SN-other", certificate="SN-CP-001")
    alarm = message(2, "2", "SecurityEventNotification", {"type": "MemoryExhaustion", "timestamp": "then"})
    play(
        session(version),
        (Heard(STATION, signed(boot(version, serialNumber="SN-CP-001"))), [learn, Forward()]),
        (Heard(CSMS, message(3, "b-1", {"status": "Accepted"})), [Forward()]),
        (Heard(STATION, signed(alarm)), [reported(version, "MemoryExhaustion", ""), Forward()]),
        (
            Heard(STATION, signed(boot(version, serialNumber="SN-other"))),
            [wrong, HangUp(1008, "the serial number is not the certificate's")],
        ),
    )


@pytest.mark.parametrize("inside", ["", "e30=", "{}", "W10", None])
def test_a_signed_boot_that_cannot_be_read_is_refused(inside: object) -> None:
    """Some CSMS might read it, and nobody here would have compared its serial number."""
    [told, answer] = session("ocpp2.1").tell(Heard(STATION, signed(boot("ocpp2.1"), payload=inside)), NOON)
    assert isinstance(told, Record)
    assert (told.note.cause, told.note.evidence["fault"]) == ("message.malformed", "signed")
    assert answer == Say(STATION, b'[4,"b-1","RpcFrameworkError","signed",{}]')


def test_without_a_certificate_the_serial_number_proves_nothing() -> None:
    """B01.FR.11 is about profile 3; a password does not vouch for a serial number."""
    said = boot("ocpp2.0.1", serialNumber="SN-other")
    play(
        session(profile=2), (Heard(STATION, said), [Learn("Volta", "V-22", "SN-other", "1.4", "ocpp2.0.1"), Forward()])
    )


def test_a_boot_without_vendor_and_model_teaches_nothing() -> None:
    """What the ledger knows is not wiped out by an empty message; the CSMS may answer it as it likes."""
    play(session(), (Heard(STATION, message(2, "1", "BootNotification", {})), [Forward()]))


def test_a_stations_alarm_is_kept_and_passed_on() -> None:
    """A04.FR.01: the CSMS gets it as it came, the journal keeps what it says."""
    said = message(2, "1", "SecurityEventNotification", {"type": "TamperDetectionActivated", "techInfo": "lid"})
    play(
        session(),
        (Heard(STATION, said), [reported("ocpp2.0.1", "TamperDetectionActivated", "lid"), Forward()]),
    )


@pytest.mark.parametrize("name", ["Acme.DoorOpen", "InvalidChargePointCertificate", ""])
def test_a_name_that_the_version_does_not_have_is_the_vendors_own(name: str) -> None:
    """It is kept under a type of ours, with the name as evidence; 1.6's spelling is no name of 2.0.1."""
    said = message(2, "1", "SecurityEventNotification", {"type": name})
    play(session(), (Heard(STATION, said), [note("station.event", type=name, tech_info=""), Forward()]))


@pytest.mark.parametrize(
    ("version", "name", "critical"),
    [("ocpp1.6", "InvalidChargePointCertificate", False), ("ocpp2.1", "InvalidChargingStationCertificate", True)],
)
def test_one_event_of_the_standard_has_one_type_and_each_versions_criticality(
    version: str, name: str, critical: bool
) -> None:
    """Whoever looks for it finds the reports of old stations and of new ones."""
    said = message(2, "1", "SecurityEventNotification", {"type": name})
    record, forward = session(version).tell(Heard(STATION, said), NOON)
    assert isinstance(record, Record)
    assert (record.note.kind.type, record.note.evidence["critical"]) == ("InvalidChargingStationCertificate", critical)
    assert forward == Forward()


# -- firmware ----------------------------------------------------------------------------------------------------------


@VERSIONS
def test_a_verified_update_reaches_the_station_with_our_url(version: str) -> None:
    """Judged, a URL asked for, then sent on under its own id with nothing else changed (A00.FR.707)."""
    told = session(version)
    asked = update(version)
    play(told, (Heard(CSMS, asked), [Ask(1, RELEASE.digest, "m-1")]))
    recorded, said = told.tell(Granted(1, URL), NOON)
    assert recorded == note("firmware.cleared", digest=RELEASE.digest, message_id="m-1")
    assert isinstance(said, Say)
    before, after = json.loads(asked), json.loads(said.message)
    before[3]["firmware"]["location"] = URL
    assert (said.side, after) == (STATION, before)
    assert HEAD.match(said.message)


@VERSIONS
@pytest.mark.parametrize(
    ("changes", "cause"),
    [({"signature": "AAAA"}, "firmware.signature"), ({"signature": ""}, "firmware.unsigned")],
)
def test_attack_32_an_update_the_gate_refuses_never_reaches_the_station(
    version: str, changes: dict[str, str], cause: str
) -> None:
    """The CSMS is answered in the station's place, and the event names the station and its address."""
    orders = session(version).tell(Heard(CSMS, update(version, **changes)), NOON)
    record, said = orders
    assert isinstance(record, Record)
    assert isinstance(said, Say)
    assert (record.note.cause, record.note.station, record.note.remote) == (cause, "CP-001", REMOTE)
    assert said.side is CSMS
    assert json.loads(said.message)[:2] == [3, "m-1"]


def test_the_old_unsigned_update_is_answered_as_a_secure_station_would() -> None:
    """OCPP 1.6 L01.FR.20: CALLERROR NotSupported."""
    asked = message(2, "m-1", "UpdateFirmware", {"location": "https://x/fw", "retrieveDate": "2026-06-01T12:00:00Z"})
    record, said = session("ocpp1.6").tell(Heard(CSMS, asked), NOON)
    assert isinstance(record, Record)
    assert isinstance(said, Say)
    assert record.note.cause == "firmware.unsigned"
    assert json.loads(said.message)[:3] == [4, "m-1", "NotSupported"]


@pytest.mark.parametrize(
    ("version", "action"),
    [
        ("ocpp1.6", "SignedUpdateFirmware-Signed"),
        ("ocpp2.1", "UpdateFirmware-Signed"),
        ("ocpp2.1", "PublishFirmware-Signed"),
    ],
)
def test_an_update_inside_a_signed_message_does_not_slip_through(version: str, action: str) -> None:
    """It cannot be given our URL without breaking its seal, so the CSMS hears that it is not supported."""
    asked = message(2, "m-1", action, {"payload": "eyJ9", "signatures": []})
    record, said = session(version).tell(Heard(CSMS, asked), NOON)
    assert record == note("firmware.sealed", action=action, message_id="m-1")
    assert isinstance(said, Say)
    assert json.loads(said.message)[:3] == [4, "m-1", "NotSupported"]


def test_an_update_dressed_as_an_unanswered_message_does_not_slip_through() -> None:
    """OCPP 2.1's SEND asks for no answer; a careless station might act on it all the same."""
    asked = message(6, "m-1", "UpdateFirmware", {})
    says = "nothing that a CSMS says goes unanswered"
    expected = note("message.malformed", side="csms", fault="send", says=says, message_id="m-1")
    play(session("ocpp2.1"), (Heard(CSMS, asked), [expected]))


def test_an_update_with_an_escaped_name_does_not_slip_through() -> None:
    """The head does not match, so the strict reader unescapes what a station would unescape."""
    asked = update("ocpp2.0.1").replace(b'"UpdateFirmware"', b'"Update\\u0046irmware"')
    assert HEAD.match(asked) is None
    play(session(), (Heard(CSMS, asked), [Ask(1, RELEASE.digest, "m-1")]))


@VERSIONS
@pytest.mark.parametrize("fact", [Declined(1, "authority.unreachable"), Granted(1, "http://evil.example/fw bin")])
def test_without_a_url_of_ours_the_update_is_rejected(version: str, fact: Declined | Granted) -> None:
    """The authority is away, or gave what is no URL of ours: the CSMS may try again, the station hears nothing."""
    told = session(version)
    play(told, (Heard(CSMS, update(version)), [Ask(1, RELEASE.digest, "m-1")]))
    record, said = told.tell(fact, NOON)
    assert isinstance(record, Record)
    assert isinstance(said, Say)
    assert (record.note.cause, said.side) == ("firmware.declined", CSMS)
    assert json.loads(said.message)[2]["status"] == "Rejected"
    play(told, (fact, []))


def test_updates_that_wait_are_bounded() -> None:
    """One more than the limit is rejected; when one is done there is room again."""
    told = session()
    for number in range(1, PENDING_LIMIT + 1):
        play(told, (Heard(CSMS, update("ocpp2.0.1", f"m-{number}")), [Ask(number, RELEASE.digest, f"m-{number}")]))
    record, said = told.tell(Heard(CSMS, update("ocpp2.0.1", "m-9")), NOON)
    assert record == note("firmware.busy", action="UpdateFirmware", message_id="m-9")
    assert isinstance(said, Say)
    assert json.loads(said.message)[2]["status"] == "Rejected"
    told.tell(Declined(1, "x"), NOON)
    play(told, (Heard(CSMS, update("ocpp2.0.1", "m-10")), [Ask(PENDING_LIMIT + 1, RELEASE.digest, "m-10")]))


def test_the_ledgers_present_word_decides_which_firmware_fits() -> None:
    """What was learnt from a boot after admission counts; what the station was when it came in does not."""
    known = world()
    told = session(known=known)
    known.stations["CP-001"] = dataclasses.replace(known.stations["CP-001"], model="V-11")
    record, _ = told.tell(Heard(CSMS, update("ocpp2.0.1")), NOON)
    assert isinstance(record, Record)
    assert record.note.cause == "firmware.target"


# -- the policy --------------------------------------------------------------------------------------------------------

REJECTED = {"status": "Rejected", "statusInfo": {"reasonCode": "PolicyRefused", "additionalInfo": "refused by policy"}}
POLICY = """
[allow]
station = "known"
csms = "known"

[[rule]]
name = "no-resets"
clause = "attack 36"
from = "csms"
actions = ["Reset", "SetVariables", "UpdateFirmware"]
deny = true

[[rule]]
name = "no-streams"
clause = "attack 37"
from = "station"
actions = ["NotifyPeriodicEventStream"]
deny = true

[[rule]]
name = "watched"
clause = "attack 37"
from = "station"
actions = ["DataTransfer", "Heartbeat"]
mode = "observe"
deny = true
"""


def under_policy(version: str = "ocpp2.0.1", text: str = POLICY) -> Session:
    """A session of ``CP-001`` under that policy."""
    rulebook = Rulebook(parse_policy("own", text, ZoneInfo), version, "csms.example.org")
    policy = InForce(rulebook, Gauges(), compile_plan(rulebook.plan))
    return Session(admitted(station(), shown=certificate()), version, world(), policy.plan, policy)


def by_policy(cause: str, rule: str, clause: str, side: str, action: str, **more: Value) -> Record:
    """The event expected for ``CP-001``, with the rule's clause in the place of the cause's."""
    enforced = cause == "policy.refused"
    says = "the policy does not let this action through" if rule == "allow" else "the policy forbids it"
    evidence = {"policy": "own", "rule": rule, "clause": clause, "mode": "enforce" if enforced else "observe",
                "side": side, "action": action, "says": says, "message_id": "m-1", **more}  # fmt: skip
    return Record(Note(cause, "CP-001", REMOTE, evidence, dataclasses.replace(CAUSES[cause], clause=clause)))


@pytest.mark.parametrize(
    ("version", "action", "answer"),
    [
        ("ocpp1.6", "Reset", [3, "m-1", {"status": "Rejected"}]),
        (
            "ocpp2.0.1",
            "Reset",
            [3, "m-1", REJECTED],
        ),
        ("ocpp2.0.1", "SetVariables", [4, "m-1", "SecurityError", "refused by policy", {}]),
        ("ocpp2.0.1", "UpdateFirmware", [3, "m-1", REJECTED]),
        ("ocpp2.0.1", "MadeUp", [4, "m-1", "NotImplemented", "refused by policy", {}]),
    ],
)  # fmt: skip
def test_what_the_policy_forbids_is_answered_as_its_action_can(version: str, action: str, answer: list[object]) -> None:
    """The station never hears of it, and the id is free again; the gate is not asked about what is forbidden anyway."""
    told = under_policy(version)
    rule, clause = ("allow", "OCPP-J 4.3") if action == "MadeUp" else ("no-resets", "attack 36")
    said = Say(CSMS, json.dumps(answer, separators=(",", ":")).encode())
    expected = by_policy("policy.refused", rule, clause, "csms", action)
    for _ in range(2):
        play(told, (Heard(CSMS, message(2, "m-1", action, {})), [expected, said]))


def test_attack_35_what_a_data_transfer_carries_is_refused_as_one() -> None:
    """With the status of the call that was made; the event says what was inside."""
    policy = POLICY.replace('actions = ["Reset"', 'actions = ["InstallCertificate", "Reset"')
    pnc = {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": "InstallCertificate", "data": "{}"}
    said = Say(CSMS, b'[3,"m-1",{"status":"Rejected"}]')
    more = {"carried": "installcertificate"}
    expected = by_policy("policy.refused", "no-resets", "attack 36", "csms", "DataTransfer", **more)
    play(under_policy("ocpp1.6", policy), (Heard(CSMS, message(2, "m-1", "DataTransfer", pnc)), [expected, said]))


@pytest.mark.parametrize("version", ["ocpp2.0.1", "ocpp2.1"])
def test_a_rule_holds_for_what_is_signed_in_either_direction(version: str) -> None:
    """By what it says; what may be goes on as it came, the rest is refused with an error, and the id is free again."""
    rule = '[[rule]]\nname = "{0}"\nclause = "attack 36"\nfrom = "{1}"\nactions = ["{2}"]\n'
    told = under_policy(
        version,
        '[allow]\nstation = "known"\ncsms = "known"\n'
        + rule.format("soft", "csms", "Reset") + 'schema = { properties = { type = { const = "OnIdle" } } }\n'
        + rule.format("urls", "station", "GetCertificateStatus")
        + 'urls = { fields = ["ocspRequestData.responderURL"], schemes = ["https"] }\n',
    )  # fmt: skip
    asks = [{"ocspRequestData": {"responderURL": f"{scheme}://a.example/"}} for scheme in ("https", "file")]
    said: list[tuple[Side, str, object, object]] = [
        (CSMS, "Reset-Signed", {"type": "OnIdle"}, {"type": "Immediate"}),
        (STATION, "GetCertificateStatus-Signed", asks[0], asks[1]),
    ]
    for side, action, good, bad in said:
        for payload in (sealed(bad), bad, sealed(good, payload="e30="), sealed(sealed(good))):
            record, answer = told.tell(Heard(side, message(2, "m-1", action, payload)), NOON)
            assert isinstance(record, Record)
            assert (record.note.cause, record.note.evidence["action"]) == ("policy.refused", action)
            assert answer == Say(side, b'[4,"m-1","SecurityError","refused by policy",{}]')
        play(told, (Heard(side, message(2, "m-1", action, sealed(good))), [Forward()]))


def test_what_the_policy_only_observes_is_noted_and_goes_on() -> None:
    """Within what a session may have noted: a flood of it fills no journal, and what was left out is counted."""
    told = under_policy()
    said = [message(2, str(number), "DataTransfer", {"vendorId": "x"}) for number in range(NOTED_AT_ONCE + 4)]
    for text in said[:NOTED_AT_ONCE]:
        assert [type(order) for order in told.tell(Heard(STATION, text), NOON)] == [Record, Forward]
    play(told, *[(Heard(STATION, text), [Forward()]) for text in said[NOTED_AT_ONCE:]])
    later = by_policy("policy.observed", "watched", "attack 37", "station", "Heartbeat", left_out=4)
    play(told, (Heard(STATION, message(2, "m-1", "Heartbeat", {})), [later, Forward()]), now=NOON + dt.timedelta(0, 2))


def test_a_flood_of_what_is_forbidden_is_answered_and_not_written_down() -> None:
    """Each is still refused; the station's connection is not lost because its CSMS insists."""
    told = under_policy()
    for number in range(NOTED_AT_ONCE):
        told.tell(Heard(CSMS, message(2, str(number), "Reset", {})), NOON)
    [answer] = told.tell(Heard(CSMS, message(2, "m-1", "Reset", {})), NOON)
    assert isinstance(answer, Say)


@pytest.mark.parametrize("action", ["DataTransfer", "Reset"])
def test_what_the_policy_remarks_on_uses_up_nothing_of_what_ends_a_connection(action: str) -> None:
    """A station that is watched all day may boot, and its CSMS may update it, as any other's may."""
    told = under_policy()
    side = STATION if action == "DataTransfer" else CSMS
    for number in range(NOTED_AT_ONCE + 10):
        told.tell(Heard(side, message(2, f"x{number}", action, {})), NOON)
    boot = message(2, "m-1", "BootNotification", {"chargingStation": {"vendorName": "Acme", "model": "One"}})
    assert Forward() in told.tell(Heard(STATION, boot), NOON)


def test_what_nobody_answers_and_the_policy_forbids_goes_nowhere() -> None:
    """OCPP 2.1's SEND: there is an event, and nothing else."""
    expected = by_policy("policy.refused", "no-streams", "attack 37", "station", "NotifyPeriodicEventStream")
    sent = message(6, "m-1", "NotifyPeriodicEventStream", {})
    play(under_policy("ocpp2.1"), (Heard(STATION, sent), [expected]))


# -- what nobody may read ----------------------------------------------------------------------------------------------

PASSWORD = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
TELLS = [
    ("ocpp1.6", "GetConfiguration", {"configurationKey": [{"key": "AuthorizationKey", "value": "s3cr3t"}]}),
    ("ocpp2.0.1", "GetVariables", {"getVariableResult": [{**PASSWORD, "attributeValue": "s3cr3t"}]}),
]


@pytest.mark.parametrize(("version", "action", "told"), TELLS)
def test_attack_34_a_station_that_tells_its_password_is_told_of_and_its_answer_goes_on(
    version: str, action: str, told: object
) -> None:
    """Once a session, by name and without the value; the CSMS alone may say the same without a word."""
    name = "authorizationkey" if version == "ocpp1.6" else "basicauthpassword"
    alarm = note("station.secret_told", action=action.lower(), names=name, message_id="1")
    play(
        session(version),
        (Heard(CSMS, message(2, "1", action, {})), [Forward()]),
        (Heard(STATION, message(3, "1", told)), [alarm, Forward()]),
        (Heard(CSMS, message(2, "2", action, {})), [Forward()]),
        (Heard(STATION, message(3, "2", told)), [Forward()]),
        (Heard(STATION, message(2, "3", action, {})), [Forward()]),
        (Heard(CSMS, message(3, "3", told)), [Forward()]),
    )


def sealed(said: object, **more: object) -> dict[str, object]:
    """A payload as a signed message has it."""
    inside = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    return {"protected": "eyJhbGciOiJFUzI1NiJ9", "payload": inside, "signature": "AAAA", **more}


@pytest.mark.parametrize("suffix", ["", "-Signed"])
@pytest.mark.parametrize(("version", "action", "told"), TELLS)
def test_attack_34_a_signed_answer_tells_as_one_in_the_clear_does(
    version: str, action: str, told: object, suffix: str
) -> None:
    """Whether what it answers was signed or not; and an answer in the clear to what was signed tells as well."""
    name = "authorizationkey" if version == "ocpp1.6" else "basicauthpassword"
    for answer in (sealed(told), sealed(told, signature=0, protected="?"), told):
        alarm = note("station.secret_told", action=(action + suffix).lower(), names=name, message_id="1")
        play(
            session(version),
            (Heard(CSMS, message(2, "1", action + suffix, {"payload": "e30"})), [Forward()]),
            (Heard(STATION, message(3, "1", answer)), [alarm, Forward()]),
        )


@pytest.mark.parametrize(
    "written", ["e30=", "e30\n", "+/+/", '{"getVariableResult":[]}', None, "W10", "eyJhIjoxLCJhIjoxfQ"]
)
def test_a_signed_answer_or_report_that_cannot_be_read_goes_nowhere(written: object) -> None:
    """Like one in the clear: the asker is told so, and the report is answered."""
    told = session("ocpp2.0.1")
    play(told, (Heard(CSMS, message(2, "1", "GetVariables", {})), [Forward()]))
    record, answer = told.tell(Heard(STATION, message(3, "1", sealed({}, payload=written))), NOON)
    assert isinstance(record, Record)
    assert (record.note.cause, record.note.evidence["fault"]) == ("message.malformed", "signed")
    assert answer == Say(CSMS, b'[4,"1","GenericError","no answer: signed",{}]')
    record, answer = told.tell(
        Heard(STATION, message(2, "2", "NotifyReport-Signed", sealed({}, payload=written))), NOON
    )
    assert isinstance(record, Record)
    assert record.note.cause == "message.malformed"
    assert answer == Say(STATION, b'[4,"2","RpcFrameworkError","signed",{}]')


@pytest.mark.parametrize("need", [Need.PASS, Need.HEAD])
@pytest.mark.parametrize("side", Side)
def test_what_is_signed_twice_goes_nowhere(side: Side, need: Need) -> None:
    """However little the plan would read of it; nothing of it is unwrapped."""
    wish = Plan(dict.fromkeys(Side, Needs(rest=need)), dict.fromkeys(Side, Needs()))
    told = Session(admitted(station(), shown=certificate()), "ocpp2.1", world(), compile_plan(wish))
    said = message(2, "1", "UpdateFirmware-Signed-Signed", sealed(sealed({})))
    record, answer = told.tell(Heard(side, said), NOON)
    assert isinstance(record, Record)
    assert record.note.evidence["says"] == "inside the signed message: it is a signed message itself"
    assert answer == Say(side, b'[4,"1","RpcFrameworkError","signed",{}]')


@pytest.mark.parametrize("action", ["TransactionEvent-Signed", "DataTransfer-Signed", "BootNotification-Signed"])
@pytest.mark.parametrize("need", [Need.PASS, Need.HEAD])
def test_what_is_read_no_further_than_its_head_is_not_looked_into(action: str, need: Need) -> None:
    """Nobody judges what it says: it goes on. A boot is read whatever the others wish."""
    wish = Plan(dict.fromkeys(Side, Needs(rest=need)), dict.fromkeys(Side, Needs()))
    told = Session(admitted(station(), shown=certificate()), "ocpp2.1", world(), compile_plan(wish))
    orders = told.tell(Heard(STATION, message(2, "1", action, {"payload": "?"})), NOON)
    assert (orders == [Forward()]) is not action.startswith("Boot")


def test_attack_34_a_signed_report_tells_as_one_in_the_clear() -> None:
    """Named as it was said."""
    report = {"reportData": [{**PASSWORD, "variableAttribute": [{"type": "Actual", "value": "s3cr3t"}]}]}
    alarm = note("station.secret_told", action="notifyreport-signed", names="basicauthpassword", message_id="1")
    said = message(2, "1", "NotifyReport-Signed", sealed(report))
    play(session("ocpp2.1"), (Heard(STATION, said), [alarm, Forward()]))


@pytest.mark.parametrize("action", ["NotifyReport", "NotifyReport-Signed"])
def test_a_report_that_wants_no_answer_is_none(action: str) -> None:
    """Whether schemas are held against it or not: it is a call."""
    said = message(6, "1", action, sealed({}))
    play(session("ocpp2.1"), (Heard(STATION, said), [misplaced(STATION, "send", f"{action} is a call")]))


def test_attack_34_a_report_tells_as_an_answer_does() -> None:
    """A whole inventory is asked for once, and comes in calls of the station's."""
    report = {"reportData": [{**PASSWORD, "variableAttribute": [{"type": "Actual", "value": "s3cr3t"}]}]}
    alarm = note("station.secret_told", action="notifyreport", names="basicauthpassword", message_id="1")
    play(session(), (Heard(STATION, message(2, "1", "NotifyReport", report)), [alarm, Forward()]))


# -- the end -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
def test_after_the_end_nothing_is_ordered(side: Side) -> None:
    """Waiting updates are forgotten, and a URL that comes late goes nowhere."""
    play(
        session(),
        (Heard(CSMS, update("ocpp2.0.1")), [Ask(1, RELEASE.digest, "m-1")]),
        (HungUp(side), []),
        (Granted(1, URL), []),
        (Heard(CSMS, update("ocpp2.0.1")), []),
    )


def test_a_ticket_nobody_drew_is_no_ticket() -> None:
    """Neither a grant nor a refusal out of the blue does anything."""
    play(session(), (Granted(7, URL), []), (Declined(7, "x"), []))


def _messages() -> st.SearchStrategy[bytes]:
    """Arrays that look much like messages."""
    item = st.sampled_from(
        [2, 3, 6, "1", "UpdateFirmware", "BootNotification", "SecurityEventNotification", {}, {"type": 1}]
    )
    return st.lists(item, max_size=5).map(lambda items: json.dumps(items).encode())


@given(st.lists(st.tuples(st.sampled_from(Side), st.binary(max_size=30) | _messages()), max_size=6))
def test_no_message_makes_a_session_stumble(said: list[tuple[Side, bytes]]) -> None:
    """Whatever either side says: it goes on unchanged or it does not, and the station never hears an update unasked."""
    told = session("ocpp1.6", profile=int(SecurityProfile.TLS_BASIC))
    for side, text in said:
        orders: list[Order] = told.tell(Heard(side, text), NOON)
        assert [order for order in orders if isinstance(order, Forward)] in ([], [Forward()])
        assert not any(isinstance(order, Say) and order.side is not side for order in orders)
        assert not (side is CSMS and b"UpdateFirmware" in text and Forward() in orders and text[:2] == b"[2")


ALARM = message(2, "1", "SecurityEventNotification", {"type": "MemoryExhaustion", "timestamp": "2026-06-01T12:00:00Z"})


@pytest.mark.parametrize(
    ("side", "said"),
    [
        pytest.param(STATION, b"[2,", id="what nobody can read"),
        pytest.param(STATION, message(2, "1", "BootNotification", {}), id="boots"),
        pytest.param(CSMS, message(2, "1", "UpdateFirmware", {}), id="updates that are none"),
    ],
)
def test_attack_29_a_flood_of_messages_that_need_attention_ends_the_connection(side: Side, said: bytes) -> None:
    """Row 29: each costs an event, a judgement or a question; beyond a station's fair need the sender is cut off."""
    told = session()
    for _ in range(NOTED_AT_ONCE):
        assert not any(isinstance(order, HangUp) for order in told.tell(Heard(side, said), NOON))
    cut: list[Order] = [note("message.flood", side=side.value), HangUp(1008, "too many messages that need attention")]
    play(told, (Heard(side, said), cut), (Heard(side, said), []))


def test_attack_29_a_flood_of_alarms_goes_on_but_is_copied_no_further_than_allowed() -> None:
    """Row 29: one station cannot fill the journal; what was left out is counted in the next event."""
    told, alarms = session(), [message(2, str(number), *json.loads(ALARM)[2:]) for number in range(NOTED_AT_ONCE + 3)]
    for alarm in alarms[:NOTED_AT_ONCE]:
        assert len(told.tell(Heard(STATION, alarm), NOON)) == 2
    play(told, *((Heard(STATION, alarm), [Forward()]) for alarm in alarms[NOTED_AT_ONCE:-1]))
    copied = reported("ocpp2.0.1", "MemoryExhaustion", "", left_out=2)
    play(told, (Heard(STATION, alarms[-1]), [copied, Forward()]), now=NOON + dt.timedelta(seconds=2))


def test_attack_29_the_dull_message_is_never_counted() -> None:
    """A busy station is no flood."""
    told = session()
    for number in range(3 * NOTED_AT_ONCE):
        assert told.tell(Heard(STATION, message(2, str(number), "Heartbeat", {})), NOON) == [Forward()]


@pytest.mark.parametrize("asker", Side)
@pytest.mark.parametrize("answer", [(3, "1", {}), (4, "1", "GenericError", "", {})])
def test_attack_28_a_call_is_answered_once_and_by_the_other_side(asker: Side, answer: tuple[object, ...]) -> None:
    """Row 28: whoever asked cannot answer itself, and a second answer has no call left."""
    said, other = message(*answer), OTHER[asker]
    refused = {side: [note("message.unasked", side=side.value, message_id="1")] for side in Side}
    play(
        session(),
        (Heard(other, said), refused[other]),
        (Heard(asker, message(2, "1", "GetLocalListVersion", {})), [Forward()]),
        (Heard(asker, said), refused[asker]),
        (Heard(other, said), [Forward()]),
        (Heard(other, said), refused[other]),
    )


def test_attack_29_an_id_that_waits_names_no_second_call() -> None:
    """Row 29: the same id may be in use on either side, and again once it was answered."""
    call, other = message(2, "1", "Heartbeat", {}), message(2, "1", "StatusNotification", {})
    answer = message(4, "1", "RpcFrameworkError", "the id of a call that waits", {}).replace(b", ", b",")
    reused = note("message.id_reused", side="station", action="StatusNotification", message_id="1")
    play(
        session(),
        (Heard(STATION, call), [Forward()]),
        (Heard(CSMS, message(2, "1", "ClearCache", {})), [Forward()]),
        (Heard(STATION, other), [reused, Say(STATION, answer)]),
        (Heard(CSMS, message(3, "1", {})), [Forward()]),
        (Heard(STATION, other), [Forward()]),
    )


def test_attack_28_what_the_proxy_answered_itself_is_answered_by_nobody_else() -> None:
    """Row 28: the station never heard of a refused update, so an answer of its is one to nothing."""
    told = session()
    assert len(told.tell(Heard(CSMS, message(2, "u", "UpdateFirmware-Signed", {})), NOON)) == 2
    unasked = [note("message.unasked", side="station", message_id="u")]
    play(told, (Heard(STATION, message(3, "u", {"status": "Accepted"})), unasked))


@pytest.mark.parametrize(
    "action", ["updateFirmware", "UPDATEFIRMWARE-SIGNED", "publishfirmware", "SignedUpdateFirmware"]
)
def test_attack_32_an_update_in_another_spelling_or_version_does_not_slip_through(action: str) -> None:
    """Row 32: a station that does not mind the case, or knows another version's actions, is not reached that way."""
    said = json.loads(update("ocpp2.0.1"))
    [recorded, answered] = session("ocpp2.0.1").tell(Heard(CSMS, message(*said[:2], action, said[3])), NOON)
    assert isinstance(recorded, Record)
    assert isinstance(answered, Say)
    assert answered.side is CSMS


# -- the schemas -------------------------------------------------------------------------------------------------------


def unfit(cause: str, side: Side, kind: str, action: str, path: str, rule: str, says: str) -> Record:
    """The event expected of a fault."""
    return note(cause, side=side.value, kind=kind, action=action, path=path, rule=rule, says=says)


def test_a_report_that_breaks_its_schema_goes_on_and_is_told_once() -> None:
    """Stations in the field break schemas: each place is an event of its connection, and the message arrives."""
    said = message(2, "1", "StatusNotification", {"connectorId": "1", "errorCode": "NoError", "status": "Available"})
    again = said.replace(b'"1", "Status', b'"2", "Status')
    told = unfit("message.schema", STATION, "call", "statusnotification", "$.connectorId", "type", "it is no integer")
    told = note("message.schema", **{**told.note.evidence, "action": "StatusNotification"})
    play(held(), (Heard(STATION, said), [told, Forward()]), (Heard(STATION, again), [Forward()]))


@pytest.mark.parametrize(
    ("version", "action", "payload", "code", "says"),
    [
        (
            "ocpp1.6",
            "ChangeConfiguration",
            {"key": "AuthorizationKey"},
            "OccurenceConstraintViolation",
            "missing: value",
        ),
        ("ocpp1.6", "ChangeConfiguration", {"key": "a", "value": "b", "c": 1}, "FormationViolation", "unknown: c"),
        ("ocpp2.0.1", "SetVariables", {"setVariableData": "x"}, "TypeConstraintViolation", "it is no array"),
        ("ocpp2.1", "SetVariables", {"setVariableData": []}, "OccurrenceConstraintViolation", "items, at least: 1"),
        ("ocpp2.1", "GetInstalledCertificateIds", {"certificateType": ["y"]}, "PropertyConstraintViolation", "none of"),
    ],
)
def test_a_call_about_security_that_breaks_its_schema_is_answered_by_the_proxy(
    version: str, action: str, payload: dict[str, object], code: str, says: str
) -> None:
    """By default already: the CSMS hears its version's own code, the station nothing, and the id is free again."""
    session = held(version)
    first, answer = session.tell(Heard(CSMS, message(2, "m-1", action, payload)), NOON)
    assert isinstance(first, Record)
    assert isinstance(answer, Say)
    assert (first.note.cause, answer.side) == ("message.schema_refused", CSMS)
    kind, message_id, told, described, _ = json.loads(answer.message)
    assert (kind, message_id, told) == (4, "m-1", code)
    assert says in described
    assert session.tell(Heard(STATION, message(3, "m-1", {})), NOON) == [note_unasked("m-1")]


def note_unasked(message_id: str) -> Record:
    """The event expected of an answer to nothing."""
    return note("message.unasked", side="station", message_id=message_id)


def test_an_answer_about_security_that_breaks_its_schema_becomes_an_error() -> None:
    """Whoever asked is told in the answer's place, and need not wait for ever."""
    session = held()
    session.tell(Heard(STATION, message(2, "s-1", "SignCertificate", {"csr": "x"})), NOON)
    says = "it is none of Accepted, Rejected"
    told = unfit("message.schema_refused", CSMS, "result", "signcertificate", "$.status", "enum", says)
    error = f'[4,"s-1","PropertyConstraintViolation","$.status: {says}",{{}}]'.encode()
    play(session, (Heard(CSMS, message(3, "s-1", {"status": "Perhaps"})), [told, Say(STATION, error)]))


def test_an_action_that_is_none_goes_on_unless_the_schema_is_enforced() -> None:
    """A vendor's own word is told and passed on; where a side is held to the standard it is not implemented here."""
    said = message(2, "1", "AcmeThing", {})
    told = ("call", "AcmeThing", "$", "action", "no action of this version")
    play(held(), (Heard(STATION, said), [unfit("message.schema", STATION, *told), Forward()]))
    strict = held(settings=MessageSettings(schema_station=Mode.ENFORCE))
    error = b'[4,"1","NotImplemented","$: no action of this version",{}]'
    play(strict, (Heard(STATION, said), [unfit("message.schema_refused", STATION, *told), Say(STATION, error)]))


def test_off_is_off_and_a_plan_may_still_hold_one_action_to_its_schema() -> None:
    """What is switched off for a side is not looked at; who makes plans of his own has the last word."""
    off = MessageSettings(Mode.OFF, Mode.OFF)
    said = message(2, "1", "Reset", {"type": 9})
    play(held(settings=off), (Heard(CSMS, said), [Forward()]))
    plan = Plan({STATION: Needs(), CSMS: Needs({b"reset": Need.SCHEMA})})
    orders = held(settings=off, plan=plan).tell(Heard(CSMS, said), NOON)
    assert [type(order) for order in orders] == [Record, Say]


def test_an_observed_station_is_never_cut_off_for_its_faults() -> None:
    """However many it makes: they use up nothing of what its boot and its alarms need."""
    session = held()
    for number in range(NOTED_AT_ONCE * 3):
        said = message(2, str(number), "MeterValues", {f"n{number}": 1})
        orders = session.tell(Heard(STATION, said), NOON)
        assert orders[-1] == Forward()
        assert len(orders) <= 4
        assert (len(orders) == 1) is (number > 0), "the place is the same, and no name of a key is a place"
    boot = message(2, "b", "BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
    assert session.tell(Heard(STATION, boot), NOON)[-1] == Forward()
    assert LOOKS_AT_ONCE < NOTED_AT_ONCE


def test_attack_29_a_flood_of_calls_that_must_fit_ends_the_connection() -> None:
    """What is refused is written down, so it is counted."""
    session = held()
    for number in range(NOTED_AT_ONCE):
        session.tell(Heard(CSMS, message(2, str(number), "SetNetworkProfile", {})), NOON)
        session.tell(Heard(CSMS, message(2, f"c{number}", "ChangeConfiguration", {})), NOON)
    assert session.tell(Heard(CSMS, message(2, "z", "ChangeConfiguration", {})), NOON) == []


SIGNED = {"payload": "e30", "signature": "x"}


@pytest.mark.parametrize("version", ["ocpp2.0.1", "ocpp2.1"])
def test_what_touches_security_does_not_go_on_inside_a_signed_message(version: str) -> None:
    """Where faults are only observed, other signed messages go on with an event; where all must fit, none does."""
    secret, other = message(2, "1", "SetVariables-Signed", SIGNED), message(2, "2", "Reset-Signed", SIGNED)
    refused = message(4, "1", "NotSupported", f"$: {SEALED.says}", {})
    strict = MessageSettings(schema_csms=Mode.ENFORCE)
    for settings, causes in ((MessageSettings(), ["message.schema"]), (strict, ["message.schema_refused"])):
        told = held(version, settings)
        note_, answer = told.tell(Heard(CSMS, secret), NOON)
        assert isinstance(note_, Record)
        assert (note_.note.cause, note_.note.evidence["rule"]) == ("message.schema_refused", "signed")
        assert isinstance(answer, Say)
        assert (answer.side, json.loads(answer.message)) == (CSMS, json.loads(refused))
        orders = told.tell(Heard(CSMS, other), NOON)
        assert [order.note.cause for order in orders if isinstance(order, Record)] == causes
        assert (Forward() in orders) is (settings is not strict)


# -- what a DataTransfer carries ---------------------------------------------------------------------------------------


def transfer(action: str, data: object, id_: str = "1", **changes: object) -> bytes:
    """A call of OCPP 2.0.1 as Plug & Charge over OCPP 1.6 carries it."""
    text = data if isinstance(data, str) else json.dumps(data)
    inside = {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": action, "data": text, **changes}
    return message(2, id_, "DataTransfer", inside)


HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c"}
FITS: list[tuple[Side, str, dict[str, object]]] = [
    (STATION, "SignCertificate", {"csr": "x", "certificateType": "V2GCertificate"}),
    (STATION, "Authorize", {"idToken": {"idToken": "x", "type": "eMAID"}}),
    (STATION, "GetCertificateStatus", {"ocspRequestData": {**HASH, "responderURL": "http://a.example/"}}),
    (STATION, "Get15118EVCertificate", {"iso15118SchemaVersion": "a", "action": "Install", "exiRequest": "x"}),
    (CSMS, "CertificateSigned", {"certificateChain": "x"}),
    (CSMS, "InstallCertificate", {"certificateType": "V2GRootCertificate", "certificate": "x"}),
    (CSMS, "DeleteCertificate", {"certificateHashData": HASH}),
    (CSMS, "GetInstalledCertificateIds", {"certificateType": ["V2GRootCertificate"]}),
    (CSMS, "TriggerMessage", {"requestedMessage": "SignV2GCertificate"}),
]
STRICT = MessageSettings(schema_station=Mode.ENFORCE, schema_csms=Mode.ENFORCE)
OFF = MessageSettings(schema_station=Mode.OFF, schema_csms=Mode.OFF)
SETTINGS = pytest.mark.parametrize("settings", [MessageSettings(), STRICT, OFF], ids=["observe", "enforce", "off"])


def outcome(orders: list[Order]) -> tuple[list[tuple[str, object, object]], bool]:
    """The faults that were told, each with cause, rule and what is said of it, and whether the message went on."""
    notes = [order.note for order in orders if isinstance(order, Record)]
    assert {note.cause for note in notes} <= {"message.schema", "message.schema_refused"}
    return [(note.cause, note.evidence["rule"], note.evidence["says"]) for note in notes], Forward() in orders


@SETTINGS
@pytest.mark.parametrize(("side", "action", "payload"), FITS)
def test_what_is_carried_is_held_to_what_it_is_in_the_clear(
    side: Side, action: str, payload: dict[str, object], settings: MessageSettings
) -> None:
    """The same faults, told or refused by the same settings, with the way to them; what fits goes on as it came."""
    wrong: list[dict[str, object]] = [{}, {**payload, "customDatum": 1}, {**payload, next(iter(payload)): 7}]
    for said in (payload, *wrong):
        clear = held("ocpp2.0.1", settings).tell(Heard(side, message(2, "1", action, said)), NOON)
        told = held("ocpp1.6", settings).tell(Heard(side, transfer(action.upper(), said)), NOON)
        assert outcome(told) == outcome(clear)
        for order in told:
            if isinstance(order, Record):
                assert (order.note.evidence["action"], order.note.evidence["carried"]) == (
                    "DataTransfer",
                    action.lower(),
                )
                assert str(order.note.evidence["path"]).startswith("$.data")


def test_what_is_carried_and_does_not_fit_is_refused_in_the_words_of_the_session() -> None:
    """Those of OCPP 1.6; the other side never hears of it, and the id is free again."""
    told, said = held(), transfer("SignCertificate", {"csr": 7})
    says = "$.data.csr: it is no string"
    for _ in range(2):
        record, answer = told.tell(Heard(STATION, said), NOON)
        assert isinstance(record, Record)
        assert record.note.evidence["path"] == "$.data.csr"
        assert isinstance(answer, Say)
        assert (answer.side, json.loads(answer.message)) == (STATION, [4, "1", "TypeConstraintViolation", says, {}])


@pytest.mark.parametrize(
    "data", ["", "x", "[]", "{", '{"a":1,"a":1}', json.dumps(json.dumps({"csr": "x"})), "eyJjc3IiOiJ4In0", "[" * 50_000]
)
def test_what_is_carried_and_cannot_be_read_is_a_fault_of_its_own(data: str) -> None:
    """No JSON, JSON in JSON, base64, a key twice, too deep: refused where it must fit, and else told of."""
    [(cause, rule, says)], goes = outcome(held().tell(Heard(STATION, transfer("SignCertificate", data)), NOON))
    assert (cause, rule, goes) == ("message.schema_refused", "carried", False)
    assert str(says).startswith("what the DataTransfer carries cannot be read: ")
    [(cause, rule, _)], goes = outcome(held().tell(Heard(STATION, transfer("Authorize", data)), NOON))
    assert (cause, rule, goes) == ("message.schema", "carried", True)


ANSWERED: list[tuple[object, str, bool]] = [
    ({"status": "Accepted", "data": '{"status":"Accepted"}'}, "", True),
    ({"status": "Accepted"}, "", True),
    ({"status": "Accepted", "data": ""}, "", True),
    ({"status": "Rejected", "data": "no such slot"}, "", True),
    ({"status": "UnknownMessageId", "data": "?"}, "", True),
    ({"status": "Accepted", "data": '{"status":"Perhaps"}'}, "enum", False),
    ({"status": "Accepted", "data": "{}"}, "required", False),
    ({"status": "Accepted", "data": "Accepted"}, "carried", False),
    ({"status": "Accepted", "data": '{"status":"Accepted","status":"Rejected"}'}, "carried", False),
    (sealed({"status": "Accepted", "data": "{}"}), "additionalProperties", False),
]


@pytest.mark.parametrize(("payload", "rule", "goes"), ANSWERED)
@pytest.mark.parametrize("need", Need)
@pytest.mark.parametrize("settings", [MessageSettings(), MessageSettings(schema_csms=Mode.OFF)])
def test_the_answer_to_what_was_carried_is_held_to_its_own_schema(
    payload: object, rule: str, goes: bool, need: Need, settings: MessageSettings
) -> None:
    """However far the call had to be read, and whether its own side is held to anything; a refusal carries nothing."""
    wish = Plan({CSMS: Needs({b"datatransfer": need}), STATION: Needs()})
    told = held("ocpp1.6", settings, wish)
    said = transfer("CertificateSigned", {"certificateChain": "x"})
    play(told, (Heard(CSMS, said), [Forward()]))
    orders = told.tell(Heard(STATION, message(3, "1", payload)), NOON)
    faults, went = outcome(orders)
    assert (went, faults[0][1] if faults else "") == (goes, rule)
    if not goes:
        answer = orders[-1]
        assert isinstance(answer, Say)
        assert (answer.side, json.loads(answer.message)[:2]) == (CSMS, [4, "1"])
    play(told, (Heard(CSMS, message(2, "2", "DataTransfer", {"vendorId": "x"})), [Forward()]))
    play(told, (Heard(STATION, message(3, "2", {"status": "Accepted", "data": "{}"})), [Forward()]))


def test_the_answer_to_what_is_no_matter_of_security_is_told_of_once() -> None:
    """With what was carried, and goes on."""
    told, answer = held(), {"status": "Accepted", "data": '{"status":"Perhaps"}'}
    expected = {"side": "station", "kind": "result", "action": "datatransfer", "carried": "triggermessage",
                "path": "$.data.status", "rule": "enum"}  # fmt: skip
    for number in range(2):
        said = transfer("TriggerMessage", {"requestedMessage": "Heartbeat"}, str(number))
        play(told, (Heard(CSMS, said), [Forward()]))
        *notes, last = told.tell(Heard(STATION, message(3, str(number), answer)), NOON)
        assert last == Forward()
        shown = [{key: order.note.evidence[key] for key in expected} for order in notes if isinstance(order, Record)]
        assert shown == [expected][number:]


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
def test_what_a_signed_transfer_carries_is_no_more_trusted_than_what_is_signed(version: str) -> None:
    """What touches security goes nowhere in one, wherever the signature is; nor does what cannot be read."""
    kinds: list[tuple[Side, str, bool]] = [(STATION, "SignCertificate", False), (STATION, "Authorize", True)]
    for side, action, goes in kinds:
        inner = json.loads(transfer(action, {"csr": "x"}))[3]
        within = message(
            2, "1", "DataTransfer", {**inner, "messageId": f"{action}-Signed", "data": json.dumps(sealed({}))}
        )
        for said in (message(2, "1", "DataTransfer-Signed", sealed(inner)), within):
            faults, went = outcome(held(version).tell(Heard(side, said), NOON))
            assert (faults[-1][1], went) == ("signed", goes)
    for payload in (sealed(sealed(inner)), {**sealed(inner), "payload": "e30="}, inner):
        record, answer = held(version).tell(Heard(CSMS, message(2, "1", "DataTransfer-Signed", payload)), NOON)
        assert isinstance(record, Record)
        assert (record.note.cause, record.note.evidence["fault"]) == ("message.malformed", "signed")
        assert isinstance(answer, Say)


def test_another_vendors_transfer_is_nobodys_business() -> None:
    """Nor is one whose name is not carried, nor anything where nobody is held to schemas."""
    others = [{"vendorId": "com.example"}, {"messageId": "Reset"}]
    for number, changes in enumerate(others):
        play(held(), (Heard(STATION, transfer("SignCertificate", "x", str(number), **changes)), [Forward()]))
    play(held(settings=OFF), (Heard(STATION, transfer("SignCertificate", "x")), [Forward()]))


def test_a_signed_call_that_nobody_answers_is_none() -> None:
    """What is a call in the clear is one when it is signed."""
    said = message(6, "1", "SignCertificate-Signed", SIGNED)
    [told] = held("ocpp2.1").tell(Heard(STATION, said), NOON)
    assert told == misplaced(STATION, "send", "SignCertificate-Signed is a call")


def test_an_update_that_the_gate_cleared_must_fit_its_schema_too() -> None:
    """The gate does not look into what vendors add, and it goes to the station."""
    good, bad = update("ocpp2.0.1"), update("ocpp2.0.1", id="m-2", customData={"a": 1})
    session = held("ocpp2.0.1")
    assert [type(order) for order in session.tell(Heard(CSMS, good), NOON)] == [Ask]
    note_, answer = session.tell(Heard(CSMS, bad), NOON)
    assert isinstance(note_, Record)
    assert note_.note.cause == "message.schema_refused"
    assert isinstance(answer, Say)
    assert b"OccurenceConstraintViolation" in answer.message


def test_a_message_with_one_meaning_in_two_is_said_anew_where_that_is_asked_for() -> None:
    """A key twice with one value; what is said then has been judged as it is said, schema and all. Told once."""
    canonical = MessageSettings(ambiguous=Ambiguous.CANONICAL)
    twice = b'[2,"1","Heartbeat",{"a":1,"a":1}]'
    told = [
        note("message.said_anew", side="station"),
        unfit("message.schema", STATION, "call", "Heartbeat", "$", "additionalProperties", "unknown: a"),
    ]
    anew = [Say(CSMS, b'[2,"1","Heartbeat",{"a":1}]')]
    play(
        held(settings=canonical),
        (Heard(STATION, twice), [*told, *anew]),
        (Heard(STATION, twice.replace(b'"1"', b'"2"')), [Say(CSMS, b'[2,"2","Heartbeat",{"a":1}]')]),
    )
    choice = Heard(CSMS, b'[2,"1","ClearCache",{"a":1,"a":2}]')
    for strict in (held(settings=canonical), held()):
        assert [type(order) for order in strict.tell(choice, NOON)] == [Record, Say]
    secret = Heard(CSMS, b'[2,"1","SetVariables",{"setVariableData":1,"setVariableData":1}]')
    orders = held("ocpp2.0.1", canonical).tell(secret, NOON)
    assert [order.note.cause for order in orders if isinstance(order, Record)] == [
        "message.said_anew",
        "message.schema_refused",
    ]
    assert [order.side for order in orders if isinstance(order, Say)] == [CSMS]


# -- OCPP 2.1 ----------------------------------------------------------------------------------------------------------

STREAM = {"id": 1, "pending": 0, "basetime": "2026-06-01T12:00:00Z", "data": [{"t": 1.5, "v": "1"}]}
OBJECTION = message(5, "1", "InternalError", "", {})


def misplaced(side: Side, fault: str, says: str) -> Record:
    """The event expected of a message of a kind that cannot be."""
    return note("message.malformed", side=side.value, fault=fault, says=says, message_id="1")


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
def test_attack_27_a_kind_of_message_that_a_version_does_not_have_is_dropped(version: str, side: Side) -> None:
    """Types 5 and 6 are OCPP 2.1's; nobody knows what a reader of an older version makes of them."""
    play(
        session(version),
        (Heard(side, OBJECTION), [misplaced(side, "result_error", "type 5 and 6 are of OCPP 2.1")]),
        (
            Heard(side, message(6, "1", "NotifyPeriodicEventStream", STREAM)),
            [misplaced(side, "send", "type 5 and 6 are of OCPP 2.1")],
        ),
    )


@pytest.mark.parametrize("asker", Side)
def test_attack_28_an_objection_answers_a_result_once(asker: Side) -> None:
    """The caller alone may find no sense in a result, after it came, and not again; nor in an error."""
    nothing = [misplaced(asker, "result_error", "it objects to a result that there was not")]
    play(
        session("ocpp2.1"),
        (Heard(asker, OBJECTION), nothing),
        (Heard(asker, message(2, "1", "DataTransfer", {})), [Forward()]),
        (Heard(asker, OBJECTION), nothing),
        (Heard(OTHER[asker], message(3, "1", {})), [Forward()]),
        (
            Heard(OTHER[asker], OBJECTION),
            [misplaced(OTHER[asker], "result_error", "it objects to a result that there was not")],
        ),
        (Heard(asker, OBJECTION), [Forward()]),
        (Heard(asker, OBJECTION), nothing),
        (Heard(asker, message(2, "1", "DataTransfer", {})), [Forward()]),
        (Heard(OTHER[asker], message(4, "1", "InternalError", "", {})), [Forward()]),
        (Heard(asker, OBJECTION), nothing),
    )


def test_what_nobody_answers_comes_from_the_station_and_is_no_call() -> None:
    """A call sent as such would be done without an answer; the standard has one message that is sent."""
    sent = message(6, "1", "NotifyPeriodicEventStream", STREAM)
    play(
        held("ocpp2.1"),
        (Heard(STATION, sent), [Forward()]),
        (Heard(CSMS, sent), [misplaced(CSMS, "send", "nothing that a CSMS says goes unanswered")]),
        (
            Heard(STATION, message(6, "1", "metervalues", {})),
            [misplaced(STATION, "send", "metervalues is a call")],
        ),
        (
            Heard(STATION, message(6, "1", "NotifyPeriodicEventStream", {**STREAM, "id": "1"})),
            [
                unfit(
                    "message.schema", STATION, "send", "NotifyPeriodicEventStream", "$.id", "type", "it is no integer"
                ),
                Forward(),
            ],
        ),
    )
    strict = held("ocpp2.1", MessageSettings(schema_station=Mode.ENFORCE))
    told = ("send", "AcmeStream", "$", "action", "no action of this version")
    said = message(6, "1", "AcmeStream", {})
    play(strict, (Heard(STATION, said), [unfit("message.schema_refused", STATION, *told)]))


# -- transactions ------------------------------------------------------------------------------------------------------


def watched(known: Transactions, name: str = "CP-001", *, unique: bool = True) -> Session:
    """A session whose transactions are watched, beside others of the same CSMS."""
    watch = Watch(known, name, refuses=unique)
    plan = compile_plan(wish(unique=unique))
    return Session(admitted(station(), shown=certificate()), "ocpp1.6", world(), plan, watch=watch)


def taken(number: int) -> Transactions:
    """Another station, ``CP-002``, has this transaction."""
    known = Transactions()
    known.given("CP-002", {"transactionId": number})
    return known


@pytest.mark.parametrize("action", ["StopTransaction", "MeterValues"])
@pytest.mark.parametrize("unique", [True, False])
def test_attack_31_another_s_transaction_is_told_and_refused_where_ids_are_unique(action: str, unique: bool) -> None:
    """By default it is told alone: a CSMS may number the transactions of each station for itself."""
    said = message(2, "1", action, {"transactionId": 7})
    told = note("transaction.foreign", action=action, transaction="7", owner="CP-002", refused=unique)
    refusal = Say(STATION, b'[4,"1","SecurityError","another\'s transaction",{}]')
    talk = watched(taken(7), unique=unique)

    play(talk, (Heard(STATION, said), [told, refusal] if unique else [told, Forward()]))
    assert talk.calls[STATION].asked(b"1") == (None if unique else action.lower().encode())


def test_attack_30_a_start_that_was_answered_and_comes_again_is_told_and_passed_on() -> None:
    """Row 30: another session, the same words; the CSMS decides what to make of them."""
    known, said = Transactions(), message(2, "1", "StartTransaction", {"connectorId": 1, "timestamp": "then"})
    answer = message(3, "1", {"transactionId": 7, "idTagInfo": {"status": "Accepted"}})
    told = note("transaction.repeated", action="StartTransaction", transaction="", changed=False)

    play(watched(known), (Heard(STATION, said), [Forward()]), (Heard(CSMS, answer), [Forward()]))
    play(watched(known), (Heard(STATION, said), [told, Forward()]))
    play(watched(known), (Heard(STATION, message(2, "2", "StopTransaction", {"transactionId": 7})), [Forward()]))


def test_attack_30_and_31_a_transaction_is_watched_inside_a_signed_message_too() -> None:
    """Whose it is, and that the same was answered before, counts whether it was signed or not."""
    known, name = Transactions(), "0f8fad5b-d9cb-469f-a165-70867728950e"
    said = message(2, "1", "TransactionEvent", {"seqNo": 0, "transactionInfo": {"transactionId": name}})
    answer = Heard(CSMS, message(3, "1", {}))
    about: dict[str, Value] = {"action": "TransactionEvent", "transaction": name}
    again = note("transaction.repeated", **about, changed=False)
    stolen = note("transaction.foreign", **about, owner="CP-001", refused=False)

    def talk(identity: str) -> Session:
        watch = Watch(known, identity, refuses=False)
        shown = certificate() if identity == "CP-001" else None
        return Session(
            admitted(station(), shown=shown), "ocpp2.1", world(), compile_plan(wish(unique=False)), watch=watch
        )

    play(talk("CP-001"), (Heard(STATION, signed(said)), [Forward()]), (answer, [Forward()]))
    play(talk("CP-001"), (Heard(STATION, said), [again, Forward()]), (answer, [Forward()]))
    play(talk("CP-002"), (Heard(STATION, signed(said)), [stolen, Forward()]))


def test_an_id_given_to_two_stations_is_told_once_and_hinders_nobody() -> None:
    """The CSMS numbers for each station; its second station stops its own transaction."""
    talk, answer = watched(taken(1)), message(3, "1", {"transactionId": 1})
    play(
        talk,
        (Heard(STATION, message(2, "1", "StartTransaction", {})), [Forward()]),
        (Heard(CSMS, answer), [note("transaction.shared_id", other="CP-002"), Forward()]),
        (Heard(STATION, message(2, "2", "StopTransaction", {"transactionId": 1})), [Forward()]),
    )


def test_an_error_is_no_answer_that_makes_a_repetition_strange() -> None:
    """A station may try again what the CSMS could not do."""
    known, said = Transactions(), message(2, "1", "StartTransaction", {"connectorId": 1})
    failed = message(4, "1", "InternalError", "", {})

    play(watched(known), (Heard(STATION, said), [Forward()]), (Heard(CSMS, failed), [Forward()]))
    play(watched(known), (Heard(STATION, said), [Forward()]))


def test_a_flood_of_another_s_transactions_ends_the_session_and_one_of_alarms_does_not() -> None:
    """What is refused must be told; what is only told may go untold, and the next that is told says how many were."""
    said = message(2, "1", "StopTransaction", {"transactionId": 7})
    for unique in (True, False):
        talk = watched(taken(7), unique=unique)
        for turn in range(NOTED_AT_ONCE):
            talk.tell(Heard(STATION, said.replace(b'"1"', b'"%d"' % turn)), NOON)
        orders = talk.tell(Heard(STATION, said.replace(b'"1"', b'"last"')), NOON)
        assert (orders == [Forward()]) is not unique
        assert any(isinstance(order, HangUp) for order in orders) is unique
