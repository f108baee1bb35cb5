"""What the proxy is told in ``bollard.toml``, and the limits it keeps whatever it is told.

Rules this file keeps:

* What is read is not what is used: the text becomes a ``Config`` that cannot be wrong, or an ``InputError`` names the
  key. A key that is not known is refused, so that a slip of the pen never switches something off in silence.
* Every number stands in ``Limits``, with its unit and where it comes from.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from pki.errors import InputError
from pki.external import KEYS as EXTERNAL_KEYS
from pki.names import Host
from pki.station import SecurityProfile
from secproxy.event_settings import EVENT_TABLES, read_event_settings
from secproxy.tables import Table as _Table
from secproxy.tables import refuse_keys, tables_of
from secproxy.tables import wrong as _wrong
from secproxy.target import encode_identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secproxy.admission import Admitted

KNOWN_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "organisation": frozenset({"name"}),
    "csms": frozenset({"host", "upstream", "certificate_hours"}),  # the last is the authority's (pki.settings)
    "listener": frozenset({"address", "profile"}),
    "web": frozenset({"address", "public_url", "status_address", "status_url"}),
    "proxy": frozenset({"workers"}),
    "issuing": frozenset({"approval", "keep_old_days"}),  # and these
    "server_certificate": frozenset({"certificate", "key"}),  # the authority reads these (pki.settings)
    "hsm": frozenset({"module", "token", "slot"}),  # and these
    "keys": frozenset({"unsafe_experimental_ml_dsa"}),  # and these
    "est": frozenset({"enabled"}),  # and these
    "external_issuer": EXTERNAL_KEYS,
    **EVENT_TABLES,  # the web process reads these (secproxy.event_settings)
}
SERVED: Final = frozenset({2, 3})  # security profiles; A00.FR.201 leaves profile 1 to trusted networks
ARRAYS: Final = frozenset({"listener", "server_certificate", "external_issuer", "event_sink", "alert"})  # may stand
# many times
WORKERS_LIMIT: Final = 256  # processes; above the cores of any host this is made for

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+)):(?P<port>[0-9]{1,5})")
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*)*")


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound the proxy keeps. Where no source is named, proxies at the edge of a network commonly take it."""

    head_bytes: int = 8_192
    """Bytes of an HTTP head; what nginx and haproxy take by default. Above it: 431."""
    head_seconds: float = 10.0
    """Seconds from the first byte to the whole head; against heads that trickle in. After it: 408."""
    handshake_seconds: float = 5.0
    """Seconds for a TLS handshake; a station on a bad mobile line needs about two."""
    headers: int = 100
    """Header lines of a head; CVE-2024-37890 is about servers without this bound."""
    frame_up: int = 65_536
    """Bytes of one message from a station; the largest in daily use, a charging-needs report, has about 20,000."""
    frame_down: int = 262_144
    """Bytes of one message from the CSMS; a full local list or a certificate chain fits."""
    fragments: int = 64
    """Fragments of one message; some libraries take endless empty ones without a word."""
    partial_frame_seconds: float = 30.0
    """Seconds to finish a frame once begun; not the idle time, which OCPP leaves to heartbeats."""
    controls_per_second: float = 2.0
    """Pings and pongs a second, on average; each costs the proxy an answer."""
    controls_burst: int = 10
    """Pings and pongs at once."""
    write_high_water: int = 262_144
    """Bytes that may wait for a slow reader, on each leg, before the other leg is paused."""
    upstream_seconds: float = 10.0
    """Seconds to reach the CSMS and have its 101."""
    probe_seconds: float = 3.0
    """Seconds a live connection has to answer a ping before a newcomer with the same credential takes its place."""
    handshakes_at_once: int = 64
    """TLS handshakes under way in one worker; more wait unread, so that live traffic keeps its share of the core."""
    arrivals_of_one: int = 32
    """Connections of one network address in one worker that are not admitted yet; half of the handshakes, so that one
    address alone cannot keep the others out."""
    arrivals_queued: int = 256
    """More connections of that address, which wait unread; a site behind one address comes back whole after an outage.
    Above it: closed at once."""


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """One door for stations: an IP address, a port, and the one security profile served there (A00.FR.006)."""

    host: str
    port: int
    profile: SecurityProfile


@dataclass(frozen=True, slots=True)
class UpstreamConfig:
    """Where the CSMS listens. ``path`` is percent-encoded, without a trailing slash; empty when the URL has none."""

    host: str
    port: int
    path: str
    secure: bool


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Where firmware downloads are served, and the URL under which stations reach that place. ``status`` is where
    anybody asks about certificates, ``status_url`` how they reach it; without it nobody is answered."""

    host: str
    port: int
    public_url: str
    status: tuple[str, int] | None = None
    status_url: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of the proxy. ``upstream`` is None until one is named, ``workers`` 0 means one for each core."""

    csms_host: Host
    upstream: UpstreamConfig | None
    listeners: tuple[ListenerConfig, ...]
    web: WebConfig
    workers: int = 0
    limits: Limits = Limits()


