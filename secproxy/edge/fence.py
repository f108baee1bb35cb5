"""What a proxy worker may touch: read what it runs from and what its CSMSs need, write the journal and
recordings, and no more.

Rules this file keeps:

* The home's ledger, keys, events and firmware are not among it: they are the authority's and the web process'.
* It may start no program.
* It may read the settings in force anew. Of TCP nothing is taken from it: by them a new listener and a new CSMS come.
  The files of a CSMS that bollard.toml names when a worker starts are there for it, though they are not in force yet.
* A file that stands by itself in the home is allowed by itself, since the folder around it holds the keys.
"""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pki.edge.home import read_settings
from pki.edge.policies import FOLDER
from pki.errors import BollardError
from secproxy.config import parse_config
from secproxy.edge import landlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pki.edge.home import Home
    from secproxy.config import Config
    from secproxy.upstreams import Upstream

SYSTEM: Final = ("/usr", "/lib", "/lib64", "/bin", "/dev/null", "/dev/urandom", "/dev/random", "/proc/self")
NAMES: Final = (
    "hosts", "resolv.conf", "nsswitch.conf", "host.conf", "gai.conf", "services", "protocols", "localtime",
    "ld.so.cache", "ssl", "pki", "ca-certificates", "crypto-policies",
)  # fmt: skip
"""In /etc: how names are looked up, and whom this machine trusts."""
RESOLVED: Final = "/run/systemd/resolve"  # where /etc/resolv.conf leads to on many systems


def fence_in(home: Home, config: Config) -> int:
    """Fence this process in. Return Landlock's version, 0 where the kernel has none; ``OSError`` when it refuses."""
    home.recordings.mkdir(mode=0o700, exist_ok=True)  # what is not there now cannot be allowed
    return landlock.restrict(tuple(_paths(home, config)))


def _paths(home: Home, config: Config) -> Iterator[tuple[Path, landlock.Files]]:
    yield home.journal, landlock.APPEND
    yield home.recordings, landlock.APPEND
    yield home.run, landlock.READ
    trusted = ssl.get_default_verify_paths()
    runtime = (*SYSTEM, RESOLVED, sys.prefix, sys.base_prefix, *sys.path, trusted.cafile, trusted.capath)
    places = [FOLDER, *(Path(place) for place in runtime if place), *(Path("/etc", name) for name in NAMES)]
    places += [_around(Path(file), home) for named in (*config.upstreams, *_to_come(home)) for file in _files(named)]
    for place in places:
        if not _holds_home(place, home):
            yield place, landlock.READ


def _to_come(home: Home) -> tuple[Upstream, ...]:
    """The CSMSs that bollard.toml names now, whether in force yet or not: nothing can be allowed later."""
    try:
        return parse_config(read_settings(home)).upstreams
    except BollardError:  # whoever puts it in force says what is wrong with it
        return ()


def _files(upstream: Upstream) -> Iterator[str]:
    yield from filter(None, (upstream.ca_file, upstream.client_certificate, upstream.client_key))


def _around(file: Path, home: Home) -> Path:
    """The folder, so that a file replaced there is read anew; the file alone where the home lies in that folder."""
    return file if _holds_home(file.parent, home) else file.parent


def _holds_home(place: Path, home: Home) -> bool:
    return home.path.resolve().is_relative_to(place.resolve())
