"""A recording held against a policy by command: what people and scripts are told, and the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from secproxy.recording import LINE_BYTES
from tests.cli.test_policy import DENY, settle
from tests.secproxy.policy.test_rulebook import OPEN
from tests.secproxy.test_replay import CSMS, PASSWORD, RESET, SOFT, VALUES, call, own, record

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard

REPLAY = ("-o", "json", "policy", "replay")


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A recording of a station that no home knows: two resets, which nobody objected to."""
    path = tmp_path / "CP-001.jsonl"
    path.write_bytes(b"".join(record(own(OPEN), RESET, SOFT)))
    return path


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """The file of a policy that lets no reset through."""
    path = tmp_path / "mine.toml"
    path.write_text(OPEN + DENY)
    return str(path)


def test_what_would_newly_be_refused_is_told_and_exits_5(bollard: Bollard, tape: Path, mine: str) -> None:
    """Each call with line, side, action, both verdicts, rule and clause; their sums; no authority is needed."""
    told = bollard(*REPLAY, str(tape), "--policy", mine)
    data = told.json()
    assert told.code == 5
    assert "policy.would_refuse" in told.err
    assert {name: data[name] for name in ("station", "policy", "calls", "newly_refused", "not_judged", "cut")} == {
        "station": "CP-001", "policy": "mine", "calls": 2, "newly_refused": 2, "not_judged": 0, "cut": False,
    }  # fmt: skip
    row = {
        "line": 2, "from": "csms", "action": "Reset", "then": "passes", "now": "refused",
        "rule": "r", "clause": "attack 36", "says": "the policy forbids it",
    }  # fmt: skip
    assert told.rows("changes") == [row, {**row, "line": 3}]
    summary = {**row, "calls": 2, "first_line": 2}
    del summary["line"]
    assert told.rows("summary") == [summary]


def test_under_the_policy_of_its_group_nothing_changes_and_it_exits_0(bollard: Bollard, home: Path, tape: Path) -> None:
    """Without a name it is the one that bollard.toml puts the station under, by the group that it had."""
    assert bollard(*REPLAY, str(tape)).json()["policy"] == "baseline"
    settle(home, '\n[[policy_override]]\ngroup = "depot"\npreset = "strict"\n')
    told = bollard(*REPLAY, str(tape))
    assert (told.code, told.json()["policy"], told.rows("changes")) == (0, "strict", [])


def test_what_would_newly_be_let_through_exits_0_and_is_listed(bollard: Bollard, tape: Path, mine: str) -> None:
    """Here against another policy over the same recording."""
    told = bollard(*REPLAY, str(tape), "--policy", "baseline", "--against", mine)
    assert (told.code, told.json()["newly_let_through"], told.json()["against"]) == (0, 2, "mine")
    assert bollard(*REPLAY, str(tape), "--policy", mine, "--against", mine).rows("changes") == []


def test_what_cannot_be_judged_exits_8_with_its_reason(bollard: Bollard, tmp_path: Path) -> None:
    """A secret's length, say: it is no change."""
    (tmp_path / "values.toml").write_text(OPEN + VALUES)
    path = tmp_path / "CP-001.jsonl"
    path.write_bytes(b"".join(record(own(OPEN), call(CSMS, 1, "ChangeConfiguration", PASSWORD))))
    told = bollard(*REPLAY, str(path), "--policy", str(tmp_path / "values.toml"))
    [row] = told.rows("summary")
    assert (told.code, told.rows("changes")) == (8, [])
    assert (row["now"], row["rule"], str(row["says"])[:8]) == ("cannot be judged", "short", "redacted")


def test_people_are_shown_sums_and_calls(bollard: Bollard, tape: Path, mine: str) -> None:
    """As tables; CSV has the calls."""
    told = bollard("policy", "replay", str(tape), "--policy", mine)
    assert "newly refused: 2" in told.err
    assert told.out.count("attack 36") == 3
    assert (
        bollard("-o", "csv", "policy", "replay", str(tape), "--policy", mine).out.splitlines()[1].startswith("2,csms")
    )


def test_a_recording_that_still_runs_is_read_as_far_as_it_goes(bollard: Bollard, tape: Path, mine: str) -> None:
    """Its last line has no end yet."""
    tape.write_bytes(tape.read_bytes()[:-9])
    told = bollard(*REPLAY, str(tape), "--policy", mine).json()
    assert (told["calls"], told["cut"]) == (1, True)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe\n",
        b'{"recording":2}\n',
        b'{"a":' + b" " * LINE_BYTES + b"1}\n",
    ],
)
def test_a_file_that_is_no_recording_is_told_as_one(bollard: Bollard, tmp_path: Path, text: bytes) -> None:
    """Whatever it holds, and however much of it is in one line."""
    (tmp_path / "tape").write_bytes(text)
    told = bollard("-o", "json", "policy", "replay", str(tmp_path / "tape"))
    assert (told.code, json.loads(told.err)["error"]["code"]) == (2, "recording.wrong")
    assert ("is empty" in told.err) is not bool(text)


def test_what_is_not_there_is_told(bollard: Bollard, tape: Path) -> None:
    """The recording, the policy, the policy's file; a policy that is wrong."""
    assert bollard("policy", "replay", "nowhere").code == 4
    assert bollard("policy", "replay", str(tape), "--policy", "nobodys").code == 4
    assert bollard("policy", "replay", str(tape), "--against", "./nobodys.toml").code == 4
    assert bollard("policy", "replay", str(tape), "--policy", str(tape)).code == 2
