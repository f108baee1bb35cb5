"""Figures come from whoever knows them; one that is away takes its own along and no others."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from typing import TYPE_CHECKING

from pki.edge import calls
from pki.errors import UnreachableError
from secproxy.edge import claim_wire as wire
from secproxy.edge import line_end
from secproxy.edge.claim_desk import ClaimDesk
from secproxy.edge.export.outbox import Outbox
from secproxy.edge.gathering import Gathering
from secproxy.edge.journal import Journal
from secproxy.edge.recorder import Recorder
from secproxy.events import CAUSES, Note
from tests.secproxy.edge.homes import bare_home

if TYPE_CHECKING:
    from pathlib import Path

    from secproxy.tally import Series

NOW = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=1)


def row(kind: str, name: str, ends: dt.datetime) -> calls.ExpiringRow:
    """Something that ends."""
    return calls.ExpiringRow(kind, name, NOW - dt.timedelta(days=1), ends, "somebody")


MEASURED = calls.Measured(
    (
        row("our certificate", "root", LATER),
        row("firmware anchor", "CN=first to end, O=Anybody", NOW),
        row("firmware anchor", "CN=another, O=Anybody", LATER),
    ),
    {"certificate.issued": 4},
    17,
    1,
)


async def answers(_: calls.Measure, __: type[calls.Measured]) -> calls.Measured:
    """An authority that is there."""
    return MEASURED


async def is_away(_: calls.Measure, __: type[calls.Measured]) -> calls.Measured:
    """One that is not."""
    raise UnreachableError("authority.unreachable", "away", "Wait.")


def test_what_the_authority_tells_is_told_without_names_that_others_chose(tmp_path: Path) -> None:
    """Of anchors the first to end, without its subject; our own by their keys' names."""
    figures = asyncio.run(Gathering(bare_home(tmp_path / "h"), answers, "1.2").figures())

    assert figures["expiry_timestamp_seconds our-certificate root"] == LATER.timestamp()
    assert figures["expiry_timestamp_seconds firmware-anchor "] == NOW.timestamp()
    assert figures["authority_acts_total certificate.issued"] == 4
    assert (figures["audit_entries"], figures["authority_troubles"]) == (17, 1)
    assert not any("Anybody" in key for key in figures)
    assert any(key.startswith("build_info 1.2 3.") for key in figures)


def test_who_is_away_takes_no_other_along(tmp_path: Path) -> None:
    """No authority, no supervisor, a spoilt database: this process still tells of itself."""
    home = bare_home(tmp_path / "h")
    home.events.write_bytes(b"spoilt" * 1_000)
    figures = asyncio.run(Gathering(home, is_away, "").figures())

    assert [figures[f"up {source}"] for source in ("authority", "supervisor", "events")] == [0, 0, 0]
    assert figures["process_resident_memory_bytes web"] > 1_000_000
    assert figures["process_cpu_seconds_total web"] > 0


def test_events_are_counted_once_and_a_cause_that_there_is_not_has_no_series(tmp_path: Path) -> None:
    """Somebody may edit the journal: what cannot be is counted together."""
    home = bare_home(tmp_path / "h")
    with Journal(home.journal, "worker-0") as journal:
        for cause in ("tls.failed", "tls.failed", "cert.revoked"):
            journal.write(Note(cause))
    (segment,) = home.journal.iterdir()
    edited = segment.read_text().splitlines()[0].replace("tls.failed", "x" * 99)
    segment.write_text(segment.read_text() + edited.replace('"id":"', '"id":"f') + "\n")
    gathering = Gathering(home, is_away, "")
    assert asyncio.run(gathering.figures())["journal_waiting_bytes"] == segment.stat().st_size
    recorder = Recorder(home, sinks=["siem"])
    recorder.catch_up()
    Outbox(home.events, "siem").failed("down")
    figures = asyncio.run(Gathering(home, is_away, "").figures())

    severity = CAUSES["tls.failed"].severity.value
    assert figures[f"events_total tls.failed {severity}"] == 2
    assert figures[f"events_total other {severity}"] == 1
    assert figures["events_total cert.revoked critical"] == 1
    assert figures["journal_waiting_bytes"] == 0
    assert (figures["sink_waiting_events siem"], figures["sink_failing siem"]) == (4, True)
    assert not any("xxx" in key for key in figures)


def test_the_supervisor_tells_of_its_processes_and_of_what_workers_counted(tmp_path: Path) -> None:
    """A worker that is there and not open is told; a series that nobody has named is not."""
    home = bare_home(tmp_path / "h")
    processes = [wire.Process("supervisor", os.getpid(), 5.0, 0), wire.Process("worker 0", 0, 7.0, 3)]

    async def story() -> Series:
        async with ClaimDesk(1, lambda _: None, processes=lambda: processes).open(home.claims_socket):
            reader, writer = await asyncio.open_unix_connection(home.claims_socket)
            writer.write(
                line_end.line(wire.Hello(0)) + line_end.line(wire.Report({"messages_total csms": 2, "odd": 1}, {}))
            )
            writer.write(line_end.line(wire.Look()))
            await reader.readline()
            figures = await Gathering(home, is_away, "").figures()
            writer.close()
            return figures

    figures = asyncio.run(story())

    assert (figures["process_up supervisor"], figures["process_up worker-0"]) == (1, 0)
    assert (figures["process_restarts_total worker-0"], figures["process_open worker-0"]) == (3, False)
    assert figures["messages_total csms"] == 2
    assert "odd" not in figures


def test_however_many_ask_it_is_gathered_once(tmp_path: Path) -> None:
    """A flood of scrapes costs the authority one question."""
    asked = 0

    async def count(_: calls.Measure, __: type[calls.Measured]) -> calls.Measured:
        nonlocal asked
        asked += 1
        return MEASURED

    async def story() -> None:
        gathering = Gathering(bare_home(tmp_path / "h"), count, "")
        await asyncio.gather(*(gathering.figures() for _ in range(20)))

    asyncio.run(story())

    assert asked == 1
