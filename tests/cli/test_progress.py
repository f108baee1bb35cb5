"""A bar for people, silence for programs."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from cli.progress import counting, measuring

if TYPE_CHECKING:
    import pytest


def test_nothing_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    """A log file holds no bars."""
    with counting("re-issuing", 2) as count:
        count()
        count()
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_what_is_done_and_how_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr, so that data on stdout stays data."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        with counting("re-issuing", 2) as count:
            count()
            count()
    shown = b"".join(iter(partial(_read, ours), b"")).decode()
    os.close(ours)
    assert "re-issuing" in shown
    assert "2/2" in shown


def test_how_much_of_how_much_is_shown_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the whole is known only later."""
    with measuring("entries") as tell:
        tell(1, 2)
    assert capsys.readouterr() == ("", "")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        with measuring("entries") as tell:
            tell(1, 2)
            tell(2, 2)
    shown = b"".join(iter(partial(_read, ours), b"")).decode()
    os.close(ours)
    assert "entries" in shown


def _read(terminal: int) -> bytes:
    """What is still to be read; a terminal whose other end is closed says so by an error once it is empty."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
