"""A recording held against a policy: what changes is what a session under it does; what cannot be known is told so."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.edge.policies import FOLDER
from pki.station import SecurityProfile
from secproxy.edge.policies import parse
from secproxy.edge.schema_files import SchemaFiles
from secproxy.errors import PolicyRefused
from secproxy.inspection import inspect
from secproxy.jws import is_signed, unseal
from secproxy.message_settings import MessageSettings
from secproxy.orders import Heard, Say
from secproxy.plan import Side, compile_plan
from secproxy.policy import carried
from secproxy.policy.gauges import Gauges
from secproxy.policy.rulebook import Asked, InForce, Rulebook
from secproxy.policy.withheld import REDACTED
from secproxy.recording import FORM, Head, Recorder, read_head, read_lines
from secproxy.redaction import Redaction
from secproxy.replay import ELSEWHERE, GROUPS_MOST, LISTED_MOST, OTHERS, UNTOLD, Compared, Report, Verdict, replay
from secproxy.schemas import Schemas
from secproxy.session import NOTED_AT_ONCE, Session
from tests.play import NOON
from tests.secproxy.policy.test_rulebook import (
    ATTACKS,
    CARRIED,
    DENY,
    DOUBTFUL,
    HOST,
    INSTALLED,
    OPEN,
    RATE,
    RIGHT,
    SHAPE,
    sealed,
)  # fmt: skip
from tests.secproxy.scene import admitted, station, view

if TYPE_CHECKING:
    from secproxy.policy.rules import Policy

CSMS, STATION = Side.CSMS, Side.STATION
VERSIONS = ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")
BOOKS = Schemas(SchemaFiles())
INSIDE = BOOKS.book(carried.VERSION)
SECONDS = dt.timedelta(seconds=1)
OWN_RATE = RATE.replace('"fleet"', '"station"')
Turn = tuple[Side, bytes, float]


def own(text: str) -> Policy:
    """A policy of this text."""
    return parse("own", text)


def shipped(name: str) -> Policy:
    """One that ships."""
    return parse(name, (FOLDER / "proxy" / f"{name}.toml").read_text())


def call(side: Side, number: int, action: str, payload: object = None, after: float = 1, kind: int = 2) -> Turn:
    """A call, some seconds after what was said before."""
    return side, json.dumps([kind, f"m-{number}", action, payload or {}]).encode(), after


def answer(side: Side, number: int, payload: object = None) -> Turn:
    """The answer to one."""
    return side, json.dumps([3, f"m-{number}", payload or {}]).encode(), 0


def record(
    policy: Policy, *turns: Turn, version: str = "ocpp1.6", unheard: int = 0, inspected: bool = True
) -> list[bytes]:
    """Hold a conversation under a policy, as a worker does, and write it down; of the first turns nothing."""
    book = Rulebook(policy, version, HOST)
    force = InForce(book, Gauges(), compile_plan(book.plan))
    shown = inspect(BOOKS.book(version), MessageSettings(), INSIDE) if inspected else None
    known = station(profile=3)
    let_in = dataclasses.replace(admitted(known), profile=SecurityProfile.TLS_BASIC)
    session = Session(let_in, version, view(known), force.plan, force, shown)
    tape = Recorder(Head(FORM, "CP-001", "depot", 3, version, NOON), Redaction(bytes(16)))
    lines, at = [tape.first], NOON
    for number, (side, message, after) in enumerate(turns):
        at += after * SECONDS
        said = [(side.value, message)]
        said += [("proxy", order.message) for order in session.tell(Heard(side, message), at) if isinstance(order, Say)]
        if number >= unheard:
            lines += [tape.line(speaker, text, at) for speaker, text in said]
    return lines


def held(lines: list[bytes], policy: Policy, against: Policy | None = None) -> list[Compared]:
    """Hold a recording against a policy."""
    return list(replay(read_head(lines[0]), read_lines(lines[1:]), policy, against, csms_host=HOST))


def told(found: list[Compared]) -> list[tuple[int, str, str, str, str]]:
    """What changes: line, action, then, now, rule."""
    return [
        (each.line, each.action, each.then.verdict.value, each.now.verdict.value, each.because.rule)
        for each in found
        if each.changes
    ]


# -- what changes ------------------------------------------------------------------------------------------------------

RESET = call(CSMS, 1, "Reset", {"type": "Hard"})
SOFT = call(CSMS, 2, "Reset", {"type": "Soft"})


def test_what_would_newly_be_refused_is_told_with_line_rule_and_clause() -> None:
    """And what passes as before is not."""
    lines = record(own(OPEN), RESET, answer(STATION, 1, {"status": "Accepted"}), SOFT)
    found = held(lines, own(OPEN + SHAPE))
    assert told(found) == [(2, "Reset", "passes", "refused", "soft-only")]
    assert (found[0].side, found[0].because.clause, found[0].newly_refused) == (CSMS, "attack 36", True)
    assert len(found) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_what_would_newly_be_let_through_is_told(version: str) -> None:
    """Whether it was refused by a status or by an error."""
    turns = [call(CSMS, 1, "Reset"), call(CSMS, 2, "GetLocalListVersion"), call(STATION, 1, "DataTransfer")]
    refused = record(own('[allow]\nmode = "enforce"\n'), *turns, version=version)
    found = held(refused, own(OPEN))
    assert [each[2:4] for each in told(found)] == [("refused", "passes")] * 3
    assert not any(each.newly_refused for each in found)


@pytest.mark.parametrize("version", ["ocpp2.0.1", "ocpp2.1"])
def test_what_was_signed_is_held_against_the_rules_of_what_it_says(version: str) -> None:
    """As far as redaction left it: a setting's name and a URL, and no value of a secret."""
    variable = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    written = {"setVariableData": [{**variable, "attributeValue": "s3cr3t-s3cr3t"}]}
    location = {"log": {"remoteLocation": "file://u:s3cr3t-s3cr3t@h/x"}}
    turns = [
        call(CSMS, 1, "SetVariables", written), call(CSMS, 2, "SetVariables-Signed", sealed(written)),
        call(CSMS, 3, "GetLog", location), call(CSMS, 4, "GetLog-Signed", sealed(location)),
    ]  # fmt: skip
    lines = record(own(OPEN), *turns, version=version, inspected=False)
    kept = [json.loads(line)["message"][3] for line in lines[1:]]
    assert "s3cr3t" not in json.dumps([unseal(payload) if is_signed(payload) else payload for payload in kept])
    found = [each[2:] for each in told(held(lines, shipped("baseline")))]
    rules = ("passwords-written", "passwords-written", "upload-urls", "upload-urls")
    assert found == [("passes", "refused", rule) for rule in rules]


