"""Finds the line that a key of a TOML text stands on, so that whoever wrote a mistake is shown where it is.

The text has been read already; nothing is judged here, and what is not found has no line. Keys inside an array that
runs over several lines, or inside a text of several lines, are not told apart; nothing that people hand us has any.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

from pki.toml_text import read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping

Place: TypeAlias = tuple[str | int, ...]
"""A table or key from the top, with the number of each table of an array: ``("certificate", 0, "serial")``."""

DEPTH_MOST: Final = 16  # tables within tables; far above what any file of ours has


def locate(text: str) -> Mapping[Place, int]:
    """Return the line, counted from 1, on which each key and each table first stands."""
    found: dict[Place, int] = {}
    counts: Counter[Place] = Counter()
    table: Place = ()
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith("["):
            if path := _path(line):
                table = _numbered(path, counts, array=line.lstrip().startswith("[["))
                found.setdefault(table, number)
        elif path := _path(f"{line.partition('=')[0]} = 0"):
            found.setdefault((*table, *path), number)
    return found


def line_of(place: Place, lines: Mapping[Place, int]) -> int:
    """Return the line of a key or of the first table of an array, else of the table it should stand in, else 1."""
    while place and place not in lines and (*place, 0) not in lines:
        place = place[:-1]
    return lines.get(place, lines.get((*place, 0), 1))


def _numbered(path: tuple[str, ...], counts: Counter[Place], *, array: bool) -> Place:
    """Of an array of tables each header begins another; a table below one belongs to the newest."""
    place: Place = ()
    for depth, name in enumerate(path, 1):
        place = (*place, name)
        if array and depth == len(path):
            counts[place] += 1
        if counts[place]:
            place = (*place, counts[place] - 1)
    return place


def _path(line: str) -> tuple[str, ...]:
    """Read a header, or a key with a value, as TOML by itself: its dots and quotes are TOML's business, not ours."""
    try:
        inner: object = read_toml(line)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while len(path) < DEPTH_MOST:
        match inner:
            case {**only} if len(only) == 1:
                key, inner = next(iter(only.items()))
                path.append(str(key))
            case [table]:
                inner = table
            case _:
                break
    return tuple(path)
