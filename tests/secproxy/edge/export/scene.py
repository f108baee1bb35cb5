"""A home with recorded events and a sink that has its mark."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from secproxy.edge.journal import Journal
from secproxy.edge.recorder import Recorder
from tests.secproxy.edge.homes import bare_home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pki.edge.home import Home
    from secproxy.event_settings import Retention
    from secproxy.events import Note

SINK = "siem"


def home_with_mark(folder: Path, *names: str) -> Home:
    """A home whose recorder has set the marks of these sinks, and recorded nothing yet."""
    home = bare_home(folder / "home")
    Recorder(home, sinks=names or (SINK,)).catch_up()
    return home


def record(home: Home, *notes: Note, kept: Retention | None = None, sinks: tuple[str, ...] = (SINK,)) -> list[str]:
    """Write events and record them; their ids."""
    with Journal(home.journal, "test") as journal:
        ids = [journal.write(note) for note in notes]
    Recorder(home, kept, sinks).catch_up()
    return ids


async def until(happened: Callable[[], bool]) -> None:
    """Wait for what another thread or process does and tells nobody."""
    async with asyncio.timeout(20):
        while not happened():  # noqa: ASYNC110 - as it says
            await asyncio.sleep(0.01)
