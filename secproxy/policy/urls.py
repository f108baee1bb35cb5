"""Judges the URLs that a message would have a station, or the CSMS, go to.

Rules this file keeps:

* A URL that two readers could take for two places is refused, whatever it says: backslashes, blanks, hosts that are
  numbers but no plain addresses, names that are not ASCII.
* This host itself, its own link and groups of hosts are never a place to go to (loopback, link-local, multicast).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from urllib.parse import SplitResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

CSMS_HOST: Final = "@csms"  # stands in ``hosts`` for csms.host of bollard.toml
PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "ftps": 990, "sftp": 22}
"""The schemes that may be named, each with the port that goes without saying (RFC 3986 3.2.3)."""
HOST: Final = re.compile(
    r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)

_PLAIN: Final = re.compile(r"[!#-;=?-\[\]_a-z~@]+", re.IGNORECASE)  # printable ASCII without " < > \ ^ ` { | }
_NUMBER: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_INSIDE: Final = (".local", ".localdomain", ".internal", ".intranet", ".lan", ".home.arpa")


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the URLs in some fields may lead. ``None`` for hosts or ports: any."""

    fields: tuple[tuple[str, ...], ...]
    """Each the names on the way from the payload to the URL; lists on the way are gone through."""
    schemes: frozenset[str]
    hosts: tuple[str, ...] | None = None
    ports: frozenset[int] | None = None
    private_addresses: bool = False
    credentials: bool = False

    def fault(self, payload: Mapping[str, object], csms_host: str) -> str:
        """Say what is wrong with the first URL that may not be; empty when all may."""
        for field in self.fields:
            for found in find(payload, field):
                says = self._fault(found, csms_host) if isinstance(found, str) else "it is no text"
                if says:
                    return f"{'.'.join(field)}: {says}"
        return ""

    def _fault(self, url: str, csms_host: str) -> str:
        if not _PLAIN.fullmatch(url):
            return "it holds characters that no URL has"
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return "it is no URL"
        if parts.scheme not in self.schemes:
            return f"{parts.scheme[:20]!r} is none of the schemes {', '.join(sorted(self.schemes))}"
        if parts.netloc.count("@") > 1 or (not parts.path and "@" in parts.query + parts.fragment):
            return "two readers could take it for two places"
        if parts.username is not None and not self.credentials:
            return "it holds a user name or password"
        if self.ports is not None and (port or PORTS[parts.scheme]) not in self.ports:
            return f"port {port or PORTS[parts.scheme]} is not one that is allowed"
        return self._fault_of_host(parts, csms_host)

    def _fault_of_host(self, parts: SplitResult, csms_host: str) -> str:
        host = (parts.hostname or "").removesuffix(".")
        address = _address(host)
        if address is None and (
            not HOST.fullmatch(host) or host.startswith("*") or _NUMBER.fullmatch(host.split(".")[-1])
        ):
            return f"{host[:64]!r} is neither a host's name nor a plain address"
        if is_never_right(host, address):
            return f"{host[:64]!r} is the reader's own host, its link, or a group of hosts"
        if not self.private_addresses and is_private(host, address):
            return f"{host[:64]!r} is inside somebody's own network"
        if self.hosts is not None and not any(matches(pattern, host, csms_host) for pattern in self.hosts):
            return f"{host[:64]!r} is none of the hosts that are allowed"
        return ""


def is_never_right(host: str, address: Address | None) -> bool:
    """Whether a host is the one who reads its name, or no single host."""
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified


def is_private(host: str, address: Address | None) -> bool:
    """Whether a host is one that only those in some network of their own can reach (RFC 1918, 4193, 6762, 8375)."""
    if address is None:
        return "." not in host or host.endswith(_INSIDE)
    return not address.is_global


def matches(pattern: str, host: str, csms_host: str) -> bool:
    """Whether a host is the one of a pattern: a name, an address, ``*.`` and a name for all below it, or ``@csms``."""
    if pattern == CSMS_HOST:
        return host == csms_host.lower()
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _address(host: str) -> Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return _inner(address) if isinstance(address, ipaddress.IPv6Address) else address


def _inner(address: ipaddress.IPv6Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it does (RFC 4291 2.5.5.2, 3056, 6052)."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def find(value: object, names: tuple[str, ...]) -> Iterator[object]:
    """Find what stands at the end of a way of names; lists on the way are gone through."""
    if isinstance(value, list):
        for each in value:
            yield from find(each, names)
    elif not names:
        yield value
    elif isinstance(value, dict) and names[0] in value:
        yield from find(value[names[0]], names[1:])