def test_what_would_go_nowhere_by_now_because_it_was_signed_is_not_said_to_pass() -> None:
    """A transfer that is judged by what it carries goes nowhere if that cannot be read; here it was masked."""
    head = record(own(OPEN))[0]
    tape = Recorder(read_head(head), Redaction(None))
    lines = [head, tape.line("csms", b'[2,"1","DataTransfer-Signed",{"payload":"?","signature":"x"}]', NOON)]
    [compared] = held(lines, own(OPEN + INSTALLED))
    assert (compared.now.verdict, compared.now.says, compared.changes) == (Verdict.UNKNOWN, UNTOLD, False)
    [compared] = held(lines, own(OPEN))
    assert compared.now.verdict is Verdict.PASSES


def test_what_was_signed_and_could_not_be_read_cannot_be_judged_again() -> None:
    """Nothing of it is in the recording; a rule that forbids needs no more than its name."""
    lines = record(own(OPEN), call(CSMS, 1, "Reset-Signed", {"payload": "e30=", "signature": "x"}), inspected=False)
    [compared] = held(lines, own(OPEN + SHAPE))
    assert (compared.now.verdict, compared.now.says) == (Verdict.UNKNOWN, REDACTED)
    assert [each.now.rule for each in held(lines, own(OPEN + DENY))] == ["no-reset"]


