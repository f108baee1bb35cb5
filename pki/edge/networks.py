"""Tells whether this machine is on a network, for what must be done on one that is not.

The kernel is asked over a socket, which belongs to the network namespace of this very process. ``/sys/class/net`` shows
that of whoever mounted it: after ``unshare -n`` it still shows the machine's.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from pki.errors import ForbiddenError

Asked: TypeAlias = Callable[[], Mapping[str, int]]

UNKNOWN: Final = "unknown"  # told where the system does not say: an answer that must not pass for a no

_SIOCGIFFLAGS: Final = 0x8913  # Linux sockios.h: asks for an interface's flags
_IFREQ: Final = struct.Struct("16sH14x")  # Linux if.h struct ifreq, with its flags
_UP: Final = 0x1  # IFF_UP, Linux if.h
_LOOPBACK: Final = 0x8  # IFF_LOOPBACK


def ask_kernel() -> dict[str, int]:
    """Return the flags of each network interface that this process has. Raises ``OSError`` where Linux does not say."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as asking:
        return {name: _flags(asking, name) for _, name in socket.if_nameindex()}


def networks_up(ask: Asked | None = None) -> tuple[str, ...]:
    """Return the names of all interfaces that are up, loopback apart; ``ask`` returns each one's flags."""
    try:
        flags = (ask or ask_kernel)()
    except OSError:
        return (UNKNOWN,)
    if not flags:  # every machine has a loopback, so nobody was asked who knows
        return (UNKNOWN,)
    return tuple(sorted(name for name, value in flags.items() if value & _UP and not value & _LOOPBACK))


def networks_allowed(ask: Asked | None = None, *, any_at_all: bool = False) -> tuple[str, ...]:
    """Return the same, or raise ``ForbiddenError("ceremony.networked")`` for any, unless that is allowed."""
    found = networks_up(ask)
    if found and not any_at_all:
        raise ForbiddenError(
            "ceremony.networked",
            f"this machine is on a network ({', '.join(found)[:120]}); a root's key must never have been on one",
            "Take a machine without a network, or unplug it. To try things out, add --unsafe-networked.",
        )
    return found


def _flags(asking: socket.socket, name: str) -> int:
    answer = fcntl.ioctl(asking, _SIOCGIFFLAGS, _IFREQ.pack(os.fsencode(name), 0))
    return int(_IFREQ.unpack(answer)[1])
