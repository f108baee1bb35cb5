"""One screen: what runs, how much there is, and when our own certificates end."""

from __future__ import annotations

import dataclasses
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING

import click

from cli import house
from cli.asked import Asked, pass_asked
from cli.render import Output, note, row_of, to_plain
from cli.rotate import DUE_FIELDS, due_next
from pki.edge import calls
from pki.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cli.render import Plain
    from secproxy.config import Config
    from secproxy.edge.claim_wire import Seen

PROCESSES = {"authority": "authority_socket", "proxy": "claims_socket"}


@click.command(epilog="Exit codes: 0 what was brought up runs, or nothing was; 1 something of it is down; 6 it hangs.")
@click.pass_context
@pass_asked
def status(asked: Asked, context: click.Context) -> None:
    """Show what runs, what there is, and when our own certificates end."""
    standing = house.seen(asked)
    _show(asked, standing)
    context.exit(int(bool(standing and house.down(standing))))


def _show(asked: Asked, standing: Seen | None) -> None:
    from secproxy.edge.effective import config_in_force

    home = asked.home()
    config = config_in_force(home)
    processes: dict[str, Plain] = {name: _answers(getattr(home, path)) for name, path in PROCESSES.items()}
    certificates = asked.ask(calls.ListCertificates(), calls.Certificates).certificates
    counts = _counts(asked, certificates)
    found = asked.ask(calls.ListIssuers(), calls.Issuers).issuers
    if not found:
        note("this home waits for its offline root: bollard ca ceremony import FOLDER --digest DIGEST")
    issuers: list[Plain] = [row_of(each, ("name", "purpose", "not_after")) for each in found]
    rotation = asked.ask(calls.ShowRotation(), calls.Rotation)
    due: list[Plain] = [row_of(each, DUE_FIELDS) for each in rotation.due]
    sinks, unsafe = _sinks(asked), _unsafe(config)
    events, waiting = house.events(asked)
    traces = house.traces(asked, config.traces, standing)
    if asked.output is not Output.TABLE:
        machine: dict[str, Plain] = {"processes": processes, "counts": counts, "issuers": issuers, "due": due}
        machine |= {"event_sinks": sinks, "traces": traces}
        machine["unsafe_listeners"] = unsafe
        machine |= {"events_last_hour": events, "journal_waiting_bytes": waiting}
        machine |= _running(standing) if standing else {}
        return asked.record({"home": str(home.path), **machine})
    note(f"home {home.path}")
    shown = {name: "runs" if runs else "does not run" for name, runs in processes.items()}
    ends: dict[str, Plain] = {f"{each.name} ends": row_of(each, ("not_after",))["not_after"] for each in found}
    ends |= {"server ends": _server_ends(certificates), "revocation lists end": _lists_end(asked)}
    late = _told(sinks) | {"traces": house.traces_line(traces)}
    late |= {f"unsafe listener {each['address']}": _old_tls(each) for each in unsafe if isinstance(each, dict)}
    happened = ", ".join(f"{count} {name}" for name, count in events.items() if count)
    late |= {"events in the last hour": happened or "none"}
    late |= {"journal waits": f"{waiting} bytes"} if waiting else {}
    up = house.lines(standing, time.time())
    return asked.record({**shown, **up, **counts, **ends, "due next": due_next(rotation), **late})


def _running(standing: Seen) -> dict[str, Plain]:
    """What is told to programs of a home that is up."""
    down: list[Plain] = [*house.down(standing)]
    stations, csms = house.connected(standing), house.csms(standing)
    return {"running": house.rows(standing), "down": down, "stations_connected": stations, "csms": csms}


def _sinks(asked: Asked) -> list[Plain]:
    """How those are doing to whom events are sent."""
    from secproxy.edge.event_store import EventStore

    try:
        return [to_plain(dataclasses.asdict(each)) for each in EventStore(asked.home()).sinks()]
    except UnreachableError as problem:  # the rest of the screen is not about events
        note(str(problem))
        return []


def _told(sinks: Sequence[Plain]) -> dict[str, Plain]:
    """Each on a line of its own; of several that have all there is one line tells."""
    rows = [each for each in sinks if isinstance(each, dict)]
    well = [str(each["name"]) for each in rows if not each["waiting"] and not each["trouble"]]
    told: dict[str, Plain] = {"event sinks": f"{', '.join(well)}: nothing waits"} if len(well) > 1 else {}
    return {
        **told,
        **{f"event sink {each['name']}": _word(each) for each in rows if not told or each["name"] not in well},
    }


def _unsafe(config: Config) -> list[Plain]:
    """Which listeners take old TLS, and for whom, and which weaken security otherwise."""
    from secproxy.weakening import weakened

    return [
        {"address": each.address, "stations": [*each.stations]}
        if each.stations
        else {"address": each.address, "setting": each.setting}
        for each in weakened(config)
    ]


def _old_tls(listener: dict[str, Plain]) -> str:
    if "setting" in listener:
        return f"{listener['setting']} is on"
    stations = listener["stations"]
    return f"TLS 1.0 and 1.1 for {len(stations) if isinstance(stations, list) else 0} stations"


def _word(sink: dict[str, Plain]) -> str:
    down = f", down since {sink['since']}: {sink['trouble']}" if sink["trouble"] else ""
    return f"{sink['waiting']} events wait{down}"


def _lists_end(asked: Asked) -> Plain:
    """When the first of our lists of revoked certificates ends; relying parties may refuse everything after it."""
    found = asked.ask(calls.ListCrls(), calls.Crls).crls
    soonest = min((each for each in found if each.shard >= 0), key=lambda each: each.next_update, default=None)
    return row_of(soonest, ("next_update",))["next_update"] if soonest else "none is signed yet"


def _server_ends(certificates: Sequence[calls.CertificateRow]) -> Plain:
    """When the first of our own server certificates ends; stations cannot connect after it."""
    ours = (each for each in certificates if (each.purpose, each.status) == ("csms", "valid"))
    return next((row_of(each, ("not_after",))["not_after"] for each in ours), None)


def _counts(asked: Asked, certificates: Sequence[calls.CertificateRow]) -> dict[str, Plain]:
    stations = asked.ask(calls.ListStations(), calls.Stations).stations
    states = Counter(each.status for each in certificates)
    return {
        "stations": len(stations),
        "certificates_valid": states["valid"],
        "certificates_revoked": states["revoked"],
        "anchors": len(asked.ask(calls.ListAnchors(), calls.Anchors).anchors),
        "firmware_images": len(asked.ask(calls.ListReleases(), calls.Releases).releases),
    }


def _answers(path: Path) -> bool:
    """Knock at a process's socket; nothing is said."""
    with socket.socket(socket.AF_UNIX) as knock:
        knock.settimeout(1)
        try:
            knock.connect(str(path))
        except OSError:
            return False
    return True