def test_two_policies_are_compared_over_the_same_recording() -> None:
    """Then it counts, too, what is only noted."""
    lines = record(own(OPEN), RESET, SOFT)
    noting = own(OPEN + SHAPE.replace("versions", 'mode = "observe"\nversions'))
    assert told(held(lines, own(OPEN + DENY), own(OPEN + SHAPE))) == [(3, "Reset", "passes", "refused", "no-reset")]
    assert told(held(lines, noting, own(OPEN))) == [(2, "Reset", "passes", "noted", "soft-only")]
    assert told(held(lines, noting)) == []


def test_rates_and_windows_are_judged_by_the_times_of_the_recording() -> None:
    """Three calls in three seconds are too many, three in three minutes are not; a rule for the night sleeps by day."""
    quick = [call(CSMS, number, "Reset") for number in range(3)]
    slow = [call(CSMS, number, "Reset", after=60) for number in range(3)]
    for rate in (RATE, OWN_RATE):
        assert told(held(record(own(OPEN), *quick), own(OPEN + rate))) == [
            (4, "Reset", "passes", "refused", "few-resets")
        ]
        assert told(held(record(own(OPEN), *slow), own(OPEN + rate))) == []
    night = own(OPEN + DENY + 'window = { from = "12:01", until = "06:00", zone = "UTC" }\n')
    assert [line for line, *_ in told(held(record(own(OPEN), *slow), night))] == [2, 3, 4]
    assert told(held(record(own(OPEN), *quick), night)) == []


def test_the_answer_to_a_call_that_would_be_refused_disturbs_nobody() -> None:
    """Nor do all the other messages that a session would cut a connection off for."""
    turns = [
        turn
        for number in range(3 * NOTED_AT_ONCE)
        for turn in (
            call(CSMS, number, "Reset", after=0),
            answer(STATION, number),
            call(STATION, number, "BootNotification", after=0),
        )
    ]
    head = record(own(OPEN))
    tape = Recorder(read_head(head[0]), Redaction(None))
    lines = head + [tape.line(side.value, message, NOON) for side, message, _ in turns]
    found = held(lines, own(OPEN + DENY))
    assert len(told(found)) == 3 * NOTED_AT_ONCE
    assert len(found) == 6 * NOTED_AT_ONCE


def test_a_call_that_was_answered_here_then_waits_for_no_answer_now() -> None:
    """Its id may name the next call at once, and that one is judged too."""
    soft, hard = call(CSMS, 1, "Reset", {"type": "Soft"}), call(CSMS, 1, "Reset", {"type": "Hard"})
    found = held(record(own(OPEN + DENY), soft, hard), own(OPEN + SHAPE))
    assert [each.now.verdict for each in found] == [Verdict.PASSES, Verdict.REFUSED]


def test_what_another_gate_refused_then_does_not_change() -> None:
    """It went nowhere then, whatever a policy says of it: here for the id of a call from before the recording."""
    lines = record(own(OPEN), RESET, call(CSMS, 1, "GetLog"), unheard=1)
    [found] = held(lines, own(OPEN + DENY.replace("Reset", "GetLog")))
    assert (found.changes, found.now.verdict) == (False, Verdict.REFUSED)
    assert found.because.says == ELSEWHERE


# -- what cannot be known ----------------------------------------------------------------------------------------------

VALUES = """
[[rule]]
name = "short"
clause = "attack 34"
from = "csms"
actions = ["ChangeConfiguration"]
schema = { properties = { value = { maxLength = 4 } } }
"""
PASSWORD = {"key": "AuthorizationKey", "value": "s3cr3t-s3cr3t"}
STREAM = call(STATION, 9, "NotifyPeriodicEventStream", {"id": 1}, kind=6)
SENDS = DENY.replace("csms", "station").replace('"Reset"', '"NotifyPeriodicEventStream"')


@pytest.mark.parametrize("then", ["", VALUES])
def test_a_rule_that_would_read_what_was_redacted_cannot_be_judged(then: str) -> None:
    """It is no change, whatever was decided then; the reason is told."""
    lines = record(own(OPEN + then), call(CSMS, 1, "ChangeConfiguration", PASSWORD))
    [found] = held(lines, own(OPEN + VALUES))
    assert (found.known, found.changes, found.because.rule) == (False, False, "short")
    assert found.because.says.startswith("redacted") or then
    [sure] = held(lines, own(OPEN + DENY.replace('"Reset"', '"ChangeConfiguration"') + VALUES))
    assert (sure.now.verdict, sure.now.rule) == (Verdict.REFUSED, "no-reset")


