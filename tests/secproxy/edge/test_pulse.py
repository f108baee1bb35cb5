"""Whoever asks is told that the process works, and a process that was stopped tells nobody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from secproxy.edge.pulse import ALIVE, beating

if TYPE_CHECKING:
    from pathlib import Path


def test_everybody_who_connects_is_answered_and_hung_up_on(tmp_path: Path) -> None:
    """At a socket of our own user alone, which replaces one left behind and goes with the process."""
    path = tmp_path / "web.sock"
    path.touch()

    async def ask() -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(path))
        said = await reader.read()
        writer.close()
        return said

    async def story() -> list[bytes]:
        async with beating(path):
            assert path.stat().st_mode & 0o777 == 0o600
            return list(await asyncio.gather(ask(), ask()))

    assert asyncio.run(story()) == [ALIVE, ALIVE]
    assert not path.exists()
