"""How the house stands, by the supervisor's own word: its processes, and what all workers have counted and found."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from pki.errors import UnreachableError
from secproxy.edge import claim_wire as wire
from secproxy.edge.line_end import ask

if TYPE_CHECKING:
    from pki.edge.home import Home

PATIENCE: Final = 2.0  # seconds for the supervisor to answer; it does nothing that takes longer than a millisecond

_decoder = msgspec.json.Decoder(wire.Seen)


async def look(home: Home) -> wire.Seen:
    """Ask the supervisor of this home. ``UnreachableError``: none is there, or it is silent."""
    try:
        async with asyncio.timeout(PATIENCE):
            return _decoder.decode(await ask(home.claims_socket, wire.Look()))
    except TimeoutError:
        says = f"the supervisor does not answer within {PATIENCE:.0f} seconds"
        advice = "See what keeps it; restart 'bollard up' if it hangs."
        raise UnreachableError("supervisor.silent", says, advice) from None
    except (OSError, msgspec.MsgspecError):
        raise UnreachableError(
            "supervisor.unreachable", "no supervisor runs for this home", "Start one with 'bollard up'."
        ) from None


def workers(seen: wire.Seen) -> list[int]:
    """Name the workers that there should be."""
    serving = (each.name for each in seen.processes if not each.leaving and each.name.startswith("worker "))
    return sorted({int(name.removeprefix("worker ")) for name in serving})


def standings(seen: wire.Seen) -> dict[tuple[str, str], set[str]]:
    """Say what workers have found of each URL of a CSMS, by the CSMS and the URL's place; they may differ."""
    found: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for key, count in seen.gauges.items():
        name, *labels = key.split(" ")
        if name == "upstream_workers" and count and len(labels) == 3:
            found[labels[0], labels[1]].add(labels[2])
    return dict(found)
