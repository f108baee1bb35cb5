"""What our processes say is one line each, whatever is in it, for people or for programs."""

from __future__ import annotations

import ast
import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pki.edge.log
import secproxy.lines
from pki.edge import log
from pki.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent.parent
TABLES = (pki.edge.log.LINES, secproxy.lines.LINES)


@pytest.fixture
def as_json() -> Iterator[None]:
    """Write as a process whose lines programs read."""
    log.begin("worker-0", log.Form.JSON)
    yield
    log.begin("", log.Form.TEXT)


@pytest.mark.parametrize(
    ("cause", "advice", "line"),
    [
        ("it is taken", "Choose another.", "who: a.code: it is taken. Choose another."),
        ("It is taken.", "Choose another.", "who: a.code: It is taken. Choose another."),
        ("it is taken", "", "who: a.code: it is taken"),
    ],
)
def test_what_went_wrong_and_what_to_do_are_two_sentences(
    capsys: pytest.CaptureFixture[str], cause: str, advice: str, line: str
) -> None:
    """Whether or not the first ends like one."""
    log.complain(InputError("a.code", cause, advice), who="who")
    assert capsys.readouterr().err == f"{line}\n"


def test_people_read_who_says_what(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, and a trace behind it in lines of its own."""
    log.say("process.ready", "bollard ready")
    log.say("process.fault", "it broke", who="authority", detail="  File a\n  File b\n")

    assert capsys.readouterr().err == "bollard ready\nauthority: it broke\n  File a\n  File b\n"


@pytest.mark.usefixtures("as_json")
def test_programs_read_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    """With its time in UTC, its level, who says it, the kind of line and the event that it is about."""
    log.say("process.fault", "it broke", who="authority", level=log.Level.ERROR, event="0a", detail="a\nb")
    log.complain(InputError("some.code", "a cause", "An advice."), who="bollard")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    moment = dt.datetime.fromisoformat(first.pop("time"))

    assert abs(moment - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert first == {
        "level": "error",
        "process": "worker-0",
        "id": "process.fault",
        "text": "it broke",
        "event": "0a",
        "detail": "a\nb",
    }
    assert (second["id"], second["level"]) == ("some.code", "warning")
    assert "a cause" in second["text"]
    assert second["text"].endswith("An advice.")
    assert set(second) == {"time", "level", "process", "id", "text"}


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_no_text_can_be_more_than_a_line_or_speak_to_a_terminal(text: str) -> None:
    """Line breaks, escapes, direction marks, lone surrogates: what leaves is ASCII, and reads back as it was."""
    written = log._object(log.Level.INFO, "process.fault", text, "", text)

    assert written.isascii()
    assert written.isprintable()
    assert json.loads(written)["text"] == text
    assert log.clean(text).isprintable()


@pytest.mark.parametrize("form", list(log.Form))
def test_a_text_without_end_is_cut(form: log.Form, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever makes a line long fills no disk with it."""
    log.begin("", form)
    log.say("process.fault", "x" * 10 * log.LENGTH, detail="y" * 10 * log.LENGTH)
    log.begin("", log.Form.TEXT)

    assert len(capsys.readouterr().err) < 2 * log.LENGTH + 500


def kinds(tree: ast.AST) -> set[str]:
    """Every kind of line that a file says by its name."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args)
    sayers = {"log.say", "_say", "self._say", "tell_operator"}
    first = (node.args[0] for node in calls if ast.unparse(node.func) in sayers)
    return {each.value for each in first if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def test_every_kind_of_line_is_in_the_tables_and_every_entry_is_said() -> None:
    """A program that was told of a kind never waits for it in vain, and meets none that it was not told of."""
    trees = [ast.parse(path.read_text()) for room in ("pki", "secproxy") for path in (ROOT / room).rglob("*.py")]
    said = set().union(*map(kinds, trees))

    assert said == set().union(*TABLES)
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+", kind) for kind in said)


def test_nothing_else_writes_to_stderr() -> None:
    """All that processes say goes through this one place; only a crash that a test orders speaks before it is there."""
    rooms = [path for room in ("pki", "secproxy") for path in (ROOT / room).rglob("*.py")]
    found = {path.name for path in rooms if "stderr" in path.read_text() and path.name != "log.py"}
    speaking = {name for name in found for path in rooms if path.name == name and _writes(ast.parse(path.read_text()))}

    assert speaking == {"crashpoints.py"}


def _writes(tree: ast.AST) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == "stderr" for node in ast.walk(tree))
