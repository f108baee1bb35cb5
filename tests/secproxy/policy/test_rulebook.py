"""A policy in force: in which order its rules are asked, what is noted, what is refused, what must be read for it."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest

from pki.edge.policies import FOLDER
from secproxy.edge.policies import parse
from secproxy.errors import PolicyRefused
from secproxy.jws import write_coded
from secproxy.plan import Need, Side
from secproxy.policy.actions import ACTIONS
from secproxy.policy.gauges import Gauges
from secproxy.policy.rulebook import Asked, Rulebook
from secproxy.station_view import Authority
from tests.certs import Party
from tests.pki.papers import request
from tests.pki.test_external import SECC_ID
from tests.play import NOON
from tests.secproxy import scene
from tests.secproxy.policy.test_certificates import hash_data

if TYPE_CHECKING:
    import datetime as dt

VERSIONS = tuple(ACTIONS)
ROOT, EVIL = Party.root("Our Root"), Party.root("Evil Root")
VIEW = scene.view()
VIEW.authorities = (Authority("root", ROOT.certificate),)
VIEW.presented = (ROOT.issue("csms.example.org").certificate,)
HOST = "csms.example.org"
WATCHED = """
[[rule]]
name = "old"
clause = "attack 37"
from = "csms"
actions = ["DataTransfer"]
mode = "observe"
deny = true
"""
OPEN = '[allow]\nstation = "all"\ncsms = "all"\n'
DENY = """
[[rule]]
name = "no-reset"
clause = "attack 36"
from = "csms"
actions = ["Reset"]
deny = true
"""
RATE = """
[[rule]]
name = "few-resets"
clause = "attack 36"
from = "csms"
actions = ["Reset"]
rate = { per_minute = 1, burst = 2, scope = "fleet" }
"""
SHAPE = """
[[rule]]
name = "soft-only"
clause = "attack 36"
from = "csms"
actions = ["Reset"]
versions = ["ocpp1.6"]
schema = { properties = { type = { enum = ["Soft"] } } }
"""
INSTALLED = """
[[rule]]
name = "known-roots"
clause = "attack 35"
from = "csms"
actions = ["InstallCertificate"]
certificates = { catalogue = true, unsafe_types = ["MORootCertificate"] }
"""


def book(text: str, version: str = "ocpp1.6") -> Rulebook:
    """A policy of this text, in force."""
    return Rulebook(parse("own", text), version, HOST)


def shipped(name: str, version: str = "ocpp2.0.1") -> Rulebook:
    """One that ships."""
    return Rulebook(parse(name, (FOLDER / "proxy" / f"{name}.toml").read_text()), version, HOST)


def asked(
    action: str, payload: dict[str, object] | None = None, side: Side = Side.CSMS, at: dt.datetime = NOON
) -> Asked:
    """A call about a station that is registered with profile 3."""
    return Asked(side, action.lower().encode(), payload or {}, scene.station(), VIEW, at)


def outcome(rules: Rulebook, call: Asked, gauges: Gauges | None = None) -> str:
    """Which rule refuses, or which observe."""
    try:
        notes = rules.judge(call, Gauges(), gauges or Gauges())
    except PolicyRefused as refused:
        return f"refused by {refused.note.evidence['rule']}"
    return ", ".join(f"{note.cause} {note.evidence['rule']}" for note in notes) or "passes"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("side", Side)
def test_an_empty_policy_lets_nothing_through(version: str, side: Side) -> None:
    """Not even a heartbeat; everything needs a look."""
    rules = book("", version)
    for action in ACTIONS[version][side]:
        assert outcome(rules, asked(action, side=side)) == "refused by allow"
        assert rules.plan.calls[side].of(action.lower().encode()) is Need.HEAD
    assert rules.plan.calls[side].rest is Need.HEAD


@pytest.mark.parametrize(
    ("allow", "action", "result"),
    [
        ('csms = "all"', "MadeUp", "passes"),
        ('csms = "known"', "MadeUp", "refused by allow"),
        ('csms = "known"', "Reset", "passes"),
        ('csms = "known"', "Reset-Signed", "passes"),
        ('csms = "known"', "GetVariables", "refused by allow"),
        ('csms = "known"\nmode = "observe"', "MadeUp", "policy.observed allow"),
        ('csms = ["GetLog"]', "GetLog", "passes"),
        ('csms = ["GetLog"]', "Reset", "refused by allow"),
        ('station = "all"', "Reset", "refused by allow"),
    ],
)
def test_what_is_let_through_is_what_is_written(allow: str, action: str, result: str) -> None:
    """Of each side by itself; an action that another version has is not known to this one."""
    assert outcome(book(f"[allow]\n{allow}\n"), asked(action)) == result


def test_what_is_refused_anyway_uses_no_rate_up() -> None:
    """Else somebody could keep good commands out with bad ones; the order in the file does not matter."""
    rules, fleet = book(OPEN + RATE + SHAPE), Gauges()
    for _ in range(9):
        assert outcome(rules, asked("Reset", {"type": "Hard"}), fleet) == "refused by soft-only"
    assert outcome(rules, asked("Reset", {"type": "Soft"}), fleet) == "passes"


def test_a_rule_holds_for_its_side_its_actions_and_its_versions() -> None:
    """And for no others; how far a message is read follows."""
    rules, other = book(OPEN + SHAPE), book(OPEN + SHAPE, "ocpp2.0.1")
    assert outcome(rules, asked("Reset", {"type": "Hard"})) == "refused by soft-only"
    assert outcome(rules, asked("Reset", {"type": "Hard"}, Side.STATION)) == "passes"
    assert outcome(rules, asked("GetLog", {"type": "Hard"})) == "passes"
    assert outcome(other, asked("Reset", {"type": "Hard"})) == "passes"
    assert rules.plan.calls[Side.CSMS].of(b"reset") is Need.WHOLE
    assert rules.plan.calls[Side.CSMS].of(b"reset-signed") is Need.WHOLE
    assert rules.plan.calls[Side.CSMS].of(b"getlog") is Need.PASS
    assert other.plan.calls[Side.CSMS].of(b"reset") is Need.PASS
    assert book(OPEN + DENY).plan.calls[Side.CSMS].of(b"reset") is Need.HEAD


def sealed(payload: object, **more: object) -> dict[str, object]:
    """A payload as a signed message has it; nobody here verifies its signature."""
    return {"protected": write_coded({"alg": "ES256"}), "payload": write_coded(payload), "signature": "AAAA", **more}


def test_a_signed_message_meets_the_rules_of_what_it_signs() -> None:
    """Whoever signed it, by whatever algorithm, and in whatever case its action is written."""
    rules = book(OPEN + SHAPE)
    for more in ({}, {"protected": write_coded({"alg": "none"})}, {"protected": 7, "signature": ""}):
        assert outcome(rules, asked("Reset-Signed", sealed({"type": "Soft"}, **more))) == "passes"
        assert outcome(rules, asked("Reset-Signed", sealed({"type": "Hard"}, **more))) == "refused by soft-only"
        assert outcome(rules, asked("RESET-signed", sealed({"type": "Hard"}, **more))) == "refused by soft-only"
    several: dict[str, object] = {
        "payload": write_coded({"type": "Hard"}),
        "signatures": [{"protected": "e30", "signature": ""}],
    }
    assert outcome(rules, asked("Reset-Signed", several)) == "refused by soft-only"
    assert outcome(book(OPEN + DENY), asked("Reset-Signed")) == "refused by no-reset"


def test_a_rate_counts_a_message_whether_it_is_signed_or_not() -> None:
    """Else there would be twice as many."""
    rules, fleet = book(OPEN + RATE), Gauges()
    said = ["Reset", "Reset-Signed", "Reset-Signed", "Reset"]
    expected = ["passes", "passes", "refused by few-resets", "refused by few-resets"]
    assert [outcome(rules, asked(action), fleet) for action in said] == expected


UNREADABLE = [
    None, 7, "", "e30=", "e3 0", "e30\n", "e30xx", "+/+/", '{"type":"Soft"}', write_coded([]), write_coded("{}"),
    write_coded({"payload": write_coded({"type": "Soft"}), "signature": "x"}), "eyJhIjoxLCJhIjoxfQ", "W1tb" * 60_000,
]  # fmt: skip


@pytest.mark.parametrize("written", UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_is_signed_and_cannot_be_read_is_objected_to_by_what_would_read_it(written: object) -> None:
    """In the rule's own mode, and with the reason; a rule that forbids or counts needs not read it."""
    call = asked("Reset-Signed", {"payload": written, "signature": "x"})
    assert outcome(book(OPEN + SHAPE), call) == "refused by soft-only"
    watching = book(OPEN + SHAPE.replace("schema", 'mode = "observe"\nschema'))
    [told] = watching.judge(call, Gauges(), Gauges())
    assert (told.cause, told.evidence["action"], told.evidence["mode"]) == (
        "policy.observed",
        "reset-signed",
        "observe",
    )
    assert str(told.evidence["says"]).startswith("what the signed message holds cannot be read: ")
    assert outcome(book(OPEN + RATE), call) == "passes"
    assert outcome(book(OPEN + DENY), call) == "refused by no-reset"


