"""Reads TOML that people hand over. What cannot be read is one kind of error, whatever the library makes of it.

Tables within tables and long numbers end in errors of other kinds there, and a name of many parts takes it minutes;
people write none of these.
"""

from __future__ import annotations

import re
import tomllib
from typing import Final

PARTS_MOST: Final = 64  # of a name with dots; its parts are counted against each other

_RUN: Final = re.compile(r"[\w.\"'\- \t]+")  # what may stand in names; all else ends one


def read_toml(text: str) -> dict[str, object]:
    """Read a text. Raises ``tomllib.TOMLDecodeError``, and nothing else, for one that cannot be read."""
    for run in _RUN.finditer(text):
        if run[0].count(".") >= PARTS_MOST and _parts(run[0]) > PARTS_MOST:
            line = text.count("\n", 0, run.start()) + 1
            raise tomllib.TOMLDecodeError(f"a name of more than {PARTS_MOST} parts (at line {line})")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise tomllib.TOMLDecodeError("tables or lists within one another, far too many") from None
    except ValueError:
        raise tomllib.TOMLDecodeError("a number of far too many digits") from None


def _parts(run: str) -> int:
    return sum(bool(part.strip()) for part in run.split("."))
