"""Watches how much memory a worker has, so that it ends in good order before the kernel ends it in the middle."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

CHECK_SECONDS: Final = 5.0  # between two looks; a worker that takes in a storm grows by some 100 MiB meanwhile
MIB: Final = 1024 * 1024

_STATM: Final = Path("/proc/self/statm")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")  # bytes


def resident() -> int:
    """Return the bytes of this process that are in memory now (proc(5))."""
    return int(_STATM.read_text(encoding="ascii").split()[1]) * _PAGE


async def outgrown(ceiling: int) -> int:
    """Come back, with the bytes in use, once they are more than ``ceiling``; where that is 0, never."""
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        if 0 < ceiling < (used := resident()):
            return used
