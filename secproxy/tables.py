"""One table of ``bollard.toml``, read strictly: a value of the wrong kind is refused with the key's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pki.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable


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

    def word(self, key: str, default: str | None, allowed: Iterable[str]) -> str:
        """Read one of some words."""
        value = self.text(key, default)
        if value not in (words := list(allowed)):
            raise wrong(f"{self.name}.{key}", f"{value[:40]!r} is none of {', '.join(words)}")
        return value

    def words(self, key: str, allowed: Iterable[str]) -> frozenset[str]:
        """Read a list of words that may be left out, each one of those allowed."""
        value = self._value(key, [])
        known = frozenset(allowed)
        if not isinstance(value, list):
            raise wrong(f"{self.name}.{key}", "it is not a list of words")
        for each in value:
            if not isinstance(each, str) or each not in known:
                raise wrong(f"{self.name}.{key}", f"{str(each)[:60]!r} is not known")
        return frozenset(value)

    def _value(self, key: str, default: object) -> object:
        return cast("dict[str, object]", self.raw).get(key, default)


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


def wrong(key: str, says: str) -> InputError:
    """Say what is wrong with a key of ``bollard.toml``, or an option of the command line."""
    where = "" if key.startswith("--") else " in bollard.toml"
    return InputError("config.value", f"{key}: {says}", f"Correct {key}{where}.")
