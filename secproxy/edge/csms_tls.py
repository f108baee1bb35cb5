"""Our TLS towards one CSMS: whom we believe, the certificate we show; made anew when a file of it changes."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pki.errors import InputError

if TYPE_CHECKING:
    from secproxy.upstreams import Upstream

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
CORRECT: Final = "Correct ca_file, client_certificate or client_key of it in bollard.toml."
FENCED: Final = (
    "Let the home's owner read it. If he may, it lies where the workers that run are fenced off from it: "
    "bollard upgrade starts new ones, then bollard reload."
)


class CsmsTls:
    """The TLS of one CSMS. ``InputError("upstream.file")`` when a file it needs cannot be used."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._seen = self._look()
        self._context = _context(upstream) if any(url.secure for url in upstream.urls) else None

    def current(self) -> ssl.SSLContext | None:
        """Return the context to use now, None where every URL is ws://.

        Raises ``InputError`` once for a change that cannot be used; after that the former context holds.
        """
        if self._context is not None and (seen := self._look()) != self._seen:
            self._seen = seen
            self._context = _context(self._upstream)
        return self._context

    def _look(self) -> tuple[tuple[int, int], ...]:
        files = (self._upstream.ca_file, self._upstream.client_certificate, self._upstream.client_key)
        return tuple(_stamp(Path(file)) for file in files if file)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino


def _context(upstream: Upstream) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=upstream.ca_file or None)
        if upstream.client_certificate:
            _refuse_open(Path(upstream.client_key))
            context.load_cert_chain(upstream.client_certificate, upstream.client_key, password=_no_password)
    except PermissionError:
        raise _unfit(upstream, "one of them may not be read by workers", FENCED) from None
    except (OSError, ValueError) as problem:  # ssl.SSLError is an OSError
        raise _unfit(upstream, str(problem)[:160]) from None
    return context


def _refuse_open(key: Path) -> None:
    mode = key.stat().st_mode
    if not stat.S_ISREG(mode) or mode & OTHERS:
        raise ValueError(f"{key.name} is not a file that its owner alone may read (0600)")


def _no_password() -> str:
    """Asked for by OpenSSL when the key is encrypted; without this it would ask on the terminal."""
    raise ValueError("the client key is encrypted; give one that is not, 0600")


def _unfit(upstream: Upstream, says: str, advice: str = CORRECT) -> InputError:
    return InputError(
        "upstream.file", f"the TLS files of [[upstream]] {upstream.name!r} cannot be used: {says}", advice
    )
