"""One screen of what is there and what runs."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from typing import TYPE_CHECKING

from pki.edge.home import Home
from secproxy.edge import effective
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.claim_wire import Process
from secproxy.edge.effective import config_in_force
from secproxy.edge.export.outbox import Outbox
from secproxy.edge.export.standing import Standing, write_standing
from secproxy.edge.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from secproxy.config import Config
    from tests.cli.conftest import Bollard


def test_status_counts_and_names_expiries(bollard: Bollard) -> None:
    """Stations, certificates, images, and the day each of our CAs ends."""
    bollard("station", "add", "CP-1", "--serial", "S1", "--profile", "3")
    told = bollard("-o", "json", "status").json()

    assert isinstance(told["counts"], dict)
    assert told["counts"]["stations"] == 1
    assert told["processes"] == {"authority": False, "proxy": False}
    assert isinstance(told["issuers"], list)
    assert all(issuer["not_after"] for issuer in told["issuers"])


def test_the_settings_in_force_are_read_once(bollard: Bollard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of one screen that read them each for itself could tell of two states."""
    read: list[Home] = []

    def counted(home: Home) -> Config:
        read.append(home)
        return config_in_force(home)

    monkeypatch.setattr(effective, "config_in_force", counted)
    assert bollard("status").code == 0
    assert len(read) == 1


def test_collectors_of_events_are_told_with_what_is_wrong(bollard: Bollard, home: Path) -> None:
    """For people in one line each, for programs as rows."""
    events = Home.at(home).events
    Recorder(Home.at(home), sinks=["siem"]).catch_up()
    assert "event sink siem" in bollard("status").out
    Outbox(events, "siem").failed("it is down")
    told = bollard("-o", "json", "status").json()["event_sinks"]

    assert isinstance(told, list)
    assert (told[0]["name"], told[0]["waiting"], told[0]["trouble"]) == ("siem", 0, "it is down")
    assert "0 events wait, down since 20" in bollard("status").out
    assert "it is down" in bollard("doctor").out

    events.write_bytes(b"spoilt" * 1_000)
    told_spoilt = bollard("status")
    assert (told_spoilt.code, "server ends" in told_spoilt.out) == (0, True)
    assert "events.unreadable" in told_spoilt.err


def test_traces_are_told_with_where_they_go_and_what_is_wrong(bollard: Bollard, home: Path) -> None:
    """Off is told as well; the doctor has the same."""
    assert bollard("-o", "json", "status").json()["traces"] == {"to": ""}
    assert re.search(r"traces +off", bollard("status").out)
    settings, to = Home.at(home).settings, "http://127.0.0.1:4318/v1/traces"
    settings.write_text(settings.read_text() + f'[traces]\notlp = "{to}"\n')
    assert f"{to}: 0 spans sent, 0 dropped, was sent nothing yet" in bollard("status").out
    write_standing(Home.at(home), Standing(to, "2026-06-01T00:00:00Z", "it is down", "2026-06-02T00:00:00Z"))
    told = bollard("-o", "json", "status").json()["traces"]
    assert isinstance(told, dict)
    assert (told["to"], told["ratio"], told["trouble"], told["sent"]) == (to, 0.1, "it is down", 0)
    assert "down since 2026-06-02T00:00:00Z: it is down" in bollard("status").out
    assert f"{to} takes no spans since" in bollard("doctor").out


def test_collectors_that_have_all_there_is_share_a_line(bollard: Bollard, home: Path) -> None:
    """So that five of them fill no screen; the one that is in trouble has a line of its own."""
    names = ["file", "hook", "siem", "tcp", "udp"]
    Recorder(Home.at(home), sinks=names).catch_up()
    Outbox(Home.at(home).events, "siem").failed("it is down")
    rows = [line for line in bollard("status").out.splitlines() if "event sink" in line]

    assert [" ".join(row.split())[:40] for row in rows] == [
        "event sinks file, hook, tcp, udp: nothing waits"[:40],
        "event sink siem 0 events wait, down since 2026"[:40],
    ]


def test_people_read_it_on_one_screen(bollard: Bollard) -> None:
    """At most a terminal's 24 lines."""
    told = bollard("status")

    assert "server ends" in told.out
    assert "root ends" in told.out
    assert len(told.out.splitlines()) <= 24


def test_a_listener_of_old_tls_is_on_the_screen(bollard: Bollard, home: Path) -> None:
    """Whoever looks at the home sees it, with how many stations it is for."""
    assert bollard("-o", "json", "status").json()["unsafe_listeners"] == []
    words = '[[listener]]\naddress = "127.0.0.1:8441"\nprofile = 2\nunsafe_legacy_tls = true\nstations = ["CP-9"]\n'
    settings = Home.at(home).settings
    settings.write_text(settings.read_text() + words)

    assert "TLS 1.0 and 1.1 for 1 stations" in bollard("status").out
    told = bollard("-o", "json", "status").json()["unsafe_listeners"]
    assert told == [{"address": "127.0.0.1:8441", "stations": ["CP-9"]}]


def test_it_ends_with_1_while_something_of_what_was_brought_up_is_down(home: Path) -> None:
    """A supervisor that keeps a web process which does not run just now; the screen names it."""
    kept = [Process("supervisor", os.getpid(), time.time(), 0), Process("web", 0, 0.0, 4)]
    command = [sys.executable, "-m", "bollard", "--home", str(home), "status"]

    async def story() -> tuple[int | None, str]:
        async with ClaimDesk(1, lambda _: None, processes=lambda: kept).open(Home.at(home).claims_socket):
            asked = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
            out, _ = await asked.communicate()
            return asked.returncode, out.decode()

    code, screen = asyncio.run(asyncio.wait_for(story(), 120))
    assert (code, "web (down)" in screen) == (1, True)
