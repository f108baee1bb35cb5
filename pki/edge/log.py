"""The one place where our processes say something to whoever runs them: a line on stderr, for people or for programs.

Rules this file keeps:

* Every line has the name of its kind, which never changes: programs may depend on it, and ``bollard explain`` knows it.
  A line about an error goes by the error's code.
* A line is one line. Whatever is in it, no control character leaves: a stranger's bytes cannot become a line of their
  own, or a terminal's escape.
* ``text`` is for people, and written until a process says otherwise; ``json`` is one object a line (RFC 8259).
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pki.errors import BollardError

LENGTH: Final = 16 * 1024  # characters of a line's text, or of its detail; a trace of a deep fault has a few thousand

LINES: Final[Mapping[str, str]] = {
    "process.ready": "A process, or one of its listeners, is open from now on.",
    "process.weak": "Something weakens this home, or will fail when it is needed; the text says what.",
    "process.fault": "A fault in Bollard, which cost the one thing it happened in; report it with the line's detail.",
}
"""What each kind of line means that any process may say; one sentence each."""


class Form(StrEnum):
    """How lines are written."""

    TEXT = "text"
    JSON = "json"


class Level(StrEnum):
    """How soon somebody should look."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class _Own:
    """How this process writes, and its name."""

    form = Form.TEXT
    process = ""


def begin(process: str, form: Form) -> None:
    """Have every line of this process written in this form, under this name."""
    _Own.process, _Own.form = process, form


def form() -> Form:
    """How lines are written in this process."""
    return _Own.form


def say(kind: str, text: str, *, who: str = "", level: Level = Level.INFO, event: str = "", detail: str = "") -> None:
    """Say one line of a kind. ``who`` stands before a text for people, ``event`` is the id of the security event that
    the line is about, ``detail`` a trace or the like, which has lines of its own for people."""
    text, detail = text[:LENGTH], detail[:LENGTH]
    if _Own.form is Form.JSON:
        written = _object(level, kind, text, event, detail)
    else:
        written = "\n".join([clean(f"{who}: {text}" if who else text), *map(clean, detail.splitlines())])
    sys.stderr.write(f"{written}\n")
    sys.stderr.flush()


def complain(problem: BollardError, *, who: str, about: str = "", level: Level = Level.WARNING) -> None:
    """Say what went wrong, under its code, and what to do next. ``about`` stands before it."""
    ends = "" if str(problem).endswith((".", ":", "!", "?")) or not problem.advice else "."
    say(problem.code, f"{about}{problem}{ends} {problem.advice}".rstrip(), who=who, level=level)


def clean(text: str) -> str:
    """Write out what is not printable, so that a text is one line in every reader's eyes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _object(level: Level, kind: str, text: str, event: str, detail: str) -> str:
    """Write a line as JSON in ASCII alone: no direction mark or other invisible character is left to a reader."""
    moment = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields = {"time": moment, "level": level.value, "process": _Own.process, "id": kind, "text": text}
    also = {name: value for name, value in (("event", event), ("detail", detail)) if value}
    return json.dumps(fields | also, ensure_ascii=True).replace("\x7f", "\\u007f")
