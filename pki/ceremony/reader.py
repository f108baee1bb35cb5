"""Reads the tables of a ceremony's file key by key, and gathers every mistake with its line and clause.

Where a value is missing or wrong a stand-in is returned and the mistake noted; whoever reads the whole file raises at
the end, so that no stand-in is ever used.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from pki.errors import InputError
from pki.findings import Finding, error
from pki.toml_lines import Place, line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NO_MOMENT: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # the stand-in of a missing moment

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Table:
    """One table: where it stands, what is in it, and the list that mistakes go to."""

    place: Place
    values: Mapping[str, object]
    lines: Mapping[Place, int]
    mistakes: list[Finding]

    def refuse_unknown(self, *known: str) -> None:
        """Note every key that means nothing here."""
        for key in self.values:
            if key not in known:
                says = f"{self.where(key)}: {key[:40]!r} means nothing here; there are {', '.join(known)}"
                self.mistakes.append(error("ceremony.unknown", "", says))

    def wrong(self, key: str, clause: str, says: str) -> None:
        """Note that a value cannot be used."""
        self.mistakes.append(error("ceremony.value", clause, f"{self.where(key)}: {key} {says}"))

    def text(self, key: str) -> str:
        """Read text that must be there."""
        return self._read(key, str, "text", "")

    def text_or(self, key: str, other: str) -> str:
        """Read text that may be left out."""
        return self.text(key) if key in self.values else other

    def number(self, key: str, least: int, most: int, clause: str) -> int:
        """Read a whole number within bounds."""
        found = self._read(key, int, "a whole number", least, clause)
        if not least <= found <= most:
            self.wrong(key, clause, f"= {found} is outside {least}..{most}")
        return found

    def moment(self, key: str) -> dt.datetime:
        """Read a moment with its time zone, in whole seconds (RFC 5280 4.1.2.5)."""
        called = "a moment such as 2026-01-31T09:00:00Z"
        found = self._read(key, dt.datetime, called, NO_MOMENT, "RFC 5280 4.1.2.5")
        if found.tzinfo is None or found.microsecond:
            self.wrong(key, "RFC 5280 4.1.2.5", "needs a time zone and whole seconds, as in 2026-01-31T09:00:00Z")
            return NO_MOMENT
        return found.astimezone(dt.UTC)

    def parsed(self, key: str, parse: Callable[[str], T], clause: str, other: T) -> T:
        """Read text into a type of ours; what its parser says is noted."""
        text = self.text(key)
        if not text:
            if self.values.get(key) == "":
                self.wrong(key, clause, "is empty")
            return other
        try:
            return parse(text)
        except InputError as refused:
            self.wrong(key, clause, f"cannot be used: {refused.cause[:160]}")
            return other

    def table(self, key: str) -> Table:
        """Read a table below this one; an empty one when it is missing, which is noted."""
        return self._below(key, self._read(key, dict, f"a table, [{key}]", {}), (*self.place, key))

    def tables(self, key: str, most: int) -> list[Table]:
        """Read an array of tables, which may be left out."""
        found = self._read(key, list, f"an array of tables, [[{key}]]", []) if key in self.values else []
        if len(found) > most:
            self.wrong(key, "", f"has {len(found)} entries; {most} are the most")
        whole = [each for each in found[:most] if isinstance(each, dict)]
        if len(whole) < len(found[:most]):
            self.wrong(key, "", f"holds other things than tables; write [[{key}]]")
        return [self._below(key, each, (*self.place, key, number)) for number, each in enumerate(whole)]

    def where(self, key: str) -> str:
        """Say where a key stands, or should."""
        return f"line {line_of((*self.place, key), self.lines)}"

    def _below(self, key: str, values: Mapping[str, object], place: Place) -> Table:
        return Table(place if place in self.lines else (*self.place, key), values, self.lines, self.mistakes)

    def _read(self, key: str, kind: type[T], called: str, other: T, clause: str = "") -> T:
        value = self.values.get(key)
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        if value is None:
            self.mistakes.append(
                error("ceremony.missing", clause, f"{self.where(key)}: {key} is missing; it is {called}")
            )
        else:
            self.wrong(key, clause, f"is not {called}")
        return other
