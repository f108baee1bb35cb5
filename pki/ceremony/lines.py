"""Finds on which line of a TOML text each table and each key stands, so that a mistake can be shown where it is.

It reads what people write in these files: headers, and keys at the beginning of a line. Whether the text is TOML at all
is for the parser to say; what is not found here has no line, and no harm is done.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Place: TypeAlias = tuple[str | int, ...]
"""A table or key from the top: ``("root", "days")``, ``("certificate", 0, "serial")``."""

_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\-\" ]{1,200}?)\s*\]")
_KEY: Final = re.compile(r"\s*([A-Za-z0-9_\-]{1,64})\s*=")


def locate(text: str) -> Mapping[Place, int]:
    """Map each table and key to its line, counted from 1."""
    found: dict[Place, int] = {}
    counts: Counter[Place] = Counter()
    table: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _place(header[2], counts, array=header[1] == "[[")
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, key[1]), number)
    return found


def line_of(place: Place, lines: Mapping[Place, int]) -> int:
    """Return the line of a key or of the first table of an array, else of the table it should stand in, else 1."""
    while place and place not in lines and (*place, 0) not in lines:
        place = place[:-1]
    return lines.get(place, lines.get((*place, 0), 1))


def _place(name: str, counts: Counter[Place], *, array: bool) -> Place:
    """Of an array of tables each header begins another; a table below one belongs to the newest."""
    place: Place = ()
    for part in name.split("."):
        place = (*place, part.strip(' "'))
        if place in counts and (array is False or len(place) < len(name.split("."))):
            place = (*place, counts[place] - 1)
    if array:
        counts[place] += 1
        return (*place, counts[place] - 1)
    return place