def test_a_rule_that_does_not_read_what_was_redacted_is_judged() -> None:
    """A name that must not be there is seen to be there, whatever its value was."""
    payload = {"configurationSlot": 1, "connectionData": {"basicAuthPassword": "s3cr3t", "apn": {"apnPassword": "x"}}}
    lines = record(own(OPEN), call(CSMS, 1, "SetNetworkProfile", payload), version="ocpp2.1")
    assert "s3cr3t" not in str(lines)
    assert held(lines, shipped("strict"))[0].known


def test_what_could_not_be_read_cannot_be_judged() -> None:
    """There is nothing of it in the recording."""
    [found] = held(record(own(OPEN), (CSMS, b'[2,"1","Reset",{"a":1,"a":2}]', 1)), own(OPEN))
    assert (found.known, found.changes) == (False, False)


def test_what_nobody_answers_has_no_verdict_in_a_recording() -> None:
    """Unless it would pass: then nothing is newly refused in any case. Two policies can be compared."""
    lines = record(own(OPEN), STREAM, version="ocpp2.1")
    assert held(lines, own(OPEN))[0].known
    assert not held(lines, own(OPEN + SENDS))[0].known
    assert held(lines, own(OPEN + SENDS), own(OPEN))[0].newly_refused


def test_what_was_counted_before_a_recording_began_is_not_known() -> None:
    """A call that was too much then may pass here only because nobody counted those before it."""
    turns = [call(CSMS, number, "Reset") for number in range(5)]
    [*_, found] = held(record(own(OPEN + OWN_RATE), *turns, unheard=4), own(OPEN + OWN_RATE))
    assert (found.known, found.because.rule) == (False, "few-resets")


def test_whether_policy_or_firmware_gate_refused_is_not_always_told() -> None:
    """In 1.6 both have the status alone."""
    head = record(own(OPEN))[0]
    tape = Recorder(read_head(head), Redaction(None))
    said = [("csms", b'[2,"1","SignedUpdateFirmware",{}]'), ("proxy", b'[3,"1",{"status":"Rejected"}]')]
    lines = [head, *(tape.line(speaker, text, NOON) for speaker, text in said)]
    assert not held(lines, own(OPEN))[0].known
    assert (held(lines, own(""))[0].known, held(lines, own(""))[0].changes) == (True, False)


# -- whatever is said --------------------------------------------------------------------------------------------------

CLEAR: list[tuple[str, Side, str, dict[str, Any]]] = [
    *RIGHT,
    *CARRIED,
    *((version, side, action, payload) for _, version, action, payload, side in (*ATTACKS, *DOUBTFUL)),
    *((version, STATION, "BootNotification", {"chargePointVendor": "v"}) for version in VERSIONS),
    *((version, CSMS, "ChangeConfiguration", PASSWORD) for version in VERSIONS),
    *((version, CSMS, "GetDiagnostics", {"location": "https://a.example/?token=a^b@c"}) for version in VERSIONS),
    *((version, CSMS, "GetDiagnostics", {"location": "ftp://u:p/w@a.example/"}) for version in VERSIONS),
    *((version, STATION, "DataTransfer", {"vendorId": "x", "data": "password=1 " * 500}) for version in VERSIONS),
    *((version, CSMS, "MadeUp", {}) for version in VERSIONS),
    *((version, CSMS, "Reset", {"type": "Hard"}) for version in VERSIONS),
]
SIGNED: list[tuple[str, Side, str, dict[str, object]]] = [
    *((version, side, f"{action}-Signed", sealed(payload)) for version, side, action, payload in CLEAR),
    *((version, side, f"{action}-Signed", dict[str, object](payload="?")) for version, side, action, _ in CLEAR),
]
SAID = [*CLEAR, *SIGNED]
POLICIES = [
    *(shipped(name) for name in ("baseline", "strict", "observe", "migration")),
    own(OPEN + SHAPE + VALUES + OWN_RATE),
    own(OPEN + RATE + VALUES + RATE.replace("few-resets", "few").replace('"Reset"', '"ChangeConfiguration"')),
    own(""),
]
PAUSES = st.sampled_from([0, 0, 0.5, 7, 61])