def test_a_signed_action_that_is_not_let_through_is_no_unknown_one() -> None:
    """Nobody is told that the version lacks an action that it has."""
    for action, unknown in (("Reset-Signed", False), ("MadeUp-Signed", True)):
        with pytest.raises(PolicyRefused) as refused:
            book("").judge(asked(action), Gauges(), Gauges())
        assert refused.value.unknown is unknown


def test_what_observing_rules_say_is_kept_when_another_refuses() -> None:
    """The first that enforces is the refusal."""
    text = OPEN + DENY.replace("deny", 'mode = "observe"\ndeny') + DENY.replace("no-reset", "second")
    with pytest.raises(PolicyRefused) as refused:
        book(text).judge(asked("Reset"), Gauges(), Gauges())
    assert [note.evidence["rule"] for note in refused.value.notes] == ["no-reset"]
    assert refused.value.note.evidence["rule"] == "second"


def test_an_event_says_which_rule_by_which_clause() -> None:
    """The clause is the rule's own, in the event as well as in its evidence."""
    with pytest.raises(PolicyRefused) as refused:
        book(OPEN + DENY).judge(asked("Reset"), Gauges(), Gauges())
    note = refused.value.note
    assert (note.cause, note.station, note.kind.clause, note.kind.type) == (
        "policy.refused",
        "CP-001",
        "attack 36",
        "bollard.PolicyRefused",
    )
    assert note.evidence == {
        "policy": "own",
        "rule": "no-reset",
        "clause": "attack 36",
        "mode": "enforce",
        "side": "csms",
        "action": "reset",
        "says": "the policy forbids it",
    }


