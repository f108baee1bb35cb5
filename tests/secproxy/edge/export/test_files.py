"""Events in a file: whole lines, private, durable, and never more than two files of them."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

import pytest

from secproxy.edge.export.files import FileWay
from secproxy.event_settings import Sink, Wanted
from secproxy.export.formats import FORMATS
from tests.secproxy.export.samples import ORIGIN, SAMPLE, SIX

if TYPE_CHECKING:
    from pathlib import Path

LINE = FORMATS["jsonl"](SAMPLE, ORIGIN) + b"\n"


def send(path: Path, *, times: int = 1, rotate: int = 0, form: str = "jsonl") -> None:
    """Send an event so often, each time anew."""
    for _ in range(times):
        way = FileWay(Sink("f", "file", Wanted(), form, path=str(path), rotate_mib=rotate), ORIGIN)
        asyncio.run(way.send([SAMPLE]))


def test_events_are_appended_one_a_line(tmp_path: Path) -> None:
    """The file is ours alone; a second process goes on where the first ended."""
    way = FileWay(Sink("f", "file", Wanted(), "jsonl", path=str(tmp_path / "e")), ORIGIN)
    asyncio.run(way.send([SAMPLE, SIX]))
    send(tmp_path / "e")
    lines = (tmp_path / "e").read_text().splitlines()
    assert [json.loads(line)["remote"] for line in lines] == [SAMPLE.remote, SIX.remote, SAMPLE.remote]
    assert (tmp_path / "e").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_can_stand_in_a_file(tmp_path: Path, form: str) -> None:
    """As 'event export' writes it."""
    send(tmp_path / "e", form=form)
    assert (tmp_path / "e").read_bytes() == FORMATS[form](SAMPLE, ORIGIN) + b"\n"


def test_a_half_line_of_a_crash_spoils_no_other(tmp_path: Path) -> None:
    """It is ended first; its event comes again, since the mark had not moved."""
    (tmp_path / "e").write_bytes(LINE[:50])
    send(tmp_path / "e")
    assert (tmp_path / "e").read_bytes() == LINE[:50] + b"\n" + LINE


def test_whoever_moves_the_file_away_need_tell_nobody(tmp_path: Path) -> None:
    """The next event makes a new one."""
    send(tmp_path / "e")
    (tmp_path / "e").rename(tmp_path / "moved")
    send(tmp_path / "e")
    assert (tmp_path / "e").read_bytes() == (tmp_path / "moved").read_bytes() == LINE


def test_a_full_file_is_set_aside_in_place_of_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers who make events for ever take two such files."""
    monkeypatch.setattr("secproxy.edge.export.files.MIB", 2 * len(LINE))
    send(tmp_path / "e", times=7, rotate=1)
    assert (tmp_path / "e").read_bytes() == LINE
    assert (tmp_path / "e.1").read_bytes() == 2 * LINE
    assert len(list(tmp_path.iterdir())) == 2


def test_a_pipe_or_a_folder_in_its_place_is_refused_at_once(tmp_path: Path) -> None:
    """Nobody waits for a reader that may never come."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(OSError, match=r"no plain file|directory"):
            send(tmp_path / name)


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written of the batch is taken back: all of it comes again."""
    send(tmp_path / "e")
    real = os.write
    monkeypatch.setattr("os.write", lambda handle, data: real(handle, data[:20]))
    with pytest.raises(OSError, match="full"):
        send(tmp_path / "e")
    monkeypatch.undo()
    assert (tmp_path / "e").read_bytes() == LINE
