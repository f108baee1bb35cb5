"""The settings in force: what ``bollard.toml`` says and the command line overrides, written down for child processes.

Rules this file keeps:

* ``run/config.toml`` has the form of ``bollard.toml`` and can be read in its place; reading it back gives the very
  ``Config`` that was written.
* It is there while its supervisor runs, readable by its owner alone.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Final

from pki.edge.home import read_settings
from pki.settings import parse_settings
from secproxy.config import write_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pki.edge.home import Home
    from pki.names import Organisation
    from secproxy.config import Config, UpstreamConfig

NAME: Final = "config.toml"


@contextlib.contextmanager
def in_force(home: Home, config: Config) -> Iterator[None]:
    """Keep ``run/config.toml`` for the length of the block."""
    path = home.run / NAME
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(write_config(parse_settings(read_settings(home)).organisation, config))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def write_config(organisation: Organisation, config: Config) -> str:
    """Write a configuration as the text that ``parse_config`` and ``parse_settings`` read."""
    listeners = (
        f"[[listener]]\naddress = {_text(write_address(door.host, door.port))}\nprofile = {door.profile:d}\n"
        for door in config.listeners
    )
    upstream = _url(config.upstream) if config.upstream else ""
    return "\n".join(
        (
            "# What 'bollard up' runs with. Written anew at each start; to change it, edit bollard.toml.",
            f"[organisation]\nname = {_text(organisation.text)}\n",
            f"[csms]\nhost = {_text(config.csms_host.text)}\nupstream = {_text(upstream)}\n",
            *listeners,
            f"[web]\naddress = {_text(write_address(config.web.host, config.web.port))}",
            f"public_url = {_text(config.web.public_url)}",
            f"status_address = {_text(write_address(*config.web.status) if config.web.status else '')}",
            f"status_url = {_text(config.web.status_url)}\n",
            f"[proxy]\nworkers = {config.workers}\n",
        )
    )


def _url(upstream: UpstreamConfig) -> str:
    scheme = "wss" if upstream.secure else "ws"
    return f"{scheme}://{write_address(upstream.host, upstream.port)}{upstream.path}"


def _text(value: str) -> str:
    """Quote as TOML does: JSON's escapes, and that of DEL, which JSON leaves as it is (TOML 1.0 "String")."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
