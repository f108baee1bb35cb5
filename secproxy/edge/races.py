"""Waits for whichever of several things comes first, and leaves none of the others running."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def any_of(*events: asyncio.Event, seconds: float) -> None:
    """Wait until one of these is set, and no longer than this."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def comes_first(work: Coroutine[object, object, None], *others: asyncio.Future[int]) -> bool:
    """Do the work unless one of the others comes first; tell whether it is done. What the work raises is raised."""
    task = asyncio.ensure_future(work)
    rivals: set[asyncio.Future[int] | asyncio.Future[None]] = {task, *others}
    await asyncio.wait(rivals, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
        return True
    task.cancel()
    await asyncio.wait({task})
    return False


async def first_end(*works: Coroutine[object, object, None]) -> None:
    """Do all of these until one of them ends, then none; what that one raises is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
