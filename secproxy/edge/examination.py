"""Gathers what ``bollard doctor`` judges: the host, the authority's own word, and whether each CSMS can be reached.

Whatever cannot be looked at is told as such; one thing that fails hides no other.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509

from pki.edge import calls, clock, surroundings
from pki.edge.asking import ask_once
from pki.edge.home import read_settings
from pki.edge.passphrase import PASSPHRASE_FILE
from pki.errors import BollardError, UnreachableError
from pki.health import SOON, Collector, Expiring, Facts, Failed, Known, Missing, Receiver, Served, Unsafe
from pki.served import Meant
from pki.settings import parse_settings
from secproxy.config import parse_config
from secproxy.edge import landlock
from secproxy.edge.effective import config_in_force
from secproxy.edge.event_store import EventStore
from secproxy.edge.export.lines import find_unfit
from secproxy.edge.export.standing import read_standing
from secproxy.edge.handshaking import doors, see_served
from secproxy.edge.knocking import try_csms
from secproxy.edge.overview import look
from secproxy.weakening import weakened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pki.edge.home import Home
    from secproxy.config import Config

FILE: Final = "bollard.toml"  # what is looked at, as the doctor calls it
LISTED: Final = 200  # characters of the stations that one finding names


def examine(home: Home) -> Facts:
    """Look at everything; what is refused on the way is part of the facts."""
    failed: list[Failed] = []
    config, private = _settings(home, failed)
    running = (*surroundings.see_processes(home), ("proxy", _supervised(home)))
    told, unseen = _ask(home, failed, silent=dict(running)["authority"] is False)
    csms = asyncio.run(try_csms(config.upstreams)) if config else ()
    failed += _unfit(home, config) if config and not failed else []
    return Facts(
        now=clock.now(),
        known=_known(told) if told else None,
        disk=surroundings.see_disk(home),
        loose=surroundings.see_files(home, private),
        passphrase_beside=(home.keys / PASSPHRASE_FILE).exists(),
        synchronised=surroundings.see_clock(),
        running=running,
        csms=csms,
        served=_served(config, told, dict(running)) if config and told else (),
        receivers=_receivers(home, failed),
        collector=_collector(home, config) if config else None,
        unsafe=(*(_unsafe(config) if config else ()), *_unfenced(home, config)),
        failed=tuple(failed),
        unseen=tuple(unseen),
    )


def _supervised(home: Home) -> bool | None:
    """Ask the supervisor, where there is one, whether it still does anything."""
    if not home.claims_socket.exists():
        return None
    try:
        asyncio.run(look(home))
    except UnreachableError:
        return False
    return True


def _settings(home: Home, failed: list[Failed]) -> tuple[Config | None, list[Path]]:
    """Read the settings in force: what ``bollard up`` runs with, else what bollard.toml says.

    Every mistake in bollard.toml is told, also where something runs that was started before it was made.
    """
    private: list[Path] = []
    try:
        text = read_settings(home)
        parse_config(text)
        private += (Path(given.key) for given in parse_settings(text).server_certificates)
    except BollardError as problem:
        failed += _mistakes(problem)
    try:
        config = config_in_force(home)
    except BollardError as problem:
        failed += [] if failed else _mistakes(problem)
        return None, private
    return config, [*private, *(Path(each.client_key) for each in config.upstreams if each.client_key)]


def _mistakes(problem: BollardError) -> list[Failed]:
    """Each mistake by itself, where there are several."""
    many = [Failed(FILE, each.code, each.says, "Correct this line of bollard.toml.") for each in problem.findings]
    return many if len(many) > 1 else [Failed(FILE, problem.code, problem.cause, problem.advice)]


def _unsafe(config: Config) -> Iterator[Unsafe]:
    """Tell what the settings allow that weakens the proxy."""
    for each in weakened(config):
        says, clause = f"{each.setting} is on: {each.lets()}", "A00.FR.201"
        fix = f"Take {each.setting} out of bollard.toml."
        if each.stations:
            says, clause = f"it {each.lets(LISTED)}", "A00.FR.313"
            fix = "Update the firmware of these stations, then remove the [[listener]] with unsafe_legacy_tls."
        yield Unsafe(f"listener {each.address}", says, fix, clause)


def _unfenced(home: Home, config: Config | None) -> Iterator[Unsafe]:
    """Tell what keeps a process that is taken over from less than it could be kept from."""
    if home.path.stat().st_uid == 0:
        fix = "chown -R the home to a user of its own; processes that root starts become that user."
        yield Unsafe("processes", "the home is root's, so all of them run as root", fix)
    if config is not None and not config.fenced:
        fix = "Remove unsafe_no_landlock from [proxy] in bollard.toml."
        yield Unsafe("workers", "unsafe_no_landlock leaves them every file that their user can read", fix)
    elif not landlock.version():
        fix = "Run a kernel of 5.13 or later with landlock in its lsm= list, or the unit in examples/systemd."
        yield Unsafe("workers", "this kernel has no Landlock to keep them from files they do not need", fix)


def _receivers(home: Home, failed: list[Failed]) -> tuple[Receiver, ...]:
    try:
        found = EventStore(home).sinks()
    except BollardError as problem:
        failed.append(Failed("events", problem.code, problem.cause, problem.advice))
        return ()
    return tuple(Receiver(each.name, each.waiting, each.missed, each.trouble, each.since) for each in found)


def _unfit(home: Home, config: Config) -> list[Failed]:
    """What events and spans could not be sent on with; the next start would be refused."""
    return [Failed("event sinks, traces", each.code, each.cause, each.advice) for each in find_unfit(home, config)]


def _collector(home: Home, config: Config) -> Collector:
    if config.traces is None:
        return Collector()
    found = read_standing(home, config.traces.sink)
    return Collector(found.to, found.taken, found.trouble, found.since)


def _served(config: Config, told: calls.Examined, running: Mapping[str, bool | None]) -> tuple[Served, ...]:
    """Shake hands with every listener of what runs, and compare with what the authority means them to present."""
    meant = [Meant(_read(row.pem), row.host, row.ours) for row in told.presented]
    found = [*doors(config, proxy=bool(running["proxy"]), web=bool(running["web"]))]
    return asyncio.run(see_served(found, meant, [*map(_read, told.roots)], clock.now()))


def _read(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def _ask(home: Home, failed: list[Failed], *, silent: bool) -> tuple[calls.Examined | None, list[tuple[str, str]]]:
    """Ask the authority for what it knows of itself; one that is silent would be waited for in vain."""
    if silent and surroundings.is_held(home):
        return None, [("authority, ledger, audit log", "the authority does not answer")]
    try:
        told = ask_once(home, calls.Examine(SOON.days), calls.Examined)
    except (BollardError, OSError) as problem:
        told_already = any(each.what == FILE and each.code == getattr(problem, "code", "") for each in failed)
        failed += [] if told_already else [_failed("authority", problem)]
        return None, [("certificates, ledger, audit log", "the authority could not be asked")]
    failed += [Failed(each.what, each.code, each.cause, each.advice) for each in told.failed]
    return told, []


def _failed(what: str, problem: BollardError | OSError) -> Failed:
    if isinstance(problem, BollardError):
        return Failed(what, problem.code, problem.cause, problem.advice)
    says = f"{problem.strerror or type(problem).__name__}: {str(problem.filename or '')[:200]!r}"
    return Failed(what, "system", says, "The operating system said so; put it right there.")


def _known(told: calls.Examined) -> Known:
    expiring = (
        Expiring(each.kind, each.name, each.not_before, each.not_after, each.renewed_by) for each in told.expiring
    )
    missing = tuple(Missing(each.what, each.says, each.fix, each.clause) for each in told.missing)
    return Known(
        tuple(expiring),
        told.ending,
        told.newest_entry,
        told.audit_size,
        told.restored_behind,
        missing,
        told.ended,
    )
