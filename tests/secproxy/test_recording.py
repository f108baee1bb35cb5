"""A recording reads back as it was written; a file that is none is refused by the number of its line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.errors import InputError
from secproxy.recording import CALLS_KEPT, FORM, LINE_BYTES, Head, Recorder, read_head, read_lines
from secproxy.redaction import DATA_KEPT, Redaction
from tests.play import NOON

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = Head(FORM, "CP-001", "depot", 3, "ocpp1.6", NOON)


def recorder() -> Recorder:
    """One that keeps tokens."""
    return Recorder(HEAD, Redaction(None))


def test_what_was_written_reads_back() -> None:
    """The head, then each message with its time, its version and who said it."""
    tape = recorder()
    written = [
        tape.line("csms", b'[2,"1","Reset",{"type":"Soft"}]', NOON),
        tape.line("proxy", b'[3,"1",{"status":"Rejected"}]', NOON),
    ]
    assert read_head(tape.first) == HEAD
    read = [(number, line.speaker, line.message, line.version, line.time) for number, line in read_lines(written)]
    assert read == [
        (2, "csms", [2, "1", "Reset", {"type": "Soft"}], "ocpp1.6", NOON),
        (3, "proxy", [3, "1", {"status": "Rejected"}], "ocpp1.6", NOON),
    ]


def test_what_could_not_be_read_is_told_and_not_kept() -> None:
    """Nobody knows where its secrets are."""
    line = json.loads(recorder().line("station", b'[2,"1","X",{"password":"s3cr3t"', NOON))
    assert (line["unreadable"], line["bytes"]) == ("json", 31)
    assert "s3cr3t" not in str(line)


SECRET = "Zq7mArKeRx9"
CUT = "y" * DATA_KEPT + "*" * len(SECRET)


def written(tape: Recorder, speaker: str, *message: object) -> object:
    """What is kept of a message."""
    return json.loads(tape.line(speaker, json.dumps(message).encode(), NOON))["message"]


@pytest.mark.parametrize(
    ("caller", "action", "called", "answer", "kept"),
    [
        ("csms", "DataTransfer", {}, {"data": "y" * DATA_KEPT + SECRET}, {"data": CUT}),
        ("station", "DataTransfer", {}, {"data": "y" * DATA_KEPT + SECRET}, {"data": CUT}),
        ("csms", "Data\\u0054ransfer", {}, {"data": "y" * DATA_KEPT + SECRET}, {"data": CUT}),
        ("csms", "GetConfiguration", {}, {"unknownKey": ["AuthorizationKey"]}, {"unknownKey": ["AuthorizationKey"]}),
        ("csms", "GetLog", {}, {"filename": "a.log"}, {"filename": "a.log"}),
    ],
)
def test_an_answer_is_redacted_by_the_action_that_was_asked_for(
    caller: str, action: str, called: object, answer: object, kept: object
) -> None:
    """Each side's own: the other may use the same id for something else meanwhile, in whatever order."""
    other = {"station": "csms", "csms": "station"}[caller]
    for first, then in (((caller, action), (other, "Heartbeat")), ((other, "Heartbeat"), (caller, action))):
        tape = recorder()
        for speaker, named in (first, then):
            tape.line(speaker, f'[2,"a","{named}",{json.dumps(called)}]'.encode(), NOON)
        assert written(tape, other, 3, "a", answer) == [3, "a", kept]
        assert written(tape, "proxy", 3, "a", {"status": "Rejected"}) == [3, "a", {"status": "Rejected"}]


def test_an_answer_to_what_nobody_remembers_is_redacted_as_any() -> None:
    """Its call came before the recording, or too long ago: it may be a vendor's."""
    tape, answer = recorder(), (3, "a", {"data": "y" * DATA_KEPT + SECRET})
    assert SECRET not in str(written(tape, "csms", *answer))
    written(tape, "station", 2, "a", "Heartbeat", {})
    assert SECRET in str(written(tape, "csms", *answer))
    for number in range(CALLS_KEPT):
        written(tape, "station", 2, str(number), "Heartbeat", {})
    assert SECRET not in str(written(tape, "csms", *answer))


def held_one(told: dict[str, object]) -> dict[str, object]:
    """A call of 2.x that sets a password, or its answer."""
    named = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    return {**named, **told}


