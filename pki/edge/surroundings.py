"""What the host says of a home: who else could read its files, how full the disk is, whether its processes answer.

Nothing here is changed or repaired. What the host does not tell is ``None``, and never taken for good.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shlex
import shutil
import socket
import stat
from typing import TYPE_CHECKING, Final

from pki.edge import calls, wire
from pki.edge.client import Authority
from pki.edge.home import FOLDERS
from pki.edge.lock import exclusive
from pki.errors import BollardError
from pki.health import Disk, Loose

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pki.edge.home import Home

PATIENCE: Final = 3.0  # seconds for a process of ours to answer a small question
TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised
TIMEX_BYTES: Final = 512  # of struct timex, 208 on 64-bit Linux; all zero asks and changes nothing
SECRET: Final = frozenset({"keys"})  # folders whose files nobody else may read
REFILLED: Final = frozenset({"ca", "journal", "quarantine", "run"})  # folders that fill up again by themselves
OTHERS_READ: Final = 0o077
OTHERS_WRITE: Final = 0o022


def see_disk(home: Home) -> Disk:
    """Measure the disk that the home lies on."""
    wal = home.ledger.with_name(f"{home.ledger.name}-wal")
    full = os.statvfs(home.path)
    writable = not full.f_flag & os.ST_RDONLY and os.access(home.path, os.W_OK)
    return Disk(shutil.disk_usage(home.path).free, wal.stat().st_size if wal.exists() else 0, writable)


def see_files(home: Home, private: Sequence[Path] = ()) -> tuple[Loose, ...]:
    """Find folders that are missing, and what others may read or write. ``private`` are keys that lie elsewhere."""
    owner = home.path.stat().st_uid
    found = [loose for path, secret in _watched(home) if (loose := _loose(path, owner, secret=secret))]
    return (
        *_gone(home),
        *found,
        *(loose for path in private if path.exists() and (loose := _loose(path, None, secret=True))),
    )


def see_clock() -> bool | None:
    """Ask the kernel whether its clock is synchronised; None where it does not say."""
    try:
        said = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if said < 0 else said != TIME_ERROR


def see_processes(home: Home) -> tuple[tuple[str, bool | None], ...]:
    """Ask each process that has a socket: True when it answers, False when it is silent, None when none is there.

    The kernel takes connections for one that hangs, so each has to say something. The supervisor's words are not known
    here; whoever knows them asks it (``secproxy.edge.overview``).
    """
    return (
        ("authority", asyncio.run(_asked(home)) if home.authority_socket.exists() else None),
        ("web", _greeted(home.web_socket) if home.web_socket.exists() else None),
    )


def is_held(home: Home) -> bool:
    """Tell whether some process is the authority, be it that it answers or not."""
    with exclusive(home.lock) as free:
        return not free


async def _asked(home: Home) -> bool:
    """A process that hangs still lets others connect; only an answer says that it works."""
    try:
        async with asyncio.timeout(PATIENCE):
            authority = await Authority.connect(home)
            try:
                await authority.ask(calls.ListIssuers(), calls.Issuers)
            finally:
                await authority.close()
    except (TimeoutError, BollardError):
        return False
    return True


def _greeted(path: Path) -> bool:
    """Connect to one that greets whoever does, and wait for that."""
    with socket.socket(socket.AF_UNIX) as knock, wire.short_path(path) as short:
        knock.settimeout(PATIENCE)
        try:
            knock.connect(short)
            return bool(knock.recv(1))
        except OSError:
            return False


def _gone(home: Home) -> Iterator[Loose]:
    for path in (home.path / name for name in FOLDERS):
        if not path.is_dir():
            fix = f"mkdir -m 700 {shlex.quote(str(path))}" if path.name in REFILLED else "Restore it from a backup."
            yield Loose(str(path), "it is missing", fix, secret=True)


def _watched(home: Home) -> Iterator[tuple[Path, bool]]:
    """Name the home, what lies in it, and what lies in its folders of keys and certificates."""
    yield home.path, False
    for path in sorted(home.path.iterdir()):
        yield path, path.name in SECRET
        if path in {home.keys, home.ca} and path.is_dir():
            yield from ((inner, path.name in SECRET) for inner in sorted(path.iterdir()))


def _loose(path: Path, owner: int | None, *, secret: bool) -> Loose | None:
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    if owner is not None and seen.st_uid != owner:
        return Loose(
            str(path),
            f"it belongs to uid {seen.st_uid}, not {owner}",
            f"chown {owner} {shlex.quote(str(path))}",
            secret,
        )
    private = secret or path.suffix == ".db" or stat.S_ISDIR(seen.st_mode)
    others = stat.S_IMODE(seen.st_mode) & (OTHERS_READ if private else OTHERS_WRITE)
    if not others:
        return None
    says = f"its mode is {stat.S_IMODE(seen.st_mode):04o}: others may {'write' if others & OTHERS_WRITE else 'read'} it"
    mode = "700" if stat.S_ISDIR(seen.st_mode) else "600"
    return Loose(str(path), says, f"chmod {mode} {shlex.quote(str(path))}", secret or bool(others & OTHERS_WRITE))