@st.composite
def conversations(draw: st.DrawFn) -> tuple[str, list[Turn]]:
    """Calls of either side, good and bad, some answered, some in doubt, of one version."""
    version = draw(st.sampled_from(VERSIONS))
    mine = [(side, action, payload) for spoken, side, action, payload in SAID if spoken == version]
    turns: list[Turn] = []
    for number in range(draw(st.integers(1, 12))):
        side, action, payload = draw(st.sampled_from(mine))
        number = draw(st.sampled_from([number, number, max(0, number - 1)]))
        kind = draw(st.sampled_from([2, 2, 2, 2, 6]))
        turns.append(call(side, number, action, payload, draw(PAUSES), kind))
        if draw(st.booleans()):
            turns.append(answer(STATION if side is CSMS else CSMS, number, {"status": "Accepted"}))
        if draw(st.integers(0, 5)) == 0:
            turns.append((side, draw(st.sampled_from([b"[2,", b'[2,"x","Reset",[]]', b'[3,"nobodys",{}]'])), 0))
    return version, turns


@given(conversations(), st.sampled_from(POLICIES), st.integers(0, 3))
def test_under_the_policy_that_was_in_force_nothing_changes(
    spoken: tuple[str, list[Turn]], policy: Policy, unheard: int
) -> None:
    """Whatever was said, redacted as it is, and wherever the recording began."""
    version, turns = spoken
    lines = record(policy, *turns, version=version, unheard=unheard)
    assert told(held(lines, policy)) == []
    assert told(held(lines, policy, policy)) == []


@given(conversations(), st.sampled_from(POLICIES[:4]), st.sampled_from(POLICIES[:4]))
def test_what_is_said_of_another_policy_is_what_that_one_does(
    spoken: tuple[str, list[Turn]], then: Policy, other: Policy
) -> None:
    """To the messages as they were, before anything was redacted."""
    version, turns = spoken
    unique = [
        (side, json.dumps([2, f"u-{number}", *json.loads(message)[2:]]).encode(), after)
        for number, (side, message, after) in enumerate(turns)
        if message.startswith(b'[2, "m')
    ]
    rules, gauges, at = Rulebook(other, version, HOST), (Gauges(), Gauges()), NOON
    for turn, compared in zip(unique, held(record(then, *unique, version=version), other), strict=True):
        side, message, after = turn
        at += after * SECONDS
        _, _, action, payload = json.loads(message)
        rule = refusing(rules, Asked(side, action.lower().encode(), payload, station(), view(), at), gauges)
        if compared.now.verdict is not Verdict.UNKNOWN and compared.now.says != ELSEWHERE:
            assert (compared.now.rule if compared.now.verdict is Verdict.REFUSED else "") == rule


def refusing(rules: Rulebook, asked: Asked, gauges: tuple[Gauges, Gauges]) -> str:
    """The rule that refuses a call; empty when none does."""
    try:
        rules.judge(asked, *gauges)
    except PolicyRefused as refused:
        return str(refused.note.evidence["rule"])
    return ""


# -- the report --------------------------------------------------------------------------------------------------------


def test_a_report_is_bounded_however_long_the_recording_is() -> None:
    """What is listed and what is summed has an end; what is counted has none."""
    report, asks = Report(), max(LISTED_MOST, GROUPS_MOST) + 5
    lines = record(own(OPEN), *(call(CSMS, number, f"Made-{number}") for number in range(asks)))
    for compared in held(lines, own("")):
        report.take(compared)
    assert (report.calls, report.changed, report.newly_refused, report.newly_let) == (asks, asks, asks, 0)
    assert len(report.changes) == LISTED_MOST
    assert sum(group.calls for group in report.groups.values()) == asks
    assert len(report.groups) == GROUPS_MOST + 1
    assert OTHERS in {group.action for group in report.groups.values()}