def test_attack_36_too_much_for_all_stations_is_an_alarm_once_a_minute() -> None:
    """The rate is refused each time, and told of once; sessions share the fleet's gauges."""
    rules, fleet = book(OPEN + RATE), Gauges()
    told = []
    for _ in range(10):
        try:
            assert rules.judge(asked("Reset"), Gauges(), fleet) == []
        except PolicyRefused as refused:
            told.append((refused.note.cause, refused.tell))
    assert told == [("policy.mass_command", True), *[("policy.mass_command", False)] * 7]


def test_a_rule_with_a_window_sleeps_outside_it() -> None:
    """At noon a rule for the night says nothing."""
    rules = book(OPEN + DENY + 'window = { from = "22:00", until = "06:00", zone = "UTC" }\n')
    assert outcome(rules, asked("Reset")) == "passes"
    assert outcome(rules, asked("Reset", at=NOON.replace(hour=23))) == "refused by no-reset"


SIGN: dict[str, object] = {"csr": request(("SN-CP-001",))}
INSTALL: dict[str, object] = {"certificateType": "CSMSRootCertificate", "certificate": ROOT.pem}
DELETE = hash_data(EVIL)
V2G: dict[str, object] = {"csr": request((SECC_ID,)), "certificateType": "V2GCertificate"}
HONEST = {"SignCertificate": SIGN, "InstallCertificate": INSTALL, "DeleteCertificate": DELETE}


def carried(action: str, payload: object, **changes: object) -> dict[str, object]:
    """A call of OCPP 2.0.1 as Plug & Charge over OCPP 1.6 carries it in a DataTransfer."""
    inside = {"vendorId": "org.openchargealliance.iso15118pnc", "messageId": action, "data": json.dumps(payload)}
    return {**inside, **changes}


