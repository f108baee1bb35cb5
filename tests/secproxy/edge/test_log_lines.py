"""A fault in a library is one line, however often it happens, and tells nothing that a stranger sent."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from secproxy.edge.log_lines import KINDS_MOST, SILENCE, LogLines

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The handler's."""
    return Clock()


@pytest.fixture
def log(clock: Clock) -> Iterator[logging.Logger]:
    """A library's log, with the handler on it."""
    logger, handler = logging.getLogger("a.library"), LogLines("web", clock)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def fault(log: logging.Logger, kind: type[Exception] = ValueError) -> None:
    """Let the library log an exception, as uvicorn does."""
    try:
        break_down(kind)
    except kind:
        log.exception("Exception in application %r\n", "what a stranger sent")


def break_down(kind: type[Exception]) -> None:
    """Fail."""
    raise kind("what a stranger sent")


def test_an_exception_is_one_line_that_says_where_and_not_what(
    log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kind, file and line; the text of it may be a stranger's."""
    fault(log)
    said = capsys.readouterr().err

    assert said.startswith("web: unexpected: a.library met ValueError in test_log_lines.py:")
    assert said.count("\n") == 1
    assert "stranger" not in said


def test_the_same_fault_is_counted_for_a_minute(
    log: logging.Logger, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever makes it happen a thousand times has written two lines."""
    for _ in range(1000):
        fault(log)
    clock.now = SILENCE
    fault(log)
    first, second = capsys.readouterr().err.splitlines()

    assert "more" not in first
    assert "(999 more like it before)" in second


def test_another_fault_is_another_line(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """What is new is told at once, a warning without an exception too; what is no more than a remark is not."""
    fault(log)
    fault(log, KeyError)
    log.warning("%s was sent", "what a stranger sent")
    log.info("hello")
    said = capsys.readouterr().err

    assert said.count("\n") == 3
    assert "a.library says '%s was sent'" in said
    assert "what a stranger" not in said


def test_what_ends_with_the_process_is_no_fault(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """A download that is cut off at the end is told by its own record."""
    log.error("Exception", exc_info=asyncio.CancelledError())

    assert capsys.readouterr().err == ""


def test_kinds_are_bounded(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """Beyond that they are one."""
    for number in range(KINDS_MOST + 50):
        fault(log, type(f"Fault{number}", (Exception,), {}))

    assert capsys.readouterr().err.count("\n") == KINDS_MOST + 1
