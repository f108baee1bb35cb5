"""Payloads against the official schemas: what fits passes at a glance, and a fault is named without what was found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, cast

import jsonschema  # type: ignore[import-untyped]  # it ships no type information
import pytest

from secproxy.schemas import (
    DEPTH,
    FAULTS_MOST,
    LARGE,
    PATH_LENGTH,
    SAYS_LENGTH,
    VERSIONS,
    Fault,
    Schema,
    Schemas,
    close,
)
from tests.payloads import FILES, FULL, LEAST, example, raw

BOOKS: Final = Schemas(FILES)
EVERY: Final = [(version, name) for version in VERSIONS for name in FILES.names(version)]

Raw = Mapping[str, object]


def call(version: str, action: str) -> Schema:
    """The schema of a call."""
    return BOOKS.book(version).calls[action.encode()]


def spoiled(value: object) -> Iterator[object]:
    """A value with one thing wrong, or at least other, at a time."""
    yield None
    yield "x" * 2_600
    if isinstance(value, dict):
        yield {**value, "neverHeardOf": 1}
        for name, inner in value.items():
            yield {other: each for other, each in value.items() if other != name}
            yield from ({**value, name: each} for each in spoiled(inner))
    if isinstance(value, list):
        yield []
        yield value * 40
        yield from ([each] for each in spoiled(value[0]))
    if isinstance(value, int | float):
        yield -value - 1
        yield 1e300
        yield 10**17


def takes(schema: Schema, payload: object) -> bool:
    """Whether a schema takes a payload as a station would send it."""
    return schema.takes(json.dumps(payload, separators=(",", ":")).encode())


@pytest.mark.parametrize("version", VERSIONS)
def test_another_validator_agrees_about_every_schema(version: str) -> None:
    """What fits, and what has one thing wrong, is judged as the jsonschema package does, which knows no formats."""
    judged = {True: 0, False: 0}
    for name in FILES.names(version):
        text = cast("Raw", json.loads(re.sub(r'"format"\s*:\s*"', '"title":"', FILES.text(version, name))))
        other = jsonschema.validators.validator_for(text)(text)
        schema = Schema(json.dumps(text))
        full = example(text, text, FULL)
        some = islice(spoiled(full), 0, None, 1 if version == "ocpp1.6" else 5)  # the other validator is slow
        for payload in (full, example(text, text, LEAST), *some):
            fits = other.is_valid(payload)
            assert takes(schema, payload) is schema.fits(cast("Raw", payload)) is fits, (name, payload)
            judged[fits] += 1
    assert min(judged.values()) > 300


@pytest.mark.parametrize("version", VERSIONS)
def test_every_call_has_an_answer(version: str) -> None:
    """The books hold a call and an answer of each action, and the one message that nobody answers."""
    book = BOOKS.book(version)
    names = FILES.names(version)
    actions = {name.removesuffix("Request").removesuffix("Response") for name in names}
    sends = {"NotifyPeriodicEventStream"} if version == "ocpp2.1" else set()
    for action in actions - sends:
        assert book.calls[action.encode()].fits is not None
        assert book.answers[action.lower().encode()].fits is not None
    for action in sends:
        assert book.sends[action.encode()].fits is not None
    for shelf, unknown in ((book.calls, b"Heartbeats"), (book.calls, b"heartbeat"), (book.sends, b"Heartbeat")):
        with pytest.raises(KeyError):
            shelf[unknown]


@pytest.mark.parametrize(("version", "name"), EVERY)
def test_what_a_closed_schema_takes_is_bounded_by_itself(version: str, name: str) -> None:
    """No free value, no number beyond int64, no deeper than a message may be: so nothing of it need be searched."""
    closed = cast("Raw", close(raw(version, name)))
    _bounded(closed, closed, 1)


def _bounded(schema: Raw, root: Raw, depth: int) -> None:
    assert depth <= DEPTH
    if "$ref" in schema:
        schema = cast("Mapping[str, Raw]", root["definitions"])[str(schema["$ref"]).rpartition("/")[2]]
    kind = schema.get("type")
    if kind == "object":
        assert schema["additionalProperties"] is False
        for inner in cast("Mapping[str, Raw]", schema.get("properties", {})).values():
            _bounded(inner, root, depth + 1)
    elif kind == "array":
        _bounded(cast("Raw", schema["items"]), root, depth + 1)
    elif kind in {"integer", "number"}:
        assert cast("float", schema["minimum"]) >= -(2**63)
        assert cast("float", schema["maximum"]) < 2**63
    else:
        assert kind in {"string", "boolean"} or "enum" in schema or schema == {"not": {}}


@pytest.mark.parametrize(
    ("version", "action", "payload"),
    [
        ("ocpp2.0.1", "DataTransfer", {"vendorId": "a", "data": {"any": [1, {"thing": None}]}}),
        ("ocpp2.0.1", "Heartbeat", {"customData": {"vendorId": "a", "more": {"deep": [1.5]}}}),
        ("ocpp1.6", "Heartbeat", {}),
        (
            "ocpp1.6",
            "StopTransaction",
            {"meterStop": 9, "timestamp": "2026-11-28T00:00:00.5+01:00", "transactionId": 1},
        ),
    ],
)
def test_free_values_and_empty_payloads_are_taken(version: str, action: str, payload: Raw) -> None:
    """What vendors may write is free, however it is spaced."""
    assert takes(call(version, action), payload)
    assert call(version, action).takes(json.dumps(payload, indent=1).encode())


@pytest.mark.parametrize("number", [str(2**63), "1e999", "0." + "1" * 70, "-" + "9" * 19])
def test_attack_25_a_number_that_the_strict_reader_refuses_is_never_taken(number: str) -> None:
    """Neither where the schema wants a number, nor in a free value."""
    assert not call("ocpp1.6", "StopTransaction").takes(
        b'{"meterStop":%s,"timestamp":"2026-11-28T00:00:00Z","transactionId":1}' % number.encode()
    )
    assert not call("ocpp2.1", "Heartbeat").takes(b'{"customData":{"vendorId":"a","n":%s}}' % number.encode())


def test_attack_24_a_deep_free_value_is_never_taken() -> None:
    """As deep as a message may be is taken, one deeper is not: the strict reader names the fault."""
    heartbeat, inside = call("ocpp2.1", "Heartbeat"), DEPTH - 2
    for count, taken in ((inside, True), (inside + 1, False), (3_000, False)):
        value = b"[" * count + b"]" * count
        assert heartbeat.takes(b'{"customData":{"vendorId":"a","n":' + value + b"}}") is taken


SAMPLES: Final = {"timestamp": "2026-11-28T00:00:00Z", "sampledValue": [{"value": "1"}]}
METER: Final = {"connectorId": 1, "meterValue": [SAMPLES]}


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ({**METER, "connectorId": "1"}, ("$.connectorId", "type", "it is no integer")),
        ({**METER, "more": 1}, ("$", "additionalProperties", "unknown: more")),
        ({"connectorId": 1}, ("$", "required", "missing: meterValue")),
        ({"connectorId": 1, "meterValue": []}, ("$.meterValue", "minItems", "items, at least: 1")),
        (
            {"connectorId": 1, "meterValue": [{**SAMPLES, "timestamp": "yesterday"}]},
            ("$.meterValue[0].timestamp", "format", "it is no date-time"),
        ),
    ],
)
def test_a_fault_says_where_and_what(payload: Raw, fault: tuple[str, str, str]) -> None:
    """A JSON path, the schema's rule, and what it wants."""
    (found,) = call("ocpp1.6", "MeterValues").faults(payload, 100)
    assert (found.path, found.rule, found.says) == fault
    assert found.place == found.path.replace("[0]", "[*]")


def test_a_fault_never_repeats_a_value() -> None:
    """A password that is too long for its field stands in no event."""
    secret = "correct horse battery staple " * 40
    schema = call("ocpp1.6", "ChangeConfiguration")
    (fault,) = schema.faults({"key": "AuthorizationKey", "value": secret}, 1_200)
    assert fault == Fault("$.value", "maxLength", "characters, at most: 500", "$.value")


def test_the_faults_of_a_message_are_few_and_short() -> None:
    """However much is wrong, and however long the names are that a stranger chose."""
    names = {"n" * 5_000 + str(number): 1 for number in range(50)}
    values = [{"value": "1", **names} for _ in range(50)]
    payload = {**METER, "meterValue": [{"timestamp": "x", "sampledValue": values}], **names}
    faults = call("ocpp1.6", "MeterValues").faults(payload, LARGE)
    assert len(faults) == FAULTS_MOST
    assert all(len(fault.path) <= PATH_LENGTH and len(fault.says) <= SAYS_LENGTH for fault in faults)
    assert len(call("ocpp1.6", "MeterValues").faults(payload, LARGE + 1)) == 1
    assert call("ocpp1.6", "MeterValues").faults(METER, LARGE + 1) == ()
