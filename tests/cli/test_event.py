"""Security events by command: listed with their filters, and followed as they happen."""

from __future__ import annotations

import datetime as dt
import json
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from bollard import __version__
from cli.event import FORMATS
from pki.edge.home import Home
from secproxy.edge.event_store import EventStore, Filter
from secproxy.edge.journal import Journal
from secproxy.edge.recorder import Recorder
from secproxy.events import Note
from secproxy.export.event import Origin, read_event
from secproxy.export.formats import FORMATS as WRITERS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Bollard


def note(home: Path, cause: str, station: str) -> None:
    """Write one event, as a proxy worker does."""
    Journal(Home.at(home).journal, "test").write(Note(cause, station=station, remote="192.0.2.1:5"))


def test_events_are_listed_with_the_fixed_fields(bollard: Bollard, home: Path) -> None:
    """Scripts depend on these names."""
    note(home, "cert.revoked", "CP-1")
    (event,) = bollard("-o", "json", "event", "list").rows("events")

    assert {"id", "time", "type", "severity", "station", "cause", "evidence", "clause"} <= set(event)
    assert (event["cause"], event["station"]) == ("cert.revoked", "CP-1")


def test_filters_choose(bollard: Bollard, home: Path) -> None:
    """Each filter alone."""
    note(home, "cert.revoked", "CP-1")
    note(home, "subprotocol.none", "CP-2")

    def causes(*words: str) -> list[object]:
        return [event["cause"] for event in bollard("-o", "json", "event", "list", *words).rows("events")]

    assert causes() == ["cert.revoked", "subprotocol.none"]
    assert causes("--station", "CP-2") == ["subprotocol.none"]
    assert causes("--cause", "cert.revoked") == ["cert.revoked"]
    assert causes("--severity", "critical") == ["cert.revoked"]
    assert causes("--since", "1h", "--limit", "1") == ["subprotocol.none"]
    assert causes("--type", "NoSuch") == []
    assert causes("--until", "1h") == []
    assert causes("--since", "2026-01-01", "--until", "9000-01-01T00:00:00Z") == ["cert.revoked", "subprotocol.none"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "no event was recorded yet"),
        (("--station", "CP-9"), "no event passes these filters"),
        (("--cause", "session.opend"), "no event has the cause 'session.opend'; write session.opened"),
        (("--type", "InvalidMesages"), "no event has the type 'InvalidMesages'; write InvalidMessages"),
        (("--type", "?"), "no event has the type '?'; events.md lists all of them"),
    ],
)
def test_an_empty_list_says_why_as_far_as_that_is_known(bollard: Bollard, words: tuple[str, ...], says: str) -> None:
    """A slip of the pen must not look like a quiet night."""
    told = bollard("event", "list", *words)
    assert (told.code, told.err.strip()) == (0, says)


def test_more_events_than_are_shown_are_not_passed_over_in_silence(bollard: Bollard, home: Path) -> None:
    """And those that are all there is are not called a part."""
    for number in range(3):
        note(home, "cert.revoked", f"CP-{number}")
    told = bollard("-o", "json", "event", "list", "--limit", "2")
    assert [row["station"] for row in told.rows("events")] == ["CP-1", "CP-2"]
    assert "these are the newest 2" in told.err
    assert bollard("event", "list", "--limit", "3").err == ""


def test_a_window_that_ends_before_it_begins_is_refused(bollard: Bollard) -> None:
    """Nothing could ever be in it; to follow would wait for ever."""
    for verb in (("list",), ("tail",), ("export", "--format", "cef")):
        told = bollard("event", *verb, "--since", "1h", "--until", "2h")
        assert (told.code, "--since is not before --until" in told.err) == (2, True)


def test_a_length_of_no_time_is_one(bollard: Bollard, home: Path) -> None:
    """What is older than nothing is all there is; what is younger is nothing, and not everything."""
    note(home, "cert.revoked", "CP-1")
    assert bollard("event", "tail", "--since", "1h", "--until", "0s").code == 0
    assert bollard("-o", "json", "event", "list", "--since", "0s", "--until", "9000-01-01").code == 0


