"""Reads one table of ``bollard.toml``, key by key; every complaint names the key, and none repeats a secret."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import SplitResult, urlsplit

from pki.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PATH_LENGTH: Final = 4_096  # characters; PATH_MAX of Linux

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the file, with its name for the error's sake. ``raw`` is a mapping; whoever makes it saw to that."""

    raw: object
    name: str

    def text(self, key: str, default: str | None = None) -> str:
        """Read a text; without a default the key must be there."""
        value = self._value(key, default)
        if not isinstance(value, str):
            raise wrong(f"{self.name}.{key}", "it is missing" if value is None else "it is not a text in quotes")
        return value

    def number(self, key: str, default: int | None, limit: int, least: int = 0) -> int:
        """Read a whole number from ``least`` to ``limit``; without a default the key must be there."""
        value = self._value(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= limit:
            raise wrong(f"{self.name}.{key}", f"it is not a whole number from {least} to {limit}")
        return value

    def share(self, key: str, default: float) -> float:
        """Read a number from 0 to 1."""
        value = self._value(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
            raise wrong(f"{self.name}.{key}", "it is not a number from 0 to 1")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """Read true or false."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise wrong(f"{self.name}.{key}", "it is neither true nor false")
        return value

    def word(self, key: str, default: str | None, allowed: Iterable[str]) -> str:
        """Read one of some words."""
        value = self.text(key, default)
        if value not in (words := list(allowed)):
            raise wrong(f"{self.name}.{key}", f"{value[:40]!r} is none of {', '.join(words)}")
        return value

    def path(self, key: str, *, needed: bool = False) -> str:
        """Read the absolute path of a file; empty where none is named. A relative one would lead each process, and
        whoever runs a command, somewhere else."""
        path = self.text(key, None if needed else "")
        if path and (not path.startswith("/") or not path.isprintable() or len(path) > PATH_LENGTH):
            raise wrong(f"{self.name}.{key}", f"{path[:60]!r} is no absolute path")
        return path

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts; none where there is no such key."""
        value = self._value(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise wrong(f"{self.name}.{key}", "it is no list of texts in quotes")
        return tuple(value)

    def words(self, key: str, allowed: Iterable[str]) -> frozenset[str]:
        """Read a list of words, each one of those allowed; none where there is no such key."""
        found, known = self.texts(key), frozenset(allowed)
        for each in found:
            if each not in known:
                raise wrong(f"{self.name}.{key}", f"{each[:60]!r} is not known")
        return frozenset(found)

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


def tables_of(name: str, value: object, *, many: bool) -> list[dict[str, object]]:
    """Take what stands under a name as tables, one or many."""
    tables = value if many else [value]
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise wrong(name, f"write [[{name}]]" if many else f"write [{name}]")
    return tables


def refuse_keys(name: str, table: Iterable[str], known: frozenset[str]) -> None:
    """Refuse a key that is not known, so that a slip of the pen never switches something off in silence."""
    for key in table:
        if key not in known:
            raise wrong(f"{name}.{key}", f"[{name}] has no such key; it has {', '.join(sorted(known))}")


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
    """Say what is wrong with a key of the file, or with an option when it begins with two hyphens."""
    where = "" if key.startswith("--") else " in bollard.toml"
    return InputError("config.value", f"{key}: {says}", f"Correct {key}{where}.")
