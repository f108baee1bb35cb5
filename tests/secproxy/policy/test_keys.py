"""Which settings are named, and what would take a station to a lower security profile."""

from __future__ import annotations

import pytest

from secproxy.policy.keys import Keys, lowered, settings

READ = Keys(deny=("authorizationkey", "*.basicauthpassword", "securityctrlr.*"))


def variables(action: str, *names: tuple[str, str, str]) -> dict[str, object]:
    """A SetVariables or GetVariables about component, variable and value."""
    items = [{"component": {"name": c}, "variable": {"name": v}, "attributeValue": x} for c, v, x in names]
    return {action: items}


@pytest.mark.parametrize(
    ("action", "payload", "refused"),
    [
        (b"getconfiguration", {"key": ["HeartbeatInterval", "AuthorizationKey"]}, True),
        (b"getconfiguration", {"key": ["authorizationkey "]}, True),
        (b"getconfiguration", {"key": ["HeartbeatInterval"]}, False),
        (b"getconfiguration", {}, False),
        (b"changeconfiguration", {"key": "AUTHORIZATIONKEY", "value": "x"}, True),
        (b"changeconfiguration", {"key": 7}, False),
        (b"getvariables", variables("getVariableData", ("SecurityCtrlr", "BasicAuthPassword", "")), True),
        (b"getvariables", variables("getVariableData", ("Other", "basicAuthPassword", "")), True),
        (b"getvariables", variables("getVariableData", ("SecurityCtrlr", "Identity", "")), True),
        (b"getvariables", variables("getVariableData", ("ClockCtrlr", "DateTime", "")), False),
        (b"getvariables", {"getVariableData": "x"}, False),
        (b"getreport", {"componentVariable": [{"component": {"name": "SecurityCtrlr"}}]}, True),
    ],
)
def test_attack_34_a_setting_is_found_however_it_is_written(
    action: bytes, payload: dict[str, object], refused: bool
) -> None:
    """Case and blanks around a name do not hide it; what is no name is the schema's business."""
    assert bool(READ.fault(action, payload)) is refused


def test_a_list_of_what_may_be_named_allows_nothing_else() -> None:
    """An empty one allows nothing."""
    only = Keys(allow=("heartbeatinterval",))
    assert only.fault(b"changeconfiguration", {"key": "HeartbeatInterval"}) == ""
    assert only.fault(b"changeconfiguration", {"key": "LocalPreAuthorize"}) != ""
    assert Keys(allow=()).fault(b"changeconfiguration", {"key": "HeartbeatInterval"}) != ""


@pytest.mark.parametrize(
    ("action", "payload", "refused"),
    [
        (b"changeconfiguration", {"key": "SecurityProfile", "value": "3"}, False),
        (b"changeconfiguration", {"key": "SecurityProfile", "value": "2"}, False),
        (b"changeconfiguration", {"key": "securityprofile", "value": "1"}, True),
        (b"changeconfiguration", {"key": "SecurityProfile", "value": "01"}, True),
        (b"changeconfiguration", {"key": "SecurityProfile", "value": ""}, True),
        (b"changeconfiguration", {"key": "SecurityProfile"}, True),
        (b"changeconfiguration", {"key": "HeartbeatInterval", "value": "1"}, False),
        (b"setvariables", variables("setVariableData", ("SecurityCtrlr", "SecurityProfile", "1")), True),
        (b"setvariables", variables("setVariableData", ("X", "Y", "1"), ("A", "SecurityProfile", "0")), True),
        (b"setnetworkprofile", {"connectionData": {"securityProfile": 1}}, True),
        (b"setnetworkprofile", {"connectionData": {"securityProfile": 2}}, False),
        (b"setnetworkprofile", {"connectionData": {"securityProfile": True}}, True),
        (b"setnetworkprofile", {"connectionData": {}}, False),
    ],
)
def test_attack_09_a_lower_profile_is_found_wherever_it_is_written(
    action: bytes, payload: dict[str, object], refused: bool
) -> None:
    """For a station registered with profile 2; a value that is no profile counts as lower, since readers differ."""
    assert bool(lowered(action, payload, 2)) is refused


@pytest.mark.parametrize(
    ("value", "least", "refused"), [("true", 3, True), ("x", 3, True), ("False", 3, False), ("true", 2, False)]
)
def test_attack_09_a_downgrade_is_switched_on_only_where_it_leads_to_what_is_registered(
    value: str, least: int, refused: bool
) -> None:
    """A05.FR.08: it leads from profile 3 to 2; a station that is registered with 2 may go there."""
    payload = variables("setVariableData", ("SecurityCtrlr", "AllowSecurityProfileDowngrade", value))
    assert bool(lowered(b"setvariables", payload, least)) is refused


def test_what_has_no_settings_names_none() -> None:
    """Nothing is guessed."""
    assert list(settings(b"reset", {"key": "AuthorizationKey"})) == []
