"""Finds the line that a key of a TOML text stands on, so that whoever wrote a mistake is shown where it is.

The text has been read by ``tomllib`` already; nothing is judged here. Keys inside an array that runs over several
lines, or inside a text of several lines, are not told apart; nothing that people hand us has any.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Path: TypeAlias = tuple[str, ...]
"""A key with the tables it is in, outermost first."""

DEPTH_MOST: Final = 16  # tables within tables; far above what any file of ours has


def find_lines(text: str) -> Mapping[Path, int]:
    """Return the line, counted from 1, on which each key and each table of a valid TOML text first stands."""
    found: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            table = _path(line) or table
            found.setdefault(table, number)
        elif path := _path(f"{line.partition('=')[0]} = 0"):
            found.setdefault((*table, *path), number)
    return found


def _path(line: str) -> Path:
    """Read a header, or a key with a value, as TOML by itself: its dots and quotes are TOML's business, not ours."""
    try:
        inner: object = tomllib.loads(line)
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
