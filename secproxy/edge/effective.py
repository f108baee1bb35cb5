"""The settings in force: what ``bollard.toml`` says and the command line overrides, written down for child processes.

Rules this file keeps:

* ``run/config.toml`` has the form of ``bollard.toml`` and can be read in its place; reading it back gives the very
  ``Config`` that was written.
* Beside it lie the policies in force, so that a worker that is started again judges as the others do, whatever was
  edited meanwhile. A mistake in one of them stops the start.
* All of it is there while its supervisor runs, readable by its owner alone.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Final

from pki.edge.home import read_settings
from pki.settings import parse_settings
from secproxy.config import parse_config, write_address
from secproxy.edge.policies import policy_file, read_policies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pki.edge.home import Home
    from pki.names import Organisation
    from secproxy.config import Config, ListenerConfig
    from secproxy.trace_settings import TraceSettings
    from secproxy.upstreams import Upstream, UpstreamConfig

NAME: Final = "config.toml"


@contextlib.contextmanager
def in_force(home: Home, config: Config | None) -> Iterator[None]:
    """Keep ``run/config.toml`` and the policies for the length of the block. ``InputError`` for a mistake in one.

    With None, those that are there stay in force.
    """
    if config is not None:
        put_in_force(home, config, read_policies(home, config.policies))
    try:
        yield
    finally:
        for path in (home.run / NAME, *home.run.glob(policy_file("*"))):
            path.unlink(missing_ok=True)


def put_in_force(home: Home, config: Config, policies: Mapping[str, str]) -> None:
    """Write ``run/config.toml`` and the texts of policies, by name, in place of those before.

    Whoever reads one meanwhile reads one of both whole.
    """
    for name, text in policies.items():
        _put(home, policy_file(name), text)
    _put(home, NAME, write_config(parse_settings(read_settings(home)).organisation, config))


def _put(home: Home, name: str, text: str) -> None:
    fresh = home.run / f"{name}.new"
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(home.run / name)


def write_config(organisation: Organisation, config: Config) -> str:
    """Write a configuration as the text that ``parse_config`` and ``parse_settings`` read."""
    return "\n".join(
        (
            "# What 'bollard up' runs with. Written anew at each start; to change it, edit bollard.toml.",
            f"[organisation]\nname = {_text(organisation.text)}\n",
            f"[csms]\nhost = {_text(config.csms_host.text)}\noutage = {_text(config.outage)}",
            f"transaction_ids = {_text(config.transaction_ids)}\n",
            *map(_upstream, config.upstreams),
            *map(_listener, config.listeners),
            f"[web]\naddress = {_text(write_address(config.web.host, config.web.port))}",
            f"public_url = {_text(config.web.public_url)}",
            f"status_address = {_text(write_address(*config.web.status) if config.web.status else '')}",
            f"status_url = {_text(config.web.status_url)}\n",
            f"[messages]\nschema_station = {_text(config.messages.schema_station)}",
            f"schema_csms = {_text(config.messages.schema_csms)}",
            f"ambiguous = {_text(config.messages.ambiguous)}\n",
            f"[proxy]\nworkers = {config.workers}\nworker_mib = {config.worker_mib}",
            f"unsafe_no_landlock = {str(not config.fenced).lower()}",
            f"refuse_tls_downgrade = {str(config.keeps_tls).lower()}\n",
            f"[policy]\npreset = {_text(config.policies.preset)}\n",
            *(_override("group", *each) for each in config.policies.groups.items()),
            *(_override("station", *each) for each in config.policies.stations.items()),
            f"[metrics]\naddress = {_text(write_address(*config.metrics) if config.metrics else '')}\n",
            *([_traces(config.traces)] if config.traces else []),
        )
    )


def config_in_force(home: Home) -> Config:
    """Read what ``bollard up`` runs with, else what bollard.toml says. Raises ``InputError`` naming the key."""
    running = home.run / NAME
    return parse_config(running.read_text(encoding="utf-8") if running.exists() else read_settings(home))


def url_of(upstream: UpstreamConfig) -> str:
    """Write one URL of a CSMS."""
    scheme = "wss" if upstream.secure else "ws"
    return f"{scheme}://{write_address(upstream.host, upstream.port)}{upstream.path}"


def _upstream(upstream: Upstream) -> str:
    texts = ("name", "path", "ca_file", "client_certificate", "client_key", "preset")
    flags = ("assertion", "proxy_protocol")
    lines = (
        "[[upstream]]",
        *(f"{key} = {_text(getattr(upstream, key))}" for key in texts),
        *(f"{key} = {str(getattr(upstream, key)).lower()}" for key in flags),
        f"urls = {_texts(map(url_of, upstream.urls))}",
        f"groups = {_texts(upstream.groups)}",
        f"weights = [{', '.join(map(str, upstream.weights))}]\n",
    )
    return "\n".join(lines)


def _traces(traces: TraceSettings) -> str:
    sink = traces.sink
    url = f"http{'s' * sink.tls}://{write_address(sink.host, sink.port)}{sink.target}"
    files = ("ca_file", "certificate", "key", "token_file")
    lines = (
        f"[traces]\notlp = {_text(url)}",
        f"ratio = {traces.ratio!r}\nrefused_ratio = {traces.refused_ratio!r}",
        *(f"{name} = {_text(getattr(sink, name))}" for name in files),
    )
    return "\n".join(lines) + "\n"


def _override(kind: str, whose: str, preset: str) -> str:
    return f"[[policy_override]]\n{kind} = {_text(whose)}\npreset = {_text(preset)}\n"


def _listener(door: ListenerConfig) -> str:
    address = _text(write_address(door.host, door.port))
    proxies = _texts(map(str, door.proxies))
    lines = (
        "[[listener]]",
        f"address = {address}",
        f"profile = {door.profile:d}",
        f"proxy_protocol = {proxies}",
        f"compression = {str(door.compression).lower()}",
        f"unknown = {_text(door.unknown)}",
        f"no_subprotocol = {_text(door.no_subprotocol)}",
        f"unsafe_plain = {str(door.profile == 1).lower()}",
        f"pending_seconds = {door.pending_seconds}",
        f"unsafe_legacy_tls = {str(bool(door.legacy)).lower()}",
        f"stations = {_texts(door.legacy)}\n",
    )
    return "\n".join(lines)


def _texts(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _text(value: str) -> str:
    """Quote as TOML does: JSON's escapes, and that of DEL, which JSON leaves as it is (TOML 1.0 "String")."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
