"""The CSMSs behind the proxy, as ``bollard.toml`` names them: one in ``csms.upstream``, or several in ``[[upstream]]``.

Rules this file keeps:

* A station has one CSMS: no group and no path is given to two, and at most one CSMS takes those that are left.
* A secret is a file that others cannot read, never a text in the settings.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pki.names import Host
from secproxy.tables import Table, shown, split, wrong

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KEYS: Final = frozenset(
    {
        "name", "urls", "weights", "groups", "path", "ca_file", "client_certificate", "client_key", "preset",
        "assertion", "proxy_protocol",
    }
)  # fmt: skip
"""The keys of one ``[[upstream]]``."""
SHORT: Final = "csms"  # the name of the CSMS that ``csms.upstream`` names
UPSTREAMS_MOST: Final = 64  # CSMSs; each costs every worker a TLS context, and nobody has so many
URLS_MOST: Final = 16  # URLs of one CSMS; a station's patience is shared among them
WEIGHT_MOST: Final = 1_000  # parts of the traffic; finer shares than a thousandth cannot be told apart

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*)*")


class Preset(StrEnum):
    """What a CSMS expects of the request besides what every CSMS gets."""

    PLAIN = "plain"
    STEVE = "steve"
    CITRINEOS = "citrineos"


@dataclass(frozen=True, slots=True)
class UpstreamConfig:
    """One URL of a CSMS. ``path`` is percent-encoded, without a trailing slash; empty when the URL has none."""

    host: str
    port: int
    path: str
    secure: bool


@dataclass(frozen=True, slots=True)
class Upstream:
    """One CSMS: its URLs, in order of preference or by ``weights``, whose it is, and how it is spoken to.

    ``groups`` are stations' groups, ``path`` a prefix of the path they dial; with neither it takes every station that
    no other CSMS does. Files are PEM; an empty text is one that was not given.
    """

    name: str
    urls: tuple[UpstreamConfig, ...]
    weights: tuple[int, ...] = ()
    groups: tuple[str, ...] = ()
    path: str = ""
    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""
    preset: Preset = Preset.PLAIN
    assertion: bool = True
    proxy_protocol: bool = False

    @property
    def takes_the_rest(self) -> bool:
        """Whether it is the CSMS of every station that no other takes."""
        return not self.groups and not self.path


def parse_upstream(url: str, key: str = "csms.upstream") -> UpstreamConfig:
    """Read a CSMS's URL: ``ws`` or ``wss``, a host, perhaps a port and a path; no user, query or fragment."""
    parts, port = split(url, key)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname or port == 0:
        raise wrong(key, f"{shown(parts)!r} is not of the form ws://host:port/path")
    if parts.username is not None or "?" in url or "#" in url:
        raise wrong(key, f"{shown(parts)!r} may hold neither user, query nor fragment")
    path = parts.path.rstrip("/")
    if not _PATH.fullmatch(path):
        raise wrong(key, "the path holds characters that a URL must escape (RFC 3986 3.3)")
    secure = parts.scheme == "wss"
    return UpstreamConfig(_host(parts.hostname), port or (443 if secure else 80), path, secure)


def parse_upstreams(short: str, tables: Sequence[object]) -> tuple[Upstream, ...]:
    """Read ``csms.upstream``, empty for none, and every ``[[upstream]]``. Raises ``InputError`` naming the key."""
    upstreams = [*([plain(parse_upstream(short))] if short else []), *(_read(Table(raw, "upstream")) for raw in tables)]
    if len(upstreams) > UPSTREAMS_MOST:
        raise wrong("upstream", f"there are more than {UPSTREAMS_MOST}")
    _refuse_twins("upstream.name", (each.name for each in upstreams))
    _refuse_twins("upstream.groups", (group for each in upstreams for group in each.groups))
    _refuse_twins("upstream.path", (each.path for each in upstreams if each.path))
    if sum(each.takes_the_rest for each in upstreams) > 1:
        raise wrong("upstream", "two CSMSs have neither groups nor path (csms.upstream has none): whose is a station?")
    return tuple(upstreams)


def plain(url: UpstreamConfig) -> Upstream:
    """Make the CSMS that one URL alone describes."""
    return Upstream(SHORT, (url,))


def put_in_place(upstreams: Iterable[Upstream], url: UpstreamConfig) -> tuple[Upstream, ...]:
    """Let a URL take the place of the CSMS that takes the rest; those with groups or a path stay."""
    return (plain(url), *(each for each in upstreams if not each.takes_the_rest and each.name != SHORT))


def _read(table: Table) -> Upstream:
    upstream = Upstream(
        name=table.text("name"),
        urls=tuple(parse_upstream(url, "upstream.urls") for url in table.texts("urls")),
        weights=table.numbers("weights", WEIGHT_MOST),
        groups=table.texts("groups"),
        path=table.text("path", "").rstrip("/"),
        ca_file=table.path("ca_file"),
        client_certificate=table.path("client_certificate"),
        client_key=table.path("client_key"),
        preset=_preset(table.text("preset", Preset.PLAIN)),
        assertion=table.flag("assertion", default=True),
        proxy_protocol=table.flag("proxy_protocol", default=False),
    )
    _refuse_oddities(upstream)
    return upstream


def _refuse_oddities(upstream: Upstream) -> None:
    if not _NAME.fullmatch(upstream.name):
        raise wrong("upstream.name", "it is 1 to 32 of lower-case letters, digits and hyphens")
    if not 1 <= len(upstream.urls) <= URLS_MOST:
        raise wrong("upstream.urls", f"it is a list of 1 to {URLS_MOST} URLs")
    if upstream.weights and len(upstream.weights) != len(upstream.urls):
        raise wrong("upstream.weights", "there is one for each of urls, or none at all")
    if not _PATH.fullmatch(upstream.path):
        raise wrong("upstream.path", "it is not of the form /a/b, escaped as in a URL (RFC 3986 3.3)")
    if not all(upstream.groups):
        raise wrong("upstream.groups", "a group has a name")
    if bool(upstream.client_certificate) != bool(upstream.client_key):
        raise wrong("upstream.client_key", "give client_certificate and client_key, or neither")
    trust = upstream.ca_file or upstream.client_certificate
    if trust and not all(url.secure for url in upstream.urls):
        raise wrong("upstream.urls", "ca_file and client_certificate are for wss:// URLs; one of urls is ws://")


def _preset(text: str) -> Preset:
    try:
        return Preset(text)
    except ValueError:
        raise wrong("upstream.preset", f"it is one of {', '.join(Preset)}") from None


def _refuse_twins(key: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise wrong(key, f"{name[:40]!r} is given to two CSMSs")
        seen.add(name)


def _host(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return Host.parse(host).text
