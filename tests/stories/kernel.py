"""What the kernel knows of processes and their sockets, and the end of a process as ``kill -9`` brings it.

Nothing tells a test when another process begins to listen, so ``until`` looks again and again; ``SECONDS`` bounds the
wait for something that never comes.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from pki.edge import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SECONDS: Final = 20.0  # for one thing to happen, on the slowest machine
LOOK_SECONDS: Final = 0.02  # between two looks
LISTENING: Final = "0A"  # TCP_LISTEN, include/net/tcp_states.h of Linux
CONNECTED: Final = "03"  # SS_CONNECTED, include/uapi/linux/net.h of Linux

T = TypeVar("T")


class Socket(NamedTuple):
    """One row of the kernel's table of TCP sockets; addresses as it writes them, ``0100007F:1F90``."""

    local: str
    remote: str
    state: str
    inode: str

    @property
    def port(self) -> int:
        """Our end's port."""
        return int(self.local.rpartition(":")[2], 16)

    @property
    def far_port(self) -> int:
        """The other end's port."""
        return int(self.remote.rpartition(":")[2], 16)


def sockets() -> list[Socket]:
    """Every TCP socket over IPv4."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [Socket(row[1], row[2], row[3], row[9]) for row in rows]


def sockets_of(pid: int) -> list[Socket]:
    """The TCP sockets of one process; none when it is gone."""
    own = _inodes(pid)
    return [each for each in sockets() if each.inode in own]


def is_spoken_to(pid: int, path: Path) -> bool:
    """Whether somebody is connected to the Unix socket of that name which this process serves."""
    own = _inodes(pid)
    rows = [row.split() for row in Path("/proc/net/unix").read_text().splitlines() if row.endswith(f"/{path.name}")]
    return any(row[5] == CONNECTED and row[6] in own for row in rows)


def _inodes(pid: int) -> set[str]:
    found = set()
    try:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            found.add(str(descriptor.readlink()).removeprefix("socket:[").rstrip("]"))
    except (FileNotFoundError, ProcessLookupError):  # it closed one meanwhile, or ended
        pass
    return found


def listens_at(pid: int, port: int) -> bool:
    """Whether this very process listens at a port; others may share it."""
    return any(each.state == LISTENING and each.port == port for each in sockets_of(pid))


def waiting_at(port: int) -> int:
    """How many connections the kernel holds at a port that nobody has accepted yet, over IPv4."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [row for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]
    return sum(int(row[4].rpartition(":")[2], 16) for row in listening)


def answers_at(path: Path) -> bool:
    """Whether somebody accepts connections at a Unix socket."""
    with wire.short_path(path) as short, socket.socket(socket.AF_UNIX) as line:
        return line.connect_ex(short) == 0


def children(pid: int) -> dict[int, list[str]]:
    """The children of a process, each with its command line; empty for one that is dead and not buried."""
    found = {}
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        try:
            found[child] = Path(f"/proc/{child}/cmdline").read_text().split("\0")[:-1]
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            continue
    return found


def kill(*pids: int, seen_off: Iterable[int] = ()) -> None:
    """SIGKILL processes; returns when all of them are gone, and those to be ``seen_off`` have ended by themselves."""
    handles = [os.pidfd_open(pid) for pid in (*pids, *seen_off)]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    are_gone(handles)


def are_gone(handles: Iterable[int]) -> None:
    """See processes end, by their pidfds, which are closed."""
    for handle in handles:
        assert select.select([handle], [], [], SECONDS)[0], "a process outlived its end"
        os.close(handle)


def until(what: str, look: Callable[[], T]) -> T:
    """Look until there is something to see, and return it."""
    end = time.monotonic() + SECONDS
    while not (seen := look()):
        assert time.monotonic() < end, f"never seen: {what}"
        time.sleep(LOOK_SECONDS)
    return seen
