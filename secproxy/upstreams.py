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
from pki.tables import shown, split, wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pki.tables import Table, Tables

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


def read_upstreams(file: Tables) -> tuple[Upstream, ...]:
    """Read ``csms.upstream``, empty for none, and every ``[[upstream]]``; what is wrong with them is noted."""
    short = file.one("csms").parsed("upstream", lambda url: (plain(parse_upstream(url)),) if url else (), "", "")
    tables = file.many("upstream")
    if len(tables) + len(short) > UPSTREAMS_MOST:
        file.wrong("upstream", f"there are more than {UPSTREAMS_MOST}")
        return short
    read = [_read(table) for table in tables]
    found = [*zip(tables, read, strict=True)]
    _refuse_twins(found, "name", lambda each: (each.name,), taken=frozenset(each.name for each in short))
    _refuse_twins(found, "groups", lambda each: each.groups)
    _refuse_twins(found, "path", lambda each: (each.path,) if each.path else ())
    rest = [table for table, each in found if each.takes_the_rest and table.sound("groups", "path")]
    if len(rest) + len(short) > 1:
        says = "two CSMSs have neither groups nor path (csms.upstream has none): whose is a station?"
        file.note(rest[-1].place, wrong("upstream", says))
    return (*short, *read)


def plain(url: UpstreamConfig) -> Upstream:
    """Make the CSMS that one URL alone describes."""
    return Upstream(SHORT, (url,))


def put_in_place(upstreams: Iterable[Upstream], url: UpstreamConfig) -> tuple[Upstream, ...]:
    """Let a URL take the place of the CSMS that takes the rest; those with groups or a path stay."""
    return (plain(url), *(each for each in upstreams if not each.takes_the_rest and each.name != SHORT))


def _read(table: Table) -> Upstream:
    upstream = Upstream(
        name=table.text("name"),
        urls=table.listed("urls", lambda url: parse_upstream(url, "upstream.urls")),
        weights=table.numbers("weights", WEIGHT_MOST),
        groups=table.texts("groups"),
        path=table.text("path", "").rstrip("/"),
        ca_file=table.path("ca_file"),
        client_certificate=table.path("client_certificate"),
        client_key=table.path("client_key"),
        preset=Preset(table.word("preset", Preset.PLAIN, Preset)),
        assertion=table.flag("assertion", default=True),
        proxy_protocol=table.flag("proxy_protocol", default=False),
    )
    _refuse_oddities(table, upstream)
    return upstream


def _refuse_oddities(table: Table, upstream: Upstream) -> None:
    if not _NAME.fullmatch(upstream.name):
        table.wrong("name", "it is 1 to 32 of lower-case letters, digits and hyphens")
    if not 1 <= len(upstream.urls) <= URLS_MOST:
        table.wrong("urls", f"it is a list of 1 to {URLS_MOST} URLs")
    if upstream.weights and len(upstream.weights) != len(upstream.urls):
        table.wrong("weights", "there is one for each of urls, or none at all", "urls")
    if not _PATH.fullmatch(upstream.path):
        table.wrong("path", "it is not of the form /a/b, escaped as in a URL (RFC 3986 3.3)")
    if not all(upstream.groups):
        table.wrong("groups", "a group has a name")
    if bool(upstream.client_certificate) != bool(upstream.client_key):
        table.wrong("client_key", "give client_certificate and client_key, or neither", "client_certificate")
    trust = upstream.ca_file or upstream.client_certificate
    if trust and not all(url.secure for url in upstream.urls):
        table.wrong("urls", "ca_file and client_certificate are for wss:// URLs; one of urls is ws://")


def _refuse_twins(
    found: Sequence[tuple[Table, Upstream]],
    key: str,
    names: Callable[[Upstream], Iterable[str]],
    taken: frozenset[str] = frozenset(),
) -> None:
    seen = set(taken)
    for table, upstream in found:
        for name in names(upstream):
            if name in seen:
                table.wrong(key, f"{name[:40]!r} is given to two CSMSs")
            seen.add(name)


def _host(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return Host.parse(host).text