@pytest.mark.parametrize(("form", "lines"), [("csv", 2), ("jsonl", 1), ("table", 1)])
def test_what_is_followed_has_the_form_that_was_asked_for(bollard: Bollard, home: Path, form: str, lines: int) -> None:
    """A line for each, in CSV below one of the columns; where nothing is up that is said, else one waits for it."""
    note(home, "cert.revoked", "CP-1")
    soon = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)).isoformat()
    told = bollard("-o", form, "event", "tail", "--since", "1h", "--until", soon)
    assert len(told.out.splitlines()) == lines
    assert told.out.startswith("time,severity") is (form == "csv")
    assert "nothing is up here" in told.err


@pytest.mark.parametrize("form", FORMATS)
def test_all_that_is_stored_is_exported_in_each_format(bollard: Bollard, home: Path, form: str) -> None:
    """Oldest first, one a line, by the same filters, in the words of the writer that the exporters use."""
    note(home, "cert.revoked", "CP-1")
    note(home, "subprotocol.none", "CP-2")
    lines = list(EventStore(Home.at(home)).read(Filter()))
    origin = Origin.of(socket.gethostname(), __version__)
    written = [WRITERS[form](read_event(line), origin).decode() for line in lines]

    assert bollard("event", "export", "--format", form).out.splitlines() == written
    assert bollard("event", "export", "--format", form, "--station", "CP-2").out.splitlines() == written[1:]
    assert bollard("event", "export", "--format", form, "--until", "1h").out == ""


def test_an_export_to_a_file_is_private_and_replaces_nothing_unasked(
    bollard: Bollard, home: Path, tmp_path: Path
) -> None:
    """With --yes it replaces, with --dry-run it writes nothing."""
    note(home, "cert.revoked", "CP-1")
    words = ("event", "export", "--format", "jsonl", "--out", str(tmp_path / "e"))
    assert bollard("--dry-run", *words).code == 0
    assert not (tmp_path / "e").exists()
    told = bollard(*words)
    assert (told.code, told.err.strip()) == (0, f"wrote 1 events to {tmp_path / 'e'}")
    assert json.loads((tmp_path / "e").read_text())["cause"] == "cert.revoked"
    assert (tmp_path / "e").stat().st_mode & 0o777 == 0o600
    assert bollard(*words).code == 7
    note(home, "subprotocol.none", "CP-2")
    assert bollard("--yes", *words).code == 0
    assert len((tmp_path / "e").read_text().splitlines()) == 2
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".e")] == []


def test_a_stored_line_that_is_no_event_is_told_and_left_out(bollard: Bollard, home: Path) -> None:
    """The rest is exported."""
    note(home, "cert.revoked", "CP-1")
    note(home, "cert.revoked", "CP-2")
    Recorder(Home.at(home)).catch_up()
    with closing(sqlite3.connect(Home.at(home).events)) as db, db:
        db.execute("UPDATE events SET event = 'spoilt' WHERE station = 'CP-1'")
    told = bollard("event", "export", "--format", "jsonl")

    assert (told.code, len(told.out.splitlines())) == (0, 1)
    assert "left out: b'spoilt'" in told.err


def test_the_formats_are_those_that_there_are() -> None:
    """The command names them without loading them."""
    assert tuple(WRITERS) == FORMATS


def test_a_severity_that_does_not_exist_is_usage(bollard: Bollard) -> None:
    """The choices are told."""
    assert bollard("event", "list", "--severity", "awful").code == 2


def test_events_are_followed_as_they_happen(home: Path) -> None:
    """One JSON object a line, each as soon as it is written, until somebody interrupts."""
    argv = [sys.executable, "-m", "bollard", "--home", str(home), "-o", "jsonl", "event", "tail"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        writer = (
            f"import time; from tests.cli.test_event import note; from pathlib import Path; p = Path({str(home)!r})"
        )
        loop = "\nwhile True: note(p, 'cert.expired', 'CP-1'); time.sleep(0.1)"
        with subprocess.Popen([sys.executable, "-c", writer + loop]) as writing:
            event = json.loads(tail.stdout.readline())
            writing.terminate()
        tail.terminate()

    assert (event["schema_version"], event["cause"]) == (1, "cert.expired")