CARRIED_REQUEST = carried("SignCertificate", V2G)
CARRIED_CHAIN = carried("CertificateSigned", {"certificateChain": "x", "certificateType": "V2GCertificate"})
LOG = {"logType": "SecurityLog", "requestId": 1}
RIGHT: list[tuple[str, Side, str, dict[str, object]]] = [
    ("ocpp1.6", Side.CSMS, "ChangeConfiguration", {"key": "SecurityProfile", "value": "3"}),
    ("ocpp1.6", Side.CSMS, "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "300"}),
    ("ocpp1.6", Side.CSMS, "GetConfiguration", {}),
    ("ocpp1.6", Side.CSMS, "GetConfiguration", {"key": ["HeartbeatInterval", "SecurityProfile"]}),
    ("ocpp1.6", Side.CSMS, "Reset", {"type": "Soft"}),
    ("ocpp1.6", Side.CSMS, "RemoteStopTransaction", {"transactionId": 1}),
    ("ocpp1.6", Side.CSMS, "SetChargingProfile", {"connectorId": 1}),
    ("ocpp1.6", Side.STATION, "DataTransfer", {"vendorId": "com.example", "data": "x" * 900}),
    ("ocpp1.6", Side.CSMS, "DataTransfer", {"vendorId": "com.example", "messageId": "m", "data": "{}"}),
    ("ocpp1.6", Side.STATION, "DataTransfer", CARRIED_REQUEST),
    ("ocpp1.6", Side.CSMS, "DataTransfer", CARRIED_CHAIN),
    ("ocpp2.0.1", Side.CSMS, "SetVariables", {"setVariableData": []}),
    ("ocpp2.0.1", Side.CSMS, "TriggerMessage", {"requestedMessage": "StatusNotification"}),
    ("ocpp2.0.1", Side.CSMS, "CertificateSigned", {"certificateChain": "x"}),
    ("ocpp2.0.1", Side.STATION, "SignCertificate", SIGN),
    ("ocpp1.6", Side.STATION, "SignCertificate", SIGN),
    ("ocpp2.0.1", Side.CSMS, "SetNetworkProfile", {"connectionData": {"securityProfile": 3, "ocppCsmsUrl": f"wss://{HOST}/"}}),
    ("ocpp2.0.1", Side.STATION, "GetCertificateStatus", {"ocspRequestData": {"responderURL": "http://ocsp.example.org"}}),
    ("ocpp2.1", Side.STATION, "NotifyPeriodicEventStream", {}),
]  # fmt: skip


@pytest.mark.parametrize(("version", "side", "action", "payload"), RIGHT)
def test_a_correct_peer_notices_nothing_of_baseline(
    version: str, side: Side, action: str, payload: dict[str, object]
) -> None:
    """What every CSMS and every station says goes on without a word."""
    assert outcome(shipped("baseline", version), asked(action, payload, side)) == "passes"


@pytest.mark.parametrize("version", VERSIONS)
def test_baseline_refuses_no_action_by_its_name(version: str) -> None:
    """What it refuses it refuses for what it says; every action of the version passes, whoever calls it, and however
    empty; those about trust must say something honest."""
    rules = shipped("baseline", version)
    for side, action in ((side, action) for side, actions in ACTIONS[version].items() for action in actions):
        assert not outcome(rules, asked(action, HONEST.get(action), side)).startswith("refused")
        assert all(rule.need for rule in rules.rules_for(side, action.lower().encode()))


def get_log(url: str) -> dict[str, object]:
    """A GetLog that uploads there."""
    return {**LOG, "log": {"remoteLocation": url}}


def variable(name: str, component: str = "SecurityCtrlr", value: str = "x") -> dict[str, object]:
    """One variable of a SetVariables."""
    return {"component": {"name": component}, "variable": {"name": name}, "attributeValue": value}


METADATA = "http://169.254.169.254/"
KEY = {"key": "AuthorizationKey"}
ATTACKS: list[tuple[str, str, str, dict[str, object], Side]] = [
    ("09", "ocpp1.6", "ChangeConfiguration", {"key": "SecurityProfile", "value": "1"}, Side.CSMS),
    ("09", "ocpp2.0.1", "SetVariables", {"setVariableData": [variable("SecurityProfile", value="1")]}, Side.CSMS),
    ("09", "ocpp2.1", "SetNetworkProfile", {"connectionData": {"securityProfile": 1}}, Side.CSMS),
    ("32", "ocpp2.0.1", "GetCertificateStatus", {"ocspRequestData": {"responderURL": METADATA}}, Side.STATION),
    ("32", "ocpp2.1", "GetCertificateChainStatus", {"certificateStatusRequests": [{"urls": [METADATA]}]}, Side.STATION),
    ("33", "ocpp2.0.1", "GetLog", get_log("file:///etc/shadow"), Side.CSMS),
    ("33", "ocpp1.6", "GetLog", get_log("http://localhost:8080/"), Side.CSMS),
    ("33", "ocpp1.6", "GetDiagnostics", {"location": "gopher://evil.example/"}, Side.CSMS),
    ("34", "ocpp1.6", "GetConfiguration", {"key": ["AuthorizationKey"]}, Side.CSMS),
    ("34", "ocpp2.0.1", "GetVariables", {"getVariableData": [variable("BasicAuthPassword")]}, Side.CSMS),
    ("34", "ocpp1.6", "ChangeConfiguration", {**KEY, "value": "x"}, Side.CSMS),
    ("34", "ocpp2.0.1", "SetVariables", {"setVariableData": [variable("BasicAuthPassword")]}, Side.CSMS),
    ("35", "ocpp2.0.1", "SignCertificate", {"csr": request(("SN-CP-002",))}, Side.STATION),
    ("35", "ocpp1.6", "SignCertificate", {"csr": "x"}, Side.STATION),
    ("35", "ocpp2.1", "SignCertificate-Signed", {"payload": "x"}, Side.STATION),
    ("35", "ocpp2.0.1", "InstallCertificate", {**INSTALL, "certificate": EVIL.pem}, Side.CSMS),
    ("35", "ocpp1.6", "DeleteCertificate", hash_data(ROOT), Side.CSMS),
]  # fmt: skip


@pytest.mark.parametrize(("row", "version", "action", "payload", "side"), ATTACKS)
@pytest.mark.parametrize("name", ["baseline", "strict"])
def test_attack_09_32_33_34_35_what_is_never_right_is_refused_by_baseline(
    name: str, row: str, version: str, action: str, payload: dict[str, object], side: Side
) -> None:
    """By a rule that names the row; ``observe`` notes the same and lets it through."""
    call = asked(action, payload, side)
    with pytest.raises(PolicyRefused) as refused:
        shipped(name, version).judge(call, Gauges(), Gauges())
    assert refused.value.note.evidence["clause"] == f"attack {row}"
    notes = shipped("observe", version).judge(call, Gauges(), Gauges())
    assert f"attack {row}" in {note.evidence["clause"] for note in notes}


OCSP: dict[str, object] = {"ocspRequestData": {"responderURL": METADATA}}


@pytest.mark.parametrize(
    ("row", "side", "said"),
    [
        (
            "35",
            Side.STATION,
            carried("SignCertificate", {"csr": request(("Eve",)), "certificateType": "V2GCertificate"}),
        ),
        ("35", Side.CSMS, carried("InstallCertificate", {**INSTALL, "certificate": EVIL.pem})),
        ("35", Side.CSMS, carried("DeleteCertificate", hash_data(ROOT))),
        ("35", Side.CSMS, carried("DeleteCertificate", DELETE, data="{")),
        ("32", Side.STATION, carried("GetCertificateStatus", OCSP)),
    ],
)
def test_attack_32_35_what_is_never_right_is_not_right_inside_a_data_transfer(
    row: str, side: Side, said: dict[str, object]
) -> None:
    """``strict`` lets no vendor's message pass that is not listed, and so neither these nor any other."""
    call = asked("DataTransfer", said, side)
    with pytest.raises(PolicyRefused) as refused:
        shipped("baseline", "ocpp1.6").judge(call, Gauges(), Gauges())
    assert refused.value.note.evidence["clause"] == f"attack {row}"
    notes = shipped("observe", "ocpp1.6").judge(call, Gauges(), Gauges())
    assert f"attack {row}" in {note.evidence["clause"] for note in notes}
    assert outcome(shipped("strict", "ocpp1.6"), call).startswith("refused by vendors-of")


NEW_CSMS: dict[str, object] = {"connectionData": {"securityProfile": 3, "ocppCsmsUrl": "wss://evil.example/"}}
DOUBTFUL: list[tuple[str, str, str, dict[str, object], Side]] = [
    ("32", "ocpp2.0.1", "SetNetworkProfile", NEW_CSMS, Side.CSMS),
    ("33", "ocpp2.0.1", "GetLog", get_log("https://logs.evil.example/"), Side.CSMS),
    ("33", "ocpp2.0.1", "GetLog", get_log("https://192.168.0.9/"), Side.CSMS),
    ("35", "ocpp2.0.1", "InstallCertificate", INSTALL, Side.CSMS),
    ("35", "ocpp1.6", "DeleteCertificate", DELETE, Side.CSMS),
    ("37", "ocpp1.6", "DataTransfer", {"vendorId": "x", "data": "x" * 20_000}, Side.STATION),
    ("37", "ocpp2.1", "DataTransfer", {"vendorId": "x", "data": "x" * 20_000}, Side.CSMS),
]  # fmt: skip


@pytest.mark.parametrize(("row", "version", "action", "payload", "side"), DOUBTFUL)
def test_attack_32_33_35_37_what_may_be_right_is_noted_by_baseline_and_refused_by_strict(
    row: str, version: str, action: str, payload: dict[str, object], side: Side
) -> None:
    """Only an operator knows his own hosts, roots and vendors."""
    call = asked(action, payload, side)
    notes = shipped("baseline", version).judge(call, Gauges(), Gauges())
    assert {note.evidence["clause"] for note in notes} == {f"attack {row}"}
    with pytest.raises(PolicyRefused):
        shipped("strict", version).judge(call, Gauges(), Gauges())


@pytest.mark.parametrize(
    ("version", "action"),
    [
        ("ocpp1.6", "Reset"),
        ("ocpp1.6", "RemoteStopTransaction"),
        ("ocpp2.0.1", "RequestStopTransaction"),
        ("ocpp1.6", "RemoteStartTransaction"),
        ("ocpp2.1", "SetChargingProfile"),
        ("ocpp2.1", "ClearChargingProfile"),
        ("ocpp2.1", "ChangeAvailability"),
        ("ocpp1.6", "UnlockConnector"),
        ("ocpp1.6", "TriggerMessage"),
    ],
)
def test_attack_36_a_command_to_the_whole_fleet_raises_one_alarm_and_is_stopped_by_strict(
    version: str, action: str
) -> None:
    """Ten thousand stations at once; each session has gauges of its own, the fleet's are shared."""
    alarms: list[str] = []
    for name in ("baseline", "observe", "migration"):
        rules, fleet = shipped(name, version), Gauges()
        notes = itertools.chain.from_iterable(rules.judge(asked(action), Gauges(), fleet) for _ in range(10_000))
        alarms += [note.cause for note in notes]
    assert alarms == ["policy.mass_command"] * 3
    rules, fleet, passed = shipped("strict", version), Gauges(), 0
    for _ in range(10_000):
        try:
            rules.judge(asked(action), Gauges(), fleet)
        except PolicyRefused:
            continue
        passed += 1
    assert 0 < passed <= 6_000


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("side", Side)
def test_observe_blocks_nothing(version: str, side: Side) -> None:
    """Not one action, not even one nobody knows."""
    rules = shipped("observe", version)
    for action in (*ACTIONS[version][side], "MadeUp", "Reset-Signed"):
        assert not outcome(rules, asked(action, side=side)).startswith("refused")


def test_migration_lets_passwords_and_profiles_go_up_and_never_down() -> None:
    """What it lets through it notes, so that each station's way can be followed."""
    rules = shipped("migration", "ocpp1.6")
    assert outcome(rules, asked("ChangeConfiguration", {**KEY, "value": "x"})) == "policy.observed passwords-written"
    upwards = asked("ChangeConfiguration", {"key": "SecurityProfile", "value": "3"})
    assert outcome(rules, upwards) == "policy.observed profile-changed"
    lower: dict[str, object] = {"key": "SecurityProfile", "value": "0"}
    assert outcome(rules, asked("ChangeConfiguration", lower)) == "refused by no-lower-profile"
    assert outcome(rules, asked("OldVendorsOwn", {}, Side.STATION)) == "passes"


def test_attack_35_migration_hinders_no_new_root_and_neither_a_foreign_request_nor_a_lost_root() -> None:
    """What it lets a CSMS install it notes; a station that loses its root could not be brought up to anything."""
    rules = shipped("migration", "ocpp2.0.1")
    foreign: dict[str, object] = {**INSTALL, "certificate": EVIL.pem}
    told = outcome(rules, asked("InstallCertificate", foreign))
    assert told == "policy.observed roots-installed, policy.observed certificates-changed"
    assert outcome(rules, asked("DeleteCertificate", hash_data(ROOT))) == "refused by roots-deleted"
    assert outcome(rules, asked("DeleteCertificate", DELETE)) == "policy.observed certificates-changed"
    other: dict[str, object] = {"csr": request(("SN-CP-002",))}
    assert outcome(rules, asked("SignCertificate", other, Side.STATION)) == "refused by certificate-requests"
    assert outcome(rules, asked("SignCertificate", SIGN, Side.STATION)) == "passes"


def test_attack_35_requests_are_looked_at_only_so_often() -> None:
    """Judging one takes long beside a meter value: of a flood some are judged, and the others refused and told once."""
    rules, own = shipped("baseline"), Gauges()
    call, judged, told = asked("SignCertificate", SIGN, Side.STATION), 0, []
    for _ in range(100):
        try:
            assert rules.judge(call, own, Gauges()) == []
            judged += 1
        except PolicyRefused as refused:
            told.append(refused.tell)
    assert (judged, told) == (60, [True, *[False] * 39])


def test_attack_35_a_type_that_is_spelled_out_as_unsafe_goes_on_and_is_told_of() -> None:
    """Of the others nothing changes, nor of what claims to be signed and cannot be read."""
    text = OPEN + INSTALLED
    unlisted: dict[str, object] = {"certificateType": "MORootCertificate", "certificate": EVIL.pem}
    rules = book(text, "ocpp2.0.1")
    assert outcome(rules, asked("InstallCertificate", unlisted)) == "policy.observed known-roots"
    for other in ({**INSTALL, "certificate": EVIL.pem}, {}):
        assert outcome(rules, asked("InstallCertificate", other)) == "refused by known-roots"
    assert outcome(rules, asked("InstallCertificate-Signed", unlisted)) == "refused by known-roots"
    assert outcome(rules, asked("InstallCertificate-Signed", sealed(unlisted))) == "policy.observed known-roots"
    assert outcome(rules, asked("InstallCertificate", INSTALL)) == "passes"


def test_attack_35_what_a_data_transfer_carries_meets_the_rules_of_both() -> None:
    """The event names the call that was made, and what it carried; the case and blanks of either name hide nothing."""
    rules = book(OPEN + WATCHED + INSTALLED)
    evil = {**INSTALL, "certificate": EVIL.pem}
    for changes in ({}, {"vendorId": " Org.OpenChargeAlliance.ISO15118PnC"}, {"messageId": "installCertificate "}):
        assert (
            outcome(rules, asked("DataTransfer", carried("InstallCertificate", evil, **changes)))
            == "refused by known-roots"
        )
    assert outcome(rules, asked("DataTransfer", carried("InstallCertificate", INSTALL))) == "policy.observed old"
    with pytest.raises(PolicyRefused) as refused:
        rules.judge(asked("DataTransfer", carried("InstallCertificate", evil)), Gauges(), Gauges())
    evidence = refused.value.note.evidence
    assert (evidence["action"], evidence["carried"]) == ("datatransfer", "installcertificate")
    assert [note.evidence["rule"] for note in refused.value.notes] == ["old"]


@pytest.mark.parametrize("data", ["", "{", "[]", 7, None, '{"a":1,"a":2}', "\ud800"])
def test_attack_35_what_is_carried_and_cannot_be_read_is_refused_where_the_rule_is_enforced(data: object) -> None:
    """A rule that forbids or counts need not read it."""
    call = asked("DataTransfer", carried("InstallCertificate", {}, data=data))
    assert outcome(book(OPEN + INSTALLED), call) == "refused by known-roots"
    watching = INSTALLED.replace("certificates =", 'mode = "observe"\ncertificates =')
    assert outcome(book(OPEN + watching), call) == "policy.observed known-roots"
    counting = INSTALLED.replace("certificates", "rate").partition("rate")[0] + "rate = { per_minute = 1 }\n"
    assert outcome(book(OPEN + counting.replace("}", ', scope = "station" }')), call) == "passes"


def test_what_is_carried_is_let_through_where_it_is_named() -> None:
    """Who lists actions lists these too; who takes every known one takes those that are carried."""
    call = asked("DataTransfer", carried("InstallCertificate", INSTALL))
    assert outcome(book('[allow]\ncsms = ["DataTransfer"]\n'), call) == "refused by allow"
    assert outcome(book('[allow]\ncsms = ["DataTransfer", "InstallCertificate"]\n'), call) == "passes"
    assert outcome(book('[allow]\ncsms = "known"\n'), call) == "passes"
    with pytest.raises(PolicyRefused) as refused:
        book('[allow]\ncsms = ["DataTransfer"]\n').judge(call, Gauges(), Gauges())
    assert not refused.value.unknown


def test_a_data_transfer_is_read_where_something_is_said_of_what_it_carries() -> None:
    """And else passes after a glance."""
    assert book(OPEN + INSTALLED).plan.calls[Side.CSMS].of(b"datatransfer") is Need.WHOLE
    assert book(OPEN + INSTALLED).plan.calls[Side.STATION].of(b"datatransfer") is Need.PASS
    assert book(OPEN + DENY).plan.calls[Side.CSMS].of(b"datatransfer") is Need.PASS
    only = book('[allow]\ncsms = ["DataTransfer"]\n')
    assert only.plan.calls[Side.CSMS].of(b"datatransfer") is Need.WHOLE


def test_what_is_refused_for_what_it_carries_uses_no_rate_up() -> None:
    """Also where the rate is of the call that carries it."""
    rate = RATE.replace("few-resets", "few-transfers").replace("Reset", "DataTransfer")
    rules, fleet = book(OPEN + rate + INSTALLED), Gauges()
    evil = asked("DataTransfer", carried("InstallCertificate", {**INSTALL, "certificate": EVIL.pem}))
    for _ in range(9):
        assert outcome(rules, evil, fleet) == "refused by known-roots"
    assert outcome(rules, asked("DataTransfer", carried("InstallCertificate", INSTALL)), fleet) == "passes"


CARRIED: list[tuple[str, Side, str, dict[str, object]]] = [
    ("ocpp1.6", Side.CSMS, "DataTransfer", carried("InstallCertificate", {**INSTALL, "certificate": EVIL.pem})),
    ("ocpp1.6", Side.CSMS, "DataTransfer", carried("InstallCertificate", INSTALL)),
    ("ocpp1.6", Side.CSMS, "DataTransfer", carried("DeleteCertificate", DELETE, data="{")),
    ("ocpp1.6", Side.STATION, "DataTransfer", carried("GetCertificateStatus", OCSP)),
    ("ocpp1.6", Side.STATION, "DataTransfer", {"vendorId": "com.example", "data": "x" * 20_000}),
]


@pytest.mark.parametrize("name", ["baseline", "strict", "observe", "migration"])
def test_what_is_said_in_a_signed_message_is_judged_as_in_the_clear(name: str) -> None:
    """Good calls and attacks of both sides, and what a DataTransfer carries: by the same rules, in the same way."""
    said = [*RIGHT, *CARRIED, *((version, side, action, payload) for _, version, action, payload, side in ATTACKS)]
    for version, side, action, payload in said:
        if not action.endswith("-Signed"):
            rules = shipped(name, version)
            clear, signed = asked(action, payload, side), asked(f"{action}-Signed", sealed(payload), side)
            assert outcome(rules, signed) == outcome(rules, clear)
            assert rules.plan.calls[side].of(signed.action) is rules.plan.calls[side].of(clear.action)


def test_attack_35_a_call_that_is_carried_may_be_signed_itself() -> None:
    """Once; whatever is signed more often, or is no signed payload, cannot be read."""
    rules, evil = book(OPEN + INSTALLED), {**INSTALL, "certificate": EVIL.pem}
    for data, result in (
        (sealed(evil), "refused by known-roots"),
        (sealed(INSTALL), "passes"),
        (sealed(sealed(INSTALL)), "refused by known-roots"),
        (INSTALL, "refused by known-roots"),
    ):
        assert outcome(rules, asked("DataTransfer", carried("installCertificate-Signed", data))) == result
        outer = sealed(carried("installCertificate-Signed", data))
        assert outcome(rules, asked("DataTransfer-Signed", outer)) == result
    twice = carried("InstallCertificate-Signed-Signed", sealed(INSTALL))
    assert outcome(rules, asked("DataTransfer", twice)) == "refused by known-roots"


def test_the_event_names_a_signed_transfer_and_what_it_carries() -> None:
    """As it was said."""
    evil = sealed(carried("InstallCertificate", {**INSTALL, "certificate": EVIL.pem}))
    with pytest.raises(PolicyRefused) as refused:
        book(OPEN + INSTALLED).judge(asked("DataTransfer-Signed", evil), Gauges(), Gauges())
    evidence = refused.value.note.evidence
    assert (evidence["action"], evidence["carried"]) == ("datatransfer-signed", "installcertificate")
