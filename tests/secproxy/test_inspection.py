"""Faults of messages: in OCPP's words, told once, and never without end."""

from __future__ import annotations

import pytest

from secproxy.edge.schema_files import SchemaFiles
from secproxy.envelope import Call, Result, Send
from secproxy.inspection import SEALED, UNKNOWN, Inspection, code_of, evidence, inspect
from secproxy.jws import write_coded
from secproxy.message_settings import Ambiguous, MessageSettings, Mode
from secproxy.plan import Side
from secproxy.policy import carried
from secproxy.schemas import Fault, Schemas

BOOKS = Schemas(SchemaFiles())
INSIDE = BOOKS.book(carried.VERSION)


def inspection(version: str = "ocpp1.6") -> Inspection:
    """The inspection of sessions, of both sides."""
    return inspect(BOOKS.book(version), MessageSettings(), INSIDE)


def fault(rule: str, place: str = "$") -> Fault:
    """A fault of this rule."""
    return Fault(place, rule, "", place)


@pytest.mark.parametrize(
    ("rule", "codes"),
    [
        ("type", ("TypeConstraintViolation",) * 3),
        ("required", ("OccurenceConstraintViolation",) * 2 + ("OccurrenceConstraintViolation",)),
        ("minItems", ("OccurenceConstraintViolation",) * 2 + ("OccurrenceConstraintViolation",)),
        ("additionalProperties", ("FormationViolation", "FormatViolation", "FormatViolation")),
        ("enum", ("PropertyConstraintViolation",) * 3),
        ("maxLength", ("PropertyConstraintViolation",) * 3),
        ("action", ("NotImplemented",) * 3),
        ("signed", ("NotSupported",) * 3),
        ("carried", ("FormationViolation", "FormatViolation", "FormatViolation")),
    ],
)
def test_a_fault_has_its_version_s_code(rule: str, codes: tuple[str, ...]) -> None:
    """OCPP-J 4.3, with the two misspellings that 1.6 keeps, one of them in 2.0.1 as well."""
    assert tuple(code_of(fault(rule), version) for version in ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")) == codes


def test_a_message_is_held_against_the_schema_of_its_kind() -> None:
    """A call and the answer to it have one action and two schemas; what nobody answers has its own."""
    assert inspection().unfit(Call("1", "Heartbeat", {}), b"") is None
    search = inspection().unfit(Result("1", {}), b"heartbeat")
    assert search is not None
    assert [each.rule for each in search(2)] == ["required"]
    send = Send("1", "NotifyPeriodicEventStream", {})
    assert inspection("ocpp2.1").unfit(send, b"") is not None


@pytest.mark.parametrize("action", ["heartbeat", "NotHeardOf", "SetVariables"])
def test_an_action_that_is_none_is_a_fault_of_its_own(action: str) -> None:
    """Another version's, in another spelling, or nobody's; its answer is not judged a second time."""
    search = inspection().unfit(Call("1", action, {}), b"")
    assert search is not None
    assert search(2) == (UNKNOWN,)
    assert inspection().unfit(Result("1", {"a": 1}), action.lower().encode() + b"x") is None


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
@pytest.mark.parametrize(
    ("said", "asked", "fault"),
    [
        (Call("1", "Reset-Signed", {"payload": "e30"}), b"", SEALED),
        (Call("1", "Reset-signed", {"type": "Soft"}), b"", SEALED),
        (Call("1", "MadeUp-Signed", {}), b"", UNKNOWN),
        (Result("1", {"payload": "e30"}), b"reset-signed", SEALED),
        (Result("1", {"status": "Accepted"}), b"reset-signed", None),
        (Result("1", {}), b"madeup-signed", UNKNOWN),
    ],
)
def test_what_is_signed_is_never_taken_for_what_fits(
    version: str, said: Call | Result, asked: bytes, fault: Fault | None
) -> None:
    """It is a fault of its own; an answer in the clear is held against the schema of what was asked for."""
    search = inspection(version).unfit(said, asked)
    assert (None if search is None else search(2)) == (None if fault is None else (fault,))


def test_the_settings_say_who_is_inspected_and_what_is_said_anew() -> None:
    """A side that is off is not among them."""
    settings = MessageSettings(Mode.OFF, Mode.ENFORCE, Ambiguous.CANONICAL)
    told = inspect(BOOKS.book("ocpp1.6"), settings, INSIDE)
    assert told.sides == {Side.CSMS}
    assert told.canonical
    assert not inspect(BOOKS.book("ocpp1.6"), MessageSettings(), INSIDE).canonical
    assert inspect(BOOKS.book("ocpp1.6"), MessageSettings(Mode.OFF, Mode.ENFORCE, Ambiguous.CANONICAL), INSIDE) is told


def test_the_evidence_names_who_said_what_and_where() -> None:
    """Of an answer the action that was asked for."""
    told = evidence(Side.CSMS, Result("1", {}), b"heartbeat", Fault("$", "required", "missing: currentTime", "$"))
    assert told == {
        "side": "csms",
        "kind": "result",
        "action": "heartbeat",
        "path": "$",
        "rule": "required",
        "says": "missing: currentTime",
    }


PNC = {"vendorId": carried.VENDOR, "messageId": "signcertificate", "data": '{"csr":7}'}
TRANSFER = Call("1", "DataTransfer", {**PNC})


def faults(said: Call | Result | Send, asked: bytes = b"") -> list[tuple[bytes, bytes, list[tuple[str, str]]]]:
    """What is held against the schemas of a message of OCPP 1.6, and where it has which faults."""
    return [
        (held.action, held.named, [(fault.path, fault.rule) for fault in held.search(100)] if held.search else [])
        for held in inspection().hold(said, asked)
    ]


def test_what_a_message_carries_is_held_against_the_schema_of_that() -> None:
    """After the message itself; by its own action, with the way to the fault."""
    outer: tuple[bytes, bytes, list[tuple[str, str]]] = (b"datatransfer", b"datatransfer", [])
    inner = (b"signcertificate", b"datatransfer:signcertificate")
    assert faults(TRANSFER) == [outer, (*inner, [("$.data.csr", "type")])]
    assert faults(Call("1", "DataTransfer", {**PNC, "data": '{"csr":"x"}'})) == [outer, (*inner, [])]
    assert faults(Call("1", "DataTransfer", {**PNC, "data": "{"})) == [outer, (*inner, [("$.data", "carried")])]
    assert faults(Call("1", "DataTransfer", {**PNC, "vendorId": "x"})) == [outer]
    assert faults(Call("1", "Heartbeat", {**PNC}))[1:] == []


def test_the_answer_to_it_is_held_against_the_schema_of_answers() -> None:
    """By what the call is remembered to have carried."""
    answer = Result("1", {"status": "Accepted", "data": '{"status":"Perhaps"}'})
    named = b"datatransfer:signcertificate"
    found = faults(answer, named)
    assert [each[:2] for each in found] == [(b"datatransfer", b"datatransfer"), (b"signcertificate", named)]
    assert found[1][2] == [("$.data.status", "enum")]
    assert faults(answer, b"datatransfer") == [(b"datatransfer", b"datatransfer", [])]


def test_what_is_signed_in_there_fits_no_schema() -> None:
    """Neither the transfer nor what it carries."""
    inner = (b"signcertificate", b"datatransfer-signed:signcertificate", [("$.data", "signed")])
    signed = Call("1", "DataTransfer-Signed", {"payload": write_coded(PNC)})
    assert faults(signed) == [(b"datatransfer-signed", b"datatransfer-signed", [("$", "signed")]), inner]
    within = Call("1", "DataTransfer", {**PNC, "messageId": "SignCertificate-Signed"})
    assert faults(within)[1][2] == [("$.data", "signed")]


def test_the_evidence_names_what_was_carried() -> None:
    """Beside the action that was called."""
    told = evidence(Side.STATION, TRANSFER, b"datatransfer:signcertificate", Fault("$.data.csr", "type", "", "$"))
    assert (told["action"], told["carried"]) == ("DataTransfer", "signcertificate")