KEY: dict[str, object] = {"key": "AuthorizationKey", "value": SECRET}
SET: dict[str, object] = {"setVariableData": [held_one({"attributeValue": SECRET})]}
PLACES: dict[str, tuple[str, str, dict[str, object], list[object]]] = {
    "a key that is told": ("csms", "GetConfiguration", {}, [3, "a", {"configurationKey": [
        {**KEY, "readonly": False}]}]),
    "a variable that is told": (
        "csms", "GetVariables", {}, [3, "a", {"getVariableResult": [held_one({"attributeValue": SECRET})]}],
    ),
    "a component that is told": ("csms", "GetVariables", {}, [3, "a", {"getVariableResult": [
        {"component": {"name": "WifiPassphrase"}, "variable": {"name": "Actual"}, "attributeValue": SECRET}]}]),
    "a key of a vendor's": ("csms", "GetConfiguration", {}, [3, "a", {"configurationKey": [
        {"key": "APN.Password", "readonly": True, "value": SECRET}, {"key": "wlan_psk", "value": SECRET}]}]),
    "a refusal in words": ("csms", "SetVariables", SET, [3, "a", {"setVariableResult": [
        held_one({"attributeStatus": "Rejected", "attributeStatusInfo": {"additionalInfo": f"no: {SECRET}"}})]}]),
    "a status in words": ("csms", "SetNetworkProfile", {"connectionData": {"basicAuthPassword": SECRET}},
        [3, "a", {"status": "Rejected", "statusInfo": {"reasonCode": "x", "additionalInfo": f"{SECRET} is short"}}]),
    "an error's words": ("csms", "ChangeConfiguration", KEY, [4, "a", "InternalError", f"{SECRET} is short", {}]),
    "an error's details": ("csms", "ChangeConfiguration", KEY, [4, "a", "X", "", {"was": [{"what": SECRET}]}]),
    "an objection's words": ("station", "Authorize", {"idTag": SECRET}, [5, "a", "X", f"{SECRET} is unknown", {}]),
    "an event": ("station", "NotifyEvent", {"eventData": [held_one({"techInfo": SECRET, "actualValue": SECRET})]}, []),
    "a report": ("station", "NotifyReport",
        {"reportData": [held_one({"variableAttribute": [{"value": SECRET}]})]}, []),
    "a vendor's answer": ("csms", "DataTransfer", {}, [3, "a", {"data": {"a": {"wifi": {"Psk": SECRET}}}}]),
    "a URL in an answer": ("csms", "GetVariables", {}, [3, "a", {"getVariableResult": [
        {"component": {"name": "X"}, "variable": {"name": "Url"}, "attributeValue": f"wss://u:{SECRET}@h/"}]}]),
    "a file's name": ("csms", "GetDiagnostics", {}, [3, "a", {"fileName": f"ftp://u:{SECRET}@h/x"}]),
}  # fmt: skip
"""Where a call or its answer can hold a secret: who calls, what, and what is said to it; nothing: the call holds it."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("remembered", [True, False])
def test_no_secret_of_a_known_place_comes_out_of_a_recording(place: str, remembered: bool) -> None:
    """In a call and in its answer, by either side, whether the call was recorded or came before."""
    caller, action, payload, answer = PLACES[place]
    tape = Recorder(HEAD, Redaction(bytes(16)))
    kept = [written(tape, caller, 2, "a", action, payload)] if remembered or not answer else []
    speaker = caller if answer[:1] == [5] else {"station": "csms", "csms": "station"}[caller]
    kept += [written(tape, speaker, *answer)] if answer else []
    assert SECRET not in str(kept)
    assert action in str(kept) or not remembered


@given(st.lists(st.tuples(st.sampled_from(sorted(PLACES)), st.sampled_from(["a", "b"])), max_size=6))
def test_no_secret_comes_out_however_calls_and_answers_cross(said: list[tuple[str, str]]) -> None:
    """Both sides use the same ids at the same time, and answers come when they come."""
    tape = Recorder(HEAD, Redaction(bytes(16)))
    waiting: dict[tuple[str, str], tuple[str, list[object]]] = {}
    for place, message_id in said:
        caller, action, payload, answer = PLACES[place]
        assert SECRET not in str(written(tape, caller, 2, message_id, action, payload))
        speaker = caller if answer[:1] == [5] else {"station": "csms", "csms": "station"}[caller]
        waiting[caller, message_id] = speaker, [*answer[:1], message_id, *answer[2:]]
    for speaker, answer in waiting.values():
        assert len(answer) < 3 or SECRET not in str(written(tape, speaker, *answer))


def test_what_the_proxy_says_of_a_refusal_is_kept() -> None:
    """It repeats no value, and a replay reads from it what was decided."""
    tape = recorder()
    written(tape, "csms", 2, "a", "SetVariables", SET)
    refusal = [4, "a", "SecurityError", "refused by policy", {}]
    assert written(tape, "proxy", *refusal) == refusal


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        b"{}",
        b"\xff",
        recorder().first.replace(b'"recording":1', b'"recording":2'),
        recorder().first.replace(b"ocpp1.6", b"ocpp9"),
        recorder().first.replace(b'"profile":3', b'"profile":7'),
        recorder().first.replace(b"CP-001", b"CP:001"),
    ],
)
def test_a_first_line_that_is_none_is_refused(line: bytes) -> None:
    """Also one of a form that nobody knows yet."""
    with pytest.raises(InputError, match="line 1"):
        read_head(line)


GOOD = recorder().line("csms", b'[2,"1","Reset",{}]', NOON)


@pytest.mark.parametrize(
    "bad",
    [
        b"x\n",
        b"\xff\n",
        b"[" * 100_000 + b"\n",
        GOOD.replace(b"csms", b"me"),
        GOOD.replace(b"Z", b""),
        GOOD.replace(b"2026", b"9999"),
        b" " * LINE_BYTES + b"\n",
    ],
)
def test_a_line_that_is_none_is_refused_by_its_number(bad: bytes) -> None:
    """However it is wrong."""
    lines: Iterable[bytes] = [GOOD, bad]
    with pytest.raises(InputError, match="line 3"):
        list(read_lines(lines))


def test_a_last_line_that_was_cut_is_left_out() -> None:
    """Whoever wrote it was killed."""
    assert [number for number, _ in read_lines([GOOD, GOOD[:-5]])] == [2]
