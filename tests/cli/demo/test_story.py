"""A step that does not hold ends the story; the verdict is given only when all held."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from cli.demo.child import Child
from cli.demo.story import STEPS, Step, compare, play
from pki.errors import BollardError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli.demo.world import World


@pytest.fixture(autouse=True)
def _keep_signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def holds(world: World) -> str:
    """A step that holds."""
    return f"looked around in {world.folder.name}"


def fails(_: World) -> str:
    """A step that does not."""
    raise BollardError("demo.test", "it did not hold")


def test_the_verdict_comes_when_all_held(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each step is numbered, timed and ticked."""
    play(tmp_path, [Step("One thing", holds), Step("Another", holds)])
    told = capsys.readouterr().out

    assert "   1. One thing" in told
    assert told.count("looked around") == 2
    assert "All 2 steps held" in told


def test_a_failing_step_ends_the_story(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What comes after it is not played, and there is no verdict."""
    with pytest.raises(BollardError, match="it did not hold"):
        play(tmp_path, [Step("One thing", fails), Step("Another", holds)])
    told = capsys.readouterr().out

    assert "step 1 did not hold" in told
    assert "Another" not in told
    assert "held, in" not in told


def test_every_step_says_something_of_its_own() -> None:
    """The transcript reads as a list of different promises."""
    assert len({step.says for step in STEPS}) == len(STEPS)


def test_what_is_printed_late_is_waited_for_and_what_was_altered_is_told_as_that(tmp_path: Path) -> None:
    """Also where the CSMS has nothing of it at all."""
    (tmp_path / "logs").mkdir()
    program = "for _ in 'ab': print(input(), flush=True)"
    station = Child("cp", [sys.executable, "-c", program], tmp_path, {})
    station.say({"said": "one"})
    station.say({"said": "two"})

    assert compare(station, "said", ["one", "two"]) == 2
    for at_csms in (["one", "TWO"], []):
        with pytest.raises(BollardError, match=r"demo\.altered"):
            compare(station, "said", at_csms)
    station.end()
