"""What a station tells that nobody may read is found wherever it is told; what it does not tell is not."""

from __future__ import annotations

import pytest

from secproxy.write_only import ANSWERS, CALLS, find_told

Payload = dict[str, object]
KEY, VARIABLE = ["authorizationkey"], ["basicauthpassword"]


def told(name: str, **more: object) -> Payload:
    """A variable of 2.x and what is told of it."""
    return {"component": {"name": "SecurityCtrlr"}, "variable": {"name": name}, **more}


def report(*attributes: object) -> Payload:
    """A report of the password's attributes."""
    return {"reportData": [told("BasicAuthPassword", variableAttribute=[*attributes])]}


@pytest.mark.parametrize(
    ("action", "payload", "found"),
    [
        (b"getconfiguration", {"configurationKey": [{"key": "AuthorizationKey", "value": "ab"}]}, KEY),
        (b"getconfiguration", {"configurationKey": [{"key": " AUTHORIZATIONKEY ", "value": "ab"}]}, KEY),
        (b"getconfiguration", {"configurationKey": [{"key": "AuthorizationKey", "value": "****"}]}, []),
        (b"getconfiguration", {"configurationKey": [{"key": "AuthorizationKey", "value": ""}]}, []),
        (b"getconfiguration", {"configurationKey": [{"key": "AuthorizationKey", "readonly": False}]}, []),
        (b"getconfiguration", {"configurationKey": [{"key": "HeartbeatInterval", "value": "300"}]}, []),
        (b"getconfiguration", {"unknownKey": ["AuthorizationKey"]}, []),
        (b"getvariables", {"getVariableResult": [told("BasicAuthPassword", attributeValue="ab")]}, VARIABLE),
        (b"getvariables", {"getVariableResult": [told("BasicAuthPassword", attributeStatus="Rejected")]}, []),
        (b"getvariables", {"getVariableResult": [
            told("BasicAuthPassword", attributeType="MaxSet", attributeValue="40")]}, []),
        (b"getvariables", {"getVariableResult": [
            told("Identity", attributeValue="CP-1"), told("BasicAuthPassword", attributeType="Target",
            attributeValue="ab")]}, VARIABLE),
        (b"getvariables", {"getVariableResult": "BasicAuthPassword"}, []),
        (b"getvariables", {"getVariableResult": [7, {"variable": 7}, {"variable": {"name": 7}}]}, []),
        (b"notifyreport", report({"type": "Actual", "value": "ab"}), VARIABLE),
        (b"notifyreport", report({"value": "ab"}), VARIABLE),
        (b"notifyreport", report({"type": "Actual", "mutability": "WriteOnly"}, {"type": "MaxSet", "value": "40"}), []),
        (b"notifyreport", {"reportData": [told("BasicAuthPassword", variableAttribute={"value": "ab"})]}, []),
        (b"heartbeat", {"configurationKey": [{"key": "AuthorizationKey", "value": "ab"}]}, []),
    ],
)  # fmt: skip
def test_what_is_told_is_named(action: bytes, payload: Payload, found: list[str]) -> None:
    """In any case of letters, for the value itself alone; a placeholder, a bound and a refusal tell nothing."""
    assert find_told(action, payload) == found


def test_each_action_that_can_tell_has_its_place() -> None:
    """None of those that are read for it is read in vain."""
    told_of = told("BasicAuthPassword", attributeValue="ab")
    lists = {"configurationKey": [told_of], "getVariableResult": [told_of], "reportData": [told_of]}
    assert all(find_told(action, lists) for action in ANSWERS | CALLS)
