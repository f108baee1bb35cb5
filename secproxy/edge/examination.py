"""Gathers what ``bollard doctor`` judges: the host, the authority's own word, and whether the CSMS can be reached.

Whatever cannot be looked at is told as such; one thing that fails hides no other.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pki.edge import calls, clock, surroundings
from pki.edge.asking import ask_once
from pki.edge.home import read_settings
from pki.edge.passphrase import PASSPHRASE_FILE
from pki.errors import BollardError
from pki.health import SOON, Expiring, Facts, Failed, Known, Receiver
from pki.settings import parse_settings
from secproxy.config import Config, parse_config, write_address
from secproxy.edge.effective import NAME
from secproxy.edge.event_store import EventStore

if TYPE_CHECKING:
    from pki.edge.home import Home
    from secproxy.config import UpstreamConfig

PATIENCE: Final = 3.0  # seconds for the CSMS to take a connection


def examine(home: Home) -> Facts:
    """Look at everything; what is refused on the way is part of the facts."""
    failed: list[Failed] = []
    config, private = _settings(home, failed)
    running = surroundings.see_processes(home)
    known, unseen = _ask(home, failed, silent=dict(running)["authority"] is False)
    upstream = config.upstream if config else None
    return Facts(
        now=clock.now(),
        known=known,
        disk=surroundings.see_disk(home),
        loose=surroundings.see_files(home, private),
        passphrase_beside=(home.keys / PASSPHRASE_FILE).exists(),
        synchronised=surroundings.see_clock(),
        running=running,
        upstream=_name(upstream) if upstream else "",
        unreachable=asyncio.run(try_upstream(upstream)) if upstream else "",
        receivers=_receivers(home, failed),
        failed=tuple(failed),
        unseen=tuple(unseen),
    )


async def try_upstream(upstream: UpstreamConfig) -> str:
    """Connect to the CSMS as the proxy would, TLS included, and hang up; return what is wrong, or nothing."""
    secure = ssl.create_default_context() if upstream.secure else None
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(upstream.host, upstream.port, ssl=secure)
    except TimeoutError:
        return f"it does not answer within {PATIENCE:.0f} seconds"
    except OSError as failure:
        return f"it cannot be reached: {failure.strerror or failure}"
    writer.transport.abort()
    return ""


def _settings(home: Home, failed: list[Failed]) -> tuple[Config | None, list[Path]]:
    """Read the settings in force: what ``bollard up`` runs with, else what bollard.toml says."""
    try:
        text = read_settings(home)
        private = [Path(given.key) for given in parse_settings(text).server_certificates]
        running = home.run / NAME
        return parse_config(running.read_text(encoding="utf-8") if running.exists() else text), private
    except BollardError as problem:
        failed.append(Failed("bollard.toml", problem.code, problem.cause, problem.advice))
    return None, []


def _receivers(home: Home, failed: list[Failed]) -> tuple[Receiver, ...]:
    try:
        found = EventStore(home).sinks()
    except BollardError as problem:
        failed.append(Failed("events", problem.code, problem.cause, problem.advice))
        return ()
    return tuple(Receiver(each.name, each.waiting, each.missed, each.trouble, each.since) for each in found)


def _ask(home: Home, failed: list[Failed], *, silent: bool) -> tuple[Known | None, list[tuple[str, str]]]:
    """Ask the authority for what it knows of itself; one that is silent would be waited for in vain."""
    if silent and surroundings.is_held(home):
        return None, [("authority, ledger, audit log", "the authority does not answer")]
    try:
        told = ask_once(home, calls.Examine(SOON.days), calls.Examined)
    except BollardError as problem:
        failed.append(Failed("authority", problem.code, problem.cause, problem.advice))
        return None, [("certificates, ledger, audit log", "the authority could not be asked")]
    failed += [Failed(each.what, each.code, each.cause, each.advice) for each in told.failed]
    expiring = (
        Expiring(each.kind, each.name, each.not_before, each.not_after, each.renewed_by) for each in told.expiring
    )
    return Known(tuple(expiring), told.ending, told.newest_entry, told.audit_size, told.restored_behind), []


def _name(upstream: UpstreamConfig) -> str:
    return f"{'wss' if upstream.secure else 'ws'}://{write_address(upstream.host, upstream.port)}"
