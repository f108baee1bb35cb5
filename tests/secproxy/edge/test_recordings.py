"""A recording ends by itself, whatever happens; a station has one at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pki.errors import ConflictError, NotFoundError
from secproxy.edge import recordings
from secproxy.edge.recordings import Recordings
from tests.secproxy.edge.doors import STATIONS, csms, door, known, registered, station

if TYPE_CHECKING:
    from pathlib import Path

    from secproxy.events import Note

BEAT = '[2,"1","Heartbeat",{}]'


def play(folder: Path, seconds: float, ending: str) -> tuple[list[Note], str]:
    """Record a station until the recording ends; return the events, and the file's text."""
    notes: list[Note] = []

    async def story() -> str:
        async with (
            csms() as backend,
            door(folder, known(registered()), backend.port) as at,
            station(folder, at, STATIONS.issue("SN-1")) as socket,
        ):
            await socket.send(BEAT)
            await backend.heard.get()
            link, over = at.links.of("CP-001"), asyncio.Event()
            assert link is not None

            def hear(note: Note) -> None:
                notes.append(note)
                if note.cause == "recording.ended":
                    over.set()

            desk = Recordings(folder, hear)
            name = desk.begin(link, seconds, plain=True)
            with pytest.raises(ConflictError):
                desk.begin(link, seconds, plain=True)
            await socket.send(BEAT.replace("1", "2"))
            await backend.heard.get()
            if ending == "stop":
                desk.stop("CP-001")
            elif ending == "hang up":
                await socket.close()
            await over.wait()
            with pytest.raises(NotFoundError):
                desk.stop("CP-001")
            if ending != "hang up":
                await socket.send(BEAT.replace("1", "3"))
                await backend.heard.get()
            return (folder / name).read_text()

    text = asyncio.run(story())
    return notes, text


@pytest.mark.parametrize(
    ("seconds", "ending", "because"),
    [
        (60, "stop", "it was stopped"),
        (60, "hang up", "the connection is over"),
        (0.2, "wait", "its time is over"),
    ],
)
def test_a_recording_ends(tmp_path: Path, seconds: float, ending: str, because: str) -> None:
    """When told, with its connection, in time; nothing is written afterwards, and the station goes on."""
    notes, text = play(tmp_path, seconds, ending)
    assert [note.cause for note in notes] == ["recording.started", "recording.ended"]
    assert notes[1].evidence["because"] == because
    assert '"3"' not in text


def test_a_recording_ends_at_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would not fit whole is not written."""
    monkeypatch.setattr(recordings, "FILE_BYTES", 200)
    notes, text = play(tmp_path, 60, "full")
    assert notes[-1].evidence["because"] == "its file is full"
    assert len(text) <= 200
    assert text.endswith("\n")
