"""Faults of messages: in OCPP's words, told once, and never without end."""

from __future__ import annotations

import pytest

from secproxy.edge.schema_files import SchemaFiles
from secproxy.envelope import Call, Result, Send
from secproxy.inspection import SEALED, UNKNOWN, Inspection, code_of, evidence, inspect
from secproxy.message_settings import Ambiguous, MessageSettings, Mode
from secproxy.plan import Side
from secproxy.schemas import Fault, Schemas

BOOKS = Schemas(SchemaFiles())


def inspection(version: str = "ocpp1.6") -> Inspection:
    """The inspection of sessions, of both sides."""
    return inspect(BOOKS.book(version), MessageSettings())


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
    told = inspect(BOOKS.book("ocpp1.6"), settings)
    assert told.sides == {Side.CSMS}
    assert told.canonical
    assert not inspect(BOOKS.book("ocpp1.6"), MessageSettings()).canonical
    assert inspect(BOOKS.book("ocpp1.6"), MessageSettings(Mode.OFF, Mode.ENFORCE, Ambiguous.CANONICAL)) is told


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
