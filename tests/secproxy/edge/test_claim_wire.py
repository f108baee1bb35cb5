"""The words between workers and the supervisor."""

from __future__ import annotations

import msgspec
import pytest

from secproxy.edge import claim_wire as wire
from secproxy.edge import line_end

UP: list[wire.Word] = [
    wire.Hello(3),
    wire.Ready(),
    wire.Want(7, "CP-1", b"\x00\xff" * 16),
    wire.Probed(5, alive=True),
    wire.Release(5),
    wire.Attempt(7, "CP-1", "192.0.2.1"),
    wire.Failed("192.0.2.1"),
    wire.Proved("CP-1", "192.0.2.1"),
    wire.TakeSpans(3, 1),
]
DOWN: list[wire.Word] = [
    wire.Granted(7, 5),
    wire.Denied(7, "session.duplicate"),
    wire.Denied(7, "session.duplicate", {"connected": "00", "refused": "01"}),
    wire.Probe(5),
    wire.Drop(5),
    wire.Tried(7),
    wire.Tried(7, 59.5, "station", 1, begun=True),
]


@pytest.mark.parametrize("word", UP)
def test_what_a_worker_says_comes_back_the_same(word: wire.Word) -> None:
    """Each word is one line, and the desk reads what the worker meant."""
    line = line_end.line(word)

    assert line.count(b"\n") == 1
    assert msgspec.json.decode(line, type=wire.FromWorker) == word


@pytest.mark.parametrize("word", DOWN)
def test_what_the_desk_says_comes_back_the_same(word: wire.Word) -> None:
    """Each word is one line, and the worker reads what the desk meant."""
    assert msgspec.json.decode(line_end.line(word), type=wire.FromDesk) == word


def test_older_workers_are_told_to_retire_in_the_words_they_know() -> None:
    """Nothing stands in them that they would hang up at, and cut their stations off with it."""
    assert line_end.line(wire.Retire()) == b'{"says":"retire"}\n'
    assert msgspec.json.decode(line_end.line(wire.Retire(1)), type=wire.FromDesk) == wire.Retire(1)


def test_spans_go_as_they_were_written() -> None:
    """Whoever only hands them on reads none of them."""
    spans = [msgspec.Raw(b'{"name":"head"}'), msgspec.Raw(b"7")]
    up = msgspec.json.decode(line_end.line(wire.Spans(spans)), type=wire.FromWorker)
    down = msgspec.json.decode(line_end.line(wire.SpansTaken(spans)), type=wire.FromDesk)

    assert isinstance(up, wire.Spans)
    assert isinstance(down, wire.SpansTaken)
    assert [bytes(each) for each in up.spans] == [bytes(each) for each in down.spans] == [b'{"name":"head"}', b"7"]


@pytest.mark.parametrize("text", [b"{}", b'{"says": "granted", "ticket": 1, "leg": 1}', b'{"says": "hello"}', b"junk"])
def test_what_no_worker_says_is_refused(text: bytes) -> None:
    """A desk's word, half a word and no word at all are no words of a worker."""
    with pytest.raises(ValueError, match=r"."):
        msgspec.json.decode(text, type=wire.FromWorker)
