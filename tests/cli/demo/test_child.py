"""A child process is listened to and ended, whatever it does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from cli.demo.child import Child
from pki.errors import BollardError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TALKS = "import sys\nprint('{\"a\": 1}')\nprint('plain')\nsys.stdout.flush()\nprint(sys.stdin.readline())\nsys.exit(3)"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(600)"
)


@pytest.fixture
def children() -> Iterator[list[Child]]:
    """Whatever a test starts is gone after it."""
    started: list[Child] = []
    yield started
    for child in started:
        child.end()


def start(folder: Path, program: str, children: list[Child], *, hears_stderr: bool = False) -> Child:
    """Run a few lines of Python."""
    (folder / "logs").mkdir(exist_ok=True)
    child = Child("child", [sys.executable, "-c", program], folder, {}, hears_stderr=hears_stderr)
    children.append(child)
    return child


def test_lines_are_facts_and_what_is_typed_arrives(tmp_path: Path, children: list[Child]) -> None:
    """JSON is read as such, other text is kept as a line."""
    child = start(tmp_path, TALKS, children)
    child.wait_for("a", lambda fact: fact.get("a") == 1)
    child.say({"b": 2})
    assert child.wait_for("the echo", lambda fact: fact.get("b") == 2) == {"b": 2}

    assert child.ended() == 3
    assert child.texts("line")[0] == "plain"


def test_the_other_stream_is_kept_for_a_failure(tmp_path: Path, children: list[Child]) -> None:
    """What a process complained of stands in the report."""
    child = start(tmp_path, "import sys; sys.stderr.write('it broke')", children)
    child.ended()

    assert "it broke" in child.last_words()


def test_an_end_before_the_word_is_told_at_once(tmp_path: Path, children: list[Child]) -> None:
    """Nobody waits for a process that is gone."""
    child = start(tmp_path, "print('something else')", children)

    with pytest.raises(BollardError, match="never said: the word") as silent:
        child.wait_for("the word", lambda fact: fact.get("line") == "the word")
    assert "something else" in silent.value.advice


def test_stderr_can_be_listened_to(tmp_path: Path, children: list[Child]) -> None:
    """Bollard's processes talk there."""
    child = start(tmp_path, "import sys; sys.stderr.write('ready\\n')", children, hears_stderr=True)

    assert child.wait_for("ready", lambda fact: fact.get("line") == "ready")


def test_a_process_that_will_not_end_is_killed(
    tmp_path: Path, children: list[Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing outlives the story."""
    monkeypatch.setattr("cli.demo.child.END_SECONDS", 0.2)
    child = start(tmp_path, STUBBORN, children)
    child.wait_for("up", lambda fact: fact.get("line") == "up")

    assert child.end() == -9


def test_typing_to_a_process_that_is_gone_is_told(tmp_path: Path, children: list[Child]) -> None:
    """It is named, with its last words."""
    child = start(tmp_path, "print('bye')", children)
    child.ended()

    with pytest.raises(BollardError, match="is not there any more"):
        child.say({"a": 1})