def parse_config(text: str) -> Config:
    """Read ``bollard.toml``. Raises ``InputError`` naming the key."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        raise InputError("config.syntax", f"bollard.toml is not TOML: {broken}", "Correct the line it names.") from None
    _refuse_unknown(raw)
    read_event_settings(raw)  # a mistake there is told now, not by the process that needs them
    csms = _Table(raw.get("csms", {}), "csms")
    return Config(
        csms_host=Host.parse(csms.text("host")),
        upstream=_optional_upstream(csms.text("upstream", "")),
        listeners=_listeners(raw),
        web=_web(_Table(raw.get("web", {}), "web")),
        workers=_Table(raw.get("proxy", {}), "proxy").number("workers", 0, WORKERS_LIMIT),
    )


def parse_upstream(url: str) -> UpstreamConfig:
    """Read the CSMS's URL: ``ws`` or ``wss``, a host, perhaps a port and a path; no user, query or fragment."""
    parts, port = _split(url, "csms.upstream")
    if parts.scheme not in {"ws", "wss"} or not parts.hostname or port == 0:
        raise _wrong("csms.upstream", f"{_shown(parts)!r} is not of the form ws://host:port/path")
    if parts.username is not None or "?" in url or "#" in url:
        raise _wrong("csms.upstream", f"{_shown(parts)!r} may hold neither user, query nor fragment")
    path = parts.path.rstrip("/")
    if not _PATH.fullmatch(path):
        raise _wrong("csms.upstream", "the path holds characters that a URL must escape (RFC 3986 3.3)")
    secure = parts.scheme == "wss"
    return UpstreamConfig(_upstream_host(parts.hostname), port or (443 if secure else 80), path, secure)


def parse_address(text: str, key: str = "address") -> tuple[str, int]:
    """Read ``127.0.0.1:8443`` or ``[::1]:8443``. Port 0 lets the system choose. ``key`` is named in the error."""
    match = _ADDRESS.fullmatch(text)
    host = (match["six"] or match["four"]) if match else ""
    port = int(match["port"]) if match else -1
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if match is None or address is None or (address.version == 6) is not bool(match["six"]) or port > 65_535:
        raise _wrong(key, f"{text[:60]!r} is not of the form 127.0.0.1:8443 or [::1]:8443")
    return str(address), port


def write_address(host: str, port: int) -> str:
    """Write a host and a port as ``parse_address`` reads them; an IPv6 address stands in brackets (RFC 3986 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def upstream_path(upstream: UpstreamConfig, admitted: Admitted) -> str:
    """Say which path the CSMS is asked for: the station's own when the upstream URL has none, else that of the URL, a
    slash, and the identity, percent-encoded (OCPP-J 3.1.1)."""
    return f"{upstream.path}/{encode_identity(admitted.station.identity)}" if upstream.path else admitted.target


def _refuse_unknown(raw: dict[str, object]) -> None:
    for name, value in raw.items():
        if name not in KNOWN_KEYS:
            raise _wrong(name, "it is no table of bollard.toml")
        for table in tables_of(name, value, many=name in ARRAYS):
            refuse_keys(name, table, KNOWN_KEYS[name])


def _listeners(raw: dict[str, object]) -> tuple[ListenerConfig, ...]:
    found = tables_of("listener", raw.get("listener", []), many=True)
    listeners = tuple(_listener(_Table(table, "listener")) for table in found)
    if not listeners:
        raise _wrong("listener", "no station could connect: there is no [[listener]]")
    doors = [(listener.host, listener.port) for listener in listeners if listener.port]
    if len(set(doors)) < len(doors):
        raise _wrong("listener.address", "two listeners share one address; each serves one profile (A00.FR.006)")
    return listeners


def _listener(table: _Table) -> ListenerConfig:
    host, port = parse_address(table.text("address"), "listener.address")
    profile = table.number("profile", None, 3)
    if profile not in SERVED:
        raise _wrong("listener.profile", "2 (password in TLS) and 3 (client certificate) are served; 1 has no TLS")
    return ListenerConfig(host, port, SecurityProfile(profile))


def _web(table: _Table) -> WebConfig:
    host, port = parse_address(table.text("address"), "web.address")
    url = table.text("public_url")
    parts, _ = _split(url, "web.public_url")
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        raise _wrong("web.public_url", f"{_shown(parts)!r} is not of the form https://host:port")
    place = table.text("status_address", "")
    status = parse_address(place, "web.status_address") if place else None
    if status and status[1] and status == (host, port):
        raise _wrong("web.status_address", "it is web.address already")
    return WebConfig(host, port, url.rstrip("/"), status, table.text("status_url", ""))


def _split(url: str, key: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _wrong(key, "it is no URL") from None
    return parts, port


def _optional_upstream(url: str) -> UpstreamConfig | None:
    return parse_upstream(url) if url else None


def _upstream_host(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return Host.parse(host).text


def _shown(parts: SplitResult) -> str:
    """A URL for an error: without user and password, which may be secret."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()[:80]
