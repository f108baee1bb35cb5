"""Tells whether this machine is on a network, for what must be done on one that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pki.errors import ForbiddenError

INTERFACES: Final = Path("/sys/class/net")  # where Linux shows each network interface as a folder
UNKNOWN: Final = "unknown"  # told where the system does not say: an answer that must not pass for a no

_UP: Final = 0x1  # IFF_UP, Linux if.h
_LOOPBACK: Final = 0x8  # IFF_LOOPBACK


def networks_up(interfaces: Path | None = None) -> tuple[str, ...]:
    """Return the names of all interfaces that are up, loopback apart; ``interfaces`` is the folder that shows them."""
    folder = interfaces or INTERFACES
    try:
        names = sorted(each.name for each in folder.iterdir())
        return tuple(name for name in names if _is_up(folder / name))
    except (OSError, ValueError):
        return (UNKNOWN,)


def networks_allowed(interfaces: Path | None = None, *, any_at_all: bool = False) -> tuple[str, ...]:
    """Return the same, or raise ``ForbiddenError("ceremony.networked")`` for any, unless that is allowed."""
    found = networks_up(interfaces)
    if found and not any_at_all:
        raise ForbiddenError(
            "ceremony.networked",
            f"this machine is on a network ({', '.join(found)[:120]}); a root's key must never have been on one",
            "Take a machine without a network, or unplug it. To try things out, add --unsafe-networked.",
        )
    return found


def _is_up(interface: Path) -> bool:
    if not (interface / "flags").exists():  # not an interface, such as bonding_masters
        return False
    flags = int((interface / "flags").read_text(), 16)
    return bool(flags & _UP) and not flags & _LOOPBACK
