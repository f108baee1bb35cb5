"""With which command line and environment each process of a home is started.

Rules this file keeps:

* The passphrase, and the PIN of a hardware token, go to the authority alone.
* A child runs in the interpreter it is given, and finds its home by an absolute path.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from pki.edge import log
from pki.edge.policies import FOLDER
from secproxy.edge.children import GRACE_SECONDS, Child

if TYPE_CHECKING:
    from collections.abc import Callable

    from pki.edge.home import Home
    from secproxy.edge.claim_wire import Mate

FOR_TLS: Final = {"OPENSSL_CONF": str(FOLDER / "tls" / "openssl.cnf")}
FOR_WORKERS: Final = FOR_TLS | {
    "MALLOC_TRIM_THRESHOLD_": str(64 * 1024 * 1024),  # bytes; glibc would give the heap's top back at every TLS read,
    "MALLOC_MMAP_THRESHOLD_": str(4 * 1024 * 1024),  # bytes; and map each larger buffer anew
}
"""What OpenSSL and the C library read from a process' environment, and no call of ours can set."""
SECRETS: Final = (
    "BOLLARD_PASSPHRASE",
    "BOLLARD_HSM_PIN",
    "BOLLARD_KEY_PASSWORD",
)  # how variables begin that only the authority may see


def authority(home: Home, executable: str, ended: Callable[[int], None]) -> Child:
    """Make the child that holds the keys."""
    return Child("authority", _argv(home, executable, "authority"), os.environ, ended)


def authority_rehearsal(home: Home, executable: str) -> tuple[str, ...]:
    """The command line that tells whether an authority could start, in the environment of one."""
    return (*_bollard(home, executable), "--dry-run", "authority")


def web(
    home: Home, executable: str, transfers: float, ended: Callable[[int], None], listens: Callable[[Child], None]
) -> Child:
    """Make the child that serves HTTP; ``transfers`` are the seconds that its downloads may take at its end.

    ``listens`` hands it its sockets.
    """
    argv, environment = _argv(home, executable, "web"), _without_secrets() | FOR_TLS
    return Child("web", argv, environment, ended, GRACE_SECONDS + transfers, listens)


def worker(
    home: Home,
    executable: str,
    mate: Mate,
    spread: float,
    ended: Callable[[int], None],
    listens: Callable[[Child], None],
) -> Child:
    """Make the child that is this worker; ``spread`` are the seconds it may take to let its stations go."""
    words = ["worker", "--number", str(mate.number)]
    words += ["--generation", str(mate.generation)] if mate.generation > 1 else []
    argv, environment = _argv(home, executable, *words), _without_secrets() | FOR_WORKERS
    return Child(f"worker {mate.number}", argv, environment, ended, GRACE_SECONDS + spread, listens)


def _bollard(home: Home, executable: str) -> tuple[str, ...]:
    return (executable, "-P", "-m", "bollard", "--home", str(home.path.absolute()))


def _argv(home: Home, executable: str, *noun: str) -> tuple[str, ...]:
    written = ("--log-format", log.form().value) if log.form() is log.Form.JSON else ()
    return (*_bollard(home, executable), *noun, *written)


def _without_secrets() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(SECRETS)}
