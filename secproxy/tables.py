"""Reads one table of ``bollard.toml``, key by key; every complaint names the key, and none repeats a secret."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import SplitResult, urlsplit

from pki.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the file, with its name for the error's sake. ``raw`` is known to be a table."""

    raw: object
    name: str

    def text(self, key: str, default: str | None = None) -> str:
        """Read a text."""
        value = self._value(key, default)
        if not isinstance(value, str):
            raise wrong(f"{self.name}.{key}", "it is missing" if value is None else "it is not a text in quotes")
        return value

    def number(self, key: str, default: int | None, limit: int) -> int:
        """Read a whole number from 0 to ``limit``."""
        value = self._value(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
            raise wrong(f"{self.name}.{key}", f"it is not a whole number from 0 to {limit}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """Read true or false."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise wrong(f"{self.name}.{key}", "it is neither true nor false")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts; none where there is no such key."""
        value = self._value(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise wrong(f"{self.name}.{key}", "it is no list of texts in quotes")
        return tuple(value)

    def numbers(self, key: str, limit: int) -> tuple[int, ...]:
        """Read a list of whole numbers from 1 to ``limit``."""
        value = self._value(key, [])
        if not isinstance(value, list) or not all(type(each) is int and 1 <= each <= limit for each in value):
            raise wrong(f"{self.name}.{key}", f"it is no list of whole numbers from 1 to {limit}")
        return tuple(value)

    def networks(self, key: str) -> tuple[Network, ...]:
        """Read a list of networks as ``10.0.0.0/8``; an address alone is a network of one."""
        try:
            return tuple(ipaddress.ip_network(each) for each in self.texts(key))
        except ValueError as broken:
            raise wrong(f"{self.name}.{key}", f"it is no list of networks: {str(broken)[:80]}") from None

    def _value(self, key: str, default: object) -> object:
        return cast("Mapping[str, object]", self.raw).get(key, default)


def split(url: str, key: str) -> tuple[SplitResult, int | None]:
    """Take a URL apart, with its port if it names one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong(key, "it is no URL") from None
    return parts, port


def shown(parts: SplitResult) -> str:
    """A URL for an error: without user and password, which may be secret."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()[:80]


def wrong(key: str, says: str) -> InputError:
    """The complaint about a key of the file, or about an option when it begins with two hyphens."""
    where = "" if key.startswith("--") else " in bollard.toml"
    return InputError("config.value", f"{key}: {says}", f"Correct {key}{where}.")
