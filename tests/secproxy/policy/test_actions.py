"""The actions of each version: as the official schemas have them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import ocpp  # type: ignore[import-untyped]  # carries no types
import pytest

from secproxy.plan import Side
from secproxy.policy.actions import ACTIONS, REJECTED, is_known

FOLDERS = {"ocpp1.6": "v16", "ocpp2.0.1": "v201", "ocpp2.1": "v21"}
SCHEMAS = {
    version: {path.stem: path for path in (Path(ocpp.__file__).parent / folder / "schemas").glob("*.json")}
    for version, folder in FOLDERS.items()
}


@pytest.mark.parametrize("version", FOLDERS)
def test_every_action_of_the_official_schemas_is_somebodys(version: str) -> None:
    """And no other; only DataTransfer is called by both sides."""
    official = {name.removesuffix("Request").removesuffix("Response") for name in SCHEMAS[version]}
    station, csms = ACTIONS[version][Side.STATION], ACTIONS[version][Side.CSMS]
    assert station | csms == official
    assert station & csms == {"DataTransfer"}


@pytest.mark.parametrize("version", FOLDERS)
def test_an_action_says_rejected_where_its_schema_lets_it(version: str) -> None:
    """Nowhere else: a caller that checks the schema would take the answer for a broken one."""
    can = set()
    for name, path in SCHEMAS[version].items():
        schema = json.loads(path.read_text(encoding="utf-8-sig"))
        has_status = "status" in schema.get("properties", {})
        if name.endswith("Response") and has_status and jsonschema_rs.is_valid(schema, {"status": "Rejected"}):
            can.add(name.removesuffix("Response"))
    assert REJECTED[version] == can


@pytest.mark.parametrize(
    ("version", "action", "known"),
    [
        ("ocpp1.6", "remotestoptransaction", True),
        ("ocpp2.1", "remotestoptransaction", False),
        ("ocpp2.1", "batteryswap", True),
        ("ocpp1.6", "getvariables", False),
        ("ocpp2.0", "heartbeat", False),
    ],
)
def test_an_action_is_known_to_the_versions_that_have_it(version: str, action: str, known: bool) -> None:
    """Whoever calls it."""
    assert is_known(version, action) is known
