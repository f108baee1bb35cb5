"""A policy is tried on what a station was recorded saying, and then put in force: the same call is refused live."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.stories import kernel
from tests.stories.test_settings_change_under_traffic import Settled

if TYPE_CHECKING:
    from collections.abc import Iterator

STATION = "CP-001"
ACTION = "DataTransfer"
SAID: dict[str, object] = {"vendorId": "org.example", "data": "hello"}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    """A town that reads its settings from its file."""
    town = Settled(tmp_path_factory.mktemp("town"))
    yield town
    town.close()


def asks(town: Settled, *words: str) -> tuple[int, dict[str, Any]]:
    """Run a command; its exit code and its data."""
    command = [sys.executable, "-m", "bollard", "--home", str(town.home.path), "-o", "json", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, json.loads(done.stdout)


def refusal(town: Settled) -> dict[str, Any]:
    """Have the CSMS say it again; the evidence of the first time that the policy refused it, empty before that."""
    town.world.csms_sends(STATION, ACTION, SAID)
    found: list[Any] = [event["evidence"] for event in town.events() if event["cause"] == "policy.refused"]
    return dict(found[0]) if found else {}


def test_what_a_replay_says_is_what_happens_once_the_policy_is_in_force(town: Settled) -> None:
    """Under the policy of the recording nothing changes; under ``strict`` a vendor's message would be refused, and is,
    by that very rule, once it is in force. Then a replay that names no policy says the same."""
    station = town.connects(STATION)
    assert asks(town, "station", "record", STATION, "--minutes", "5")[0] == 0
    town.world.csms_sends(STATION, ACTION, SAID)
    _, stopped = asks(town, "station", "record", STATION, "--stop")
    tape = str(stopped["file"])
    [recorded] = [path.read_text() for path in town.home.recordings.iterdir()]
    assert ACTION in recorded
    assert '"from":"proxy"' not in recorded
    assert asks(town, "policy", "replay", tape)[0] == 0
    code, told = asks(town, "policy", "replay", tape, "--policy", "strict")
    [change] = told["changes"]
    assert (code, change["from"], change["action"], change["rule"]) == (5, "csms", ACTION, "vendors-of-the-csms")
    assert (change["then"], change["now"], change["clause"]) == ("passes", "refused", "attack 37")
    town.changes(("[web]", '[policy]\npreset = "strict"\n\n[web]'))
    assert town.reload().returncode == 0
    evidence = kernel.until("the refusal", lambda: refusal(town))
    assert (evidence["rule"], evidence["clause"]) == (change["rule"], change["clause"])
    assert asks(town, "policy", "replay", tape) == (5, told)
    assert station.process.poll() is None
