"""A recording reads back as it was written; a file that is none is refused by the number of its line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pki.errors import InputError
from secproxy.recording import CALLS_KEPT, FORM, LINE_BYTES, Head, Recorder, read_head, read_lines
from secproxy.redaction import DATA_KEPT, Redaction
from tests.play import NOON

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = Head(FORM, "CP-001", "depot", 3, "ocpp1.6", NOON)


def recorder() -> Recorder:
    """One that keeps tokens."""
    return Recorder(HEAD, Redaction(None))


def test_what_was_written_reads_back() -> None:
    """The head, then each message with its time, its version and who said it."""
    tape = recorder()
    written = [
        tape.line("csms", b'[2,"1","Reset",{"type":"Soft"}]', NOON),
        tape.line("proxy", b'[3,"1",{"status":"Rejected"}]', NOON),
    ]
    assert read_head(tape.first) == HEAD
    read = [(number, line.speaker, line.message, line.version, line.time) for number, line in read_lines(written)]
    assert read == [
        (2, "csms", [2, "1", "Reset", {"type": "Soft"}], "ocpp1.6", NOON),
        (3, "proxy", [3, "1", {"status": "Rejected"}], "ocpp1.6", NOON),
    ]


def test_what_could_not_be_read_is_told_and_not_kept() -> None:
    """Nobody knows where its secrets are."""
    line = json.loads(recorder().line("station", b'[2,"1","X",{"password":"s3cr3t"', NOON))
    assert (line["unreadable"], line["bytes"]) == ("json", 31)
    assert "s3cr3t" not in str(line)


def test_an_answer_is_redacted_by_the_action_that_was_asked_for() -> None:
    """As far back as calls are remembered."""
    tape, answer = recorder(), json.dumps([3, "a", {"data": "y" * 90}]).encode()
    tape.line("station", b'[2,"a","DataTransfer",{"vendorId":"x"}]', NOON)
    assert b"y" * (DATA_KEPT + 1) not in tape.line("csms", answer, NOON)
    for number in range(CALLS_KEPT):
        tape.line("station", b'[2,"%d","Heartbeat",{}]' % number, NOON)
    assert b"y" * 90 in tape.line("csms", answer, NOON)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        b"{}",
        b"\xff",
        recorder().first.replace(b'"recording":1', b'"recording":2'),
        recorder().first.replace(b"ocpp1.6", b"ocpp9"),
        recorder().first.replace(b'"profile":3', b'"profile":7'),
        recorder().first.replace(b"CP-001", b"CP:001"),
    ],
)
def test_a_first_line_that_is_none_is_refused(line: bytes) -> None:
    """Also one of a form that nobody knows yet."""
    with pytest.raises(InputError, match="line 1"):
        read_head(line)


GOOD = recorder().line("csms", b'[2,"1","Reset",{}]', NOON)


@pytest.mark.parametrize(
    "bad",
    [
        b"x\n",
        b"\xff\n",
        b"[" * 100_000 + b"\n",
        GOOD.replace(b"csms", b"me"),
        GOOD.replace(b"Z", b""),
        GOOD.replace(b"2026", b"9999"),
        b" " * LINE_BYTES + b"\n",
    ],
)
def test_a_line_that_is_none_is_refused_by_its_number(bad: bytes) -> None:
    """However it is wrong."""
    lines: Iterable[bytes] = [GOOD, bad]
    with pytest.raises(InputError, match="line 3"):
        list(read_lines(lines))


def test_a_last_line_that_was_cut_is_left_out() -> None:
    """Whoever wrote it was killed."""
    assert [number for number, _ in read_lines([GOOD, GOOD[:-5]])] == [2]
