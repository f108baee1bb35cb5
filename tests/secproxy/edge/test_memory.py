"""A worker's memory is measured as the kernel counts it."""

from __future__ import annotations

import asyncio

import pytest

from secproxy.edge import memory


def test_what_is_resident_grows_with_what_is_held() -> None:
    """64 MiB that are written to are 64 MiB more."""
    before = memory.resident()
    held = bytearray(b"x" * (64 * memory.MIB))

    assert memory.resident() - before > 48 * memory.MIB
    del held


def test_it_is_told_once_there_is_more_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before, and never where there is no bound."""
    monkeypatch.setattr(memory, "CHECK_SECONDS", 0.001)
    used = iter([5, 10, 11])
    monkeypatch.setattr(memory, "resident", lambda: next(used))

    async def endless() -> None:
        async with asyncio.timeout(0.05):
            await memory.outgrown(0)

    assert asyncio.run(memory.outgrown(10)) == 11
    with pytest.raises(TimeoutError):
        asyncio.run(endless())
