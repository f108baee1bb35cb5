"""All exporters of a home: each sink by its kind, and one process that does it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from secproxy.edge.export import exporters as module
from secproxy.edge.export.alert_desk import NAME
from secproxy.edge.export.exporters import export, marks_of
from secproxy.edge.journal import Journal
from secproxy.edge.recorder import Recorder
from secproxy.event_settings import EVENT_TABLES, EventSettings, parse_event_settings
from secproxy.events import Note
from tests.secproxy.edge.export.scene import home_with_mark, record, until
from tests.secproxy.export.samples import ORIGIN
from tests.secproxy.test_event_settings import ALERT, FILE

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from pki.edge.home import Home

EXPIRED = Note("cert.expired", "CP-1")


def settings_for(path: Path) -> EventSettings:
    """A file, and a rule that alarms at each event."""
    rule = ALERT.replace('type = "InvalidMessages"', 'cause = "cert.expired"').replace("count = 3", "count = 1")
    return parse_event_settings(FILE.replace("/var/log/e", str(path)) + rule)


def test_the_recorder_keeps_a_mark_for_each_sink_and_one_for_the_rules() -> None:
    """Where there are none, none."""
    assert marks_of(parse_event_settings(FILE + ALERT)) == ["f", NAME]
    assert marks_of(parse_event_settings(FILE)) == ["f"]
    assert marks_of(EventSettings()) == []


def test_every_kind_of_sink_has_its_way() -> None:
    """What the settings take can be done."""
    kinds = ("file", "syslog-udp", "syslog-tcp", "syslog-tls", "webhook", "otlp")
    assert set(module._WAYS) == set(kinds)
    assert "kind" in EVENT_TABLES["event_sink"]


async def running(home: Home, settings: EventSettings, journal: Journal) -> asyncio.Future[None]:
    """Export in a task."""

    def write(note: Note) -> None:
        journal.write(note)
        Recorder(home, sinks=marks_of(settings)).catch_up()

    return asyncio.ensure_future(export(home, settings, ORIGIN, write))


def test_an_alert_is_an_event_that_is_sent_as_well(tmp_path: Path) -> None:
    """The rules write into the journal like anybody else."""
    settings = settings_for(tmp_path / "e")
    home = home_with_mark(tmp_path, *marks_of(settings))
    record(home, EXPIRED, sinks=tuple(marks_of(settings)))

    async def story() -> None:
        with Journal(home.journal, "web") as journal:
            task = await running(home, settings, journal)
            await until(lambda: (tmp_path / "e").exists() and "alert.threshold" in (tmp_path / "e").read_text())
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(story())
    assert len((tmp_path / "e").read_text().splitlines()) == 2


def test_one_process_exports_and_the_next_takes_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So nothing is sent twice without need."""
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    settings = parse_event_settings(FILE.replace("/var/log/e", str(tmp_path / "e")))
    home = home_with_mark(tmp_path, *marks_of(settings))

    async def story() -> None:
        with Journal(home.journal, "web") as journal:
            first = await running(home, settings, journal)
            await until((home.run / "exporters.lock").exists)
            second = await running(home, settings, journal)
            record(home, EXPIRED, sinks=("f",))
            await until((tmp_path / "e").exists)
            first.cancel()
            await asyncio.wait([first])
            [then] = record(home, EXPIRED, sinks=("f",))
            await until(lambda: then in (tmp_path / "e").read_text())
            second.cancel()
            await asyncio.wait([second])

    asyncio.run(story())


def test_without_a_sink_it_waits_until_it_is_ended(tmp_path: Path) -> None:
    """The web process ends when one of its tasks does: this one must not."""
    home = home_with_mark(tmp_path)

    async def story() -> None:
        with Journal(home.journal, "web") as journal:
            task = await running(home, EventSettings(), journal)
            done, _ = await asyncio.wait([task], timeout=0.05)
            assert not done
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(story())
