"""Security events by command: listed with their filters, and followed as they happen."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from pki.edge.home import Home
from secproxy.edge.journal import Journal
from secproxy.events import Note

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
