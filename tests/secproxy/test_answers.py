"""What a caller hears in the place of the other side: as the version and the action allow."""

from __future__ import annotations

import json

import jsonschema_rs
import pytest

from secproxy.answers import answer, is_by_policy, refuse_by_policy
from secproxy.envelope import Call, error_bytes, parse, result_bytes
from secproxy.policy.actions import ACTIONS
from tests.secproxy.policy.test_actions import SCHEMAS

CODES = {"NotImplemented", "SecurityError"}  # OCPP-J 4.3, in every version


@pytest.mark.parametrize("version", ACTIONS)
def test_every_action_is_refused_in_a_form_that_its_caller_takes(version: str) -> None:
    """The status Rejected is held against the official schema; an error has a code that every version knows."""
    for action in sorted(set().union(*ACTIONS[version].values())):
        said = json.loads(refuse_by_policy(Call("m-1", action, {}), version, unknown=False))
        if said[0] == 3:
            schema = json.loads(SCHEMAS[version][f"{action}Response"].read_text(encoding="utf-8-sig"))
            jsonschema_rs.validate(schema, said[2])
        else:
            assert said[:3] == [4, "m-1", "SecurityError"]


@pytest.mark.parametrize("version", ACTIONS)
def test_an_action_that_nobody_knows_is_not_implemented(version: str) -> None:
    """As the other side would have said."""
    assert json.loads(refuse_by_policy(Call("m-1", "MadeUp", {}), version, unknown=True))[:3] == [
        4,
        "m-1",
        "NotImplemented",
    ]


def test_a_status_has_its_reason_where_the_version_has_room_for_one() -> None:
    """Cut to what the schema takes; 1.6 has the status alone, and an error has no status."""
    call = Call("m-1", "UpdateFirmware", {})
    assert json.loads(answer(call, "ocpp1.6", "Rejected", "because", "says")) == [3, "m-1", {"status": "Rejected"}]
    info = json.loads(answer(call, "ocpp2.0.1", "Rejected", "r" * 99, "s" * 999))[2]["statusInfo"]
    assert (len(info["reasonCode"]), len(info["additionalInfo"])) == (20, 512)
    assert json.loads(answer(call, "ocpp1.6", "NotSupported", "because", "says"))[:3] == [4, "m-1", "NotSupported"]


@pytest.mark.parametrize("version", ACTIONS)
@pytest.mark.parametrize("unknown", [True, False])
def test_a_refusal_by_policy_is_known_as_one(version: str, unknown: bool) -> None:
    """Of every action, but where in 1.6 the firmware gate says the same."""
    for action in sorted(set().union(*ACTIONS[version].values())):
        said = parse(refuse_by_policy(Call("m-1", action, {}), version, unknown=unknown))
        doubtful = (version, action, unknown) == ("ocpp1.6", "SignedUpdateFirmware", False)
        assert is_by_policy(said, action, version) is (None if doubtful else True)


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("ocpp1.6", error_bytes("1", "SecurityError", "another's transaction")),
        ("ocpp1.6", result_bytes("1", {"status": "Accepted"})),
        ("ocpp2.0.1", result_bytes("1", {"status": "Rejected"})),
        ("ocpp2.0.1", result_bytes("1", {"status": "Rejected", "statusInfo": {"reasonCode": "declined"}})),
        ("ocpp2.0.1", result_bytes("1", {"status": "Rejected", "statusInfo": []})),
        ("ocpp2.1", b'[5,"1","SecurityError","refused by policy",{}]'),
    ],
)
def test_what_others_say_is_no_refusal_by_policy(version: str, said: bytes) -> None:
    """Another gate of ours, and what comes from elsewhere."""
    assert is_by_policy(parse(said), "Reset", version) is False
