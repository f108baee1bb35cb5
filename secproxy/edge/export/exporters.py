"""Runs an exporter for each sink, and one for the alert rules, for as long as this process is the one to do it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pki.edge.lock import exclusive
from secproxy.edge.event_store import EventStore
from secproxy.edge.export.alert_desk import NAME, AlertDesk
from secproxy.edge.export.deliveries import OtlpWay, WebhookWay
from secproxy.edge.export.exporter import Exporter
from secproxy.edge.export.files import FileWay
from secproxy.edge.export.outbox import Outbox
from secproxy.edge.export.syslog import DatagramWay, StreamWay
from secproxy.event_settings import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from pki.edge.home import Home
    from secproxy.edge.export.exporter import Way
    from secproxy.event_settings import EventSettings, Sink
    from secproxy.events import Note
    from secproxy.export.event import Origin

RETRY_SECONDS: Final = 1.0  # seconds between two tries to be the one that exports

_WAYS: Final[dict[str, Callable[[Sink, Origin], Way]]] = {
    "file": FileWay,
    "syslog-udp": DatagramWay,
    "syslog-tcp": StreamWay,
    "syslog-tls": StreamWay,
    "webhook": WebhookWay,
    "otlp": OtlpWay,
}


def marks_of(settings: EventSettings) -> list[str]:
    """Name the marks that the recorder has to keep."""
    return [*(sink.name for sink in settings.sinks), *([NAME] if settings.alerts else [])]


async def export(home: Home, settings: EventSettings, origin: Origin, write: Callable[[Note], None]) -> None:
    """Export until cancelled. Of several processes one does it, the others wait for it to end."""
    running = [*(_exporter(home, sink, origin, write) for sink in settings.sinks), *_alerts(home, settings, write)]
    while True:
        with exclusive(home.run / "exporters.lock") as mine:
            if mine:
                await _together(running)
        await asyncio.sleep(RETRY_SECONDS)


async def _together(running: list[Exporter]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.Event().wait())  # with no sink at all, until cancelled
        for exporter in running:
            group.create_task(exporter.run())


def _exporter(home: Home, sink: Sink, origin: Origin, write: Callable[[Note], None]) -> Exporter:
    return Exporter(sink.name, sink.wanted, _WAYS[sink.kind](sink, origin), Outbox(home.events, sink.name), write)


def _alerts(home: Home, settings: EventSettings, write: Callable[[Note], None]) -> list[Exporter]:
    if not settings.alerts:
        return []
    outbox = Outbox(home.events, NAME)
    desk = AlertDesk(settings.alerts, outbox, EventStore(home), write)
    return [Exporter(NAME, Wanted(), desk, outbox, write)]
