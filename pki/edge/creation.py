"""Makes a home (``bollard init``): whole, or clearly unfinished.

Keys, our authorities, the server certificates, the ledger: all its certificates are recorded before they are signed,
like any other. ``bollard.toml`` is written last, so its presence says that the home is whole; until then the file
``.unfinished`` stands in the folder, and a second run begins anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pki.edge import clock, keys
from pki.edge.blueprint import FOLDER_MODE, CaKeys, draw, render_settings
from pki.edge.crashpoints import reach
from pki.edge.founding import found
from pki.edge.home import FOLDERS, SETTINGS, Home
from pki.errors import BollardError, ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pki.edge.blueprint import Blueprint
    from pki.names import Host, Organisation

MARK: Final = ".unfinished"
LISTEN_PORTS: Final = {
    "mutual": 8443,
    "basic": 8442,
    "web": 8440,
    "status": 8480,
}  # defaults; people change them in bollard.toml

_OURS: Final = frozenset({*FOLDERS, MARK, "ledger.db", "ledger.db-wal", "ledger.db-shm", "events.db"})


@dataclass(frozen=True, slots=True)
class Created:
    """A home was made. ``passphrase_made`` says that the passphrase was generated and lies in ``keys/passphrase``:
    whoever is there must be told. ``audit_size`` is the number of entries in its audit log."""

    home: Home
    passphrase_made: bool
    audit_size: int


def create(
    path: Path,
    organisation: Organisation,
    csms_host: Host,
    public_url: str = "",
    ca_keys: CaKeys | None = None,
    *,
    offline_root: bool = False,
    status_url: str | None = None,
) -> Created:
    """Make a home (``bollard init``): what ``intend`` says of the same words, and what it refuses is refused."""
    chosen = intend(
        path, organisation, csms_host, public_url, ca_keys, offline_root=offline_root, status_url=status_url
    )
    return make(path, chosen)


def intend(
    path: Path,
    organisation: Organisation,
    csms_host: Host,
    public_url: str = "",
    ca_keys: CaKeys | None = None,
    *,
    offline_root: bool = False,
    status_url: str | None = None,
) -> Blueprint:
    """Decide what a home will be; nothing is touched. ``public_url`` is where stations reach the web process; empty:
    the CSMS host. ``status_url`` is where lists and OCSP are served, as every certificate says from the first on; not
    given: the same host, over plain HTTP; empty: nowhere. ``ca_keys`` says how the authorities' keys are made; not
    given: in files, of the kinds in the table.
    With ``offline_root`` it waits for its certificates: its authorities' requests lie in ``ca/``.

    A finished home is refused with ``ConflictError("home.exists")``, a folder with anything else in it with
    ``ConflictError("home.not_empty")``; a half-made home is cleared and made anew.
    """
    with _explained(path):
        if path.exists():
            _refuse_foreign(path)
    chosen = ca_keys or CaKeys()
    url = public_url or f"https://{csms_host}:{LISTEN_PORTS['web']}"
    served = _status_url(url, csms_host) if status_url is None else status_url
    text = render_settings(organisation, csms_host, url, served, chosen.hsm)
    made = keys.find_given_passphrase() is None
    return draw(text, chosen, clock.now(), offline_root=offline_root, passphrase_made=made)


def make(path: Path, blueprint: Blueprint) -> Created:
    """Make a home as it was decided; refused like ``intend``, which may have looked long ago."""
    with _explained(path), _claimed(path):
        return _make(Home(path), blueprint)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise BollardError(
            "home.failed",
            f"the home at {str(path)!r} could not be made: {problem.strerror}",
            "Check the folder's permissions and the space on its disk, then run 'bollard init' again.",
        ) from problem


def _status_url(public_url: str, csms_host: Host) -> str:
    """The host that stations reach us under; whoever puts the web process elsewhere means its lists as well."""
    try:
        host = urlsplit(public_url).hostname or csms_host.text
    except ValueError:
        host = csms_host.text
    return f"http://{f'[{host}]' if ':' in host else host}:{LISTEN_PORTS['status']}"


def _make(home: Home, blueprint: Blueprint) -> Created:
    for name in FOLDERS:
        (home.path / name).mkdir(mode=FOLDER_MODE)
    made = blueprint.passphrase_made
    passphrase = keys.make_passphrase(home.keys) if made else keys.read_passphrase(home.keys)
    keys.make_seal(home.keys, generated=made)
    size = asyncio.run(found(home, blueprint, passphrase))
    keys.write_private(home.events, b"")
    keys.write_private(home.settings, blueprint.settings.encode())
    reach("init.settings")
    (home.path / MARK).unlink()
    return Created(home, made, size)


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """Take the folder for this run: ours or empty, marked as unfinished, cleared of what an earlier run left."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_foreign(path)
    path.chmod(0o700)
    handle = os.open(path / MARK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        _lock(handle, path)
        _refuse_foreign(path)
        keys.flush_folder(path)
        _clear(path)
        reach("init.marked")
        yield
    finally:
        os.close(handle)


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConflictError(
            "home.busy", f"another 'bollard init' works at {str(path)!r}", "Wait for it to end."
        ) from None


def _refuse_foreign(path: Path) -> None:
    if (path / SETTINGS).exists():
        raise ConflictError(
            "home.exists", f"there is a Bollard home at {str(path)!r} already", "Use it, or name another with --home."
        )
    names = {entry.name for entry in path.iterdir()}
    if names and (MARK not in names or names - _OURS):
        raise ConflictError(
            "home.not_empty",
            f"{str(path)!r} holds other things: {', '.join(sorted(names)[:5])[:200]!r}",
            "Name an empty or a new folder.",
        )


def _clear(path: Path) -> None:
    """Remove what an interrupted run left; no certificate of it was ever handed to anyone."""
    for entry in path.iterdir():
        if entry.name != MARK:
            (shutil.rmtree if entry.is_dir() else os.unlink)(entry)
