"""Sends part of an image to a client, block by checked block, and says afterwards how far it got.

A transfer that cannot be finished honestly (damaged image, budget used up, client gone or asleep) is broken off, so
that the client sees fewer bytes than announced and never takes them for the whole.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from pki.errors import BollardError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from pki.edge.http.budget import Allowance
    from pki.edge.http.ranges import Span
    from pki.edge.vault import Image

STALL_SECONDS: Final = 120.0
"""Seconds a client may take for one block of 256 KiB; ours: about 2 KiB/s, below any mobile line that works."""


class Transfer(Response):
    """The response to a GET. ``ended`` is called once with the number of bytes sent and the error that broke it off."""

    def __init__(
        self,
        image: Image,
        span: Span,
        headers: Mapping[str, str],
        allowance: Allowance,
        ended: Callable[[int, BollardError | None], None],
    ) -> None:
        super().__init__(status_code=200 if span.is_whole else 206, headers=headers)
        self._image = image
        self._span = span
        self._allowance = allowance
        self._ended = ended
        self._sent = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send it all, or as much as can be."""
        watch = asyncio.create_task(_hang_up(receive))
        problem: BollardError | None = None
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._send_blocks(send, watch)
        except BollardError as broken:
            problem = broken
        except TimeoutError:
            pass
        finally:
            watch.cancel()
            self._ended(self._sent, problem)

    async def _send_blocks(self, send: Send, watch: asyncio.Task[None]) -> None:
        blocks = self._image.read(self._span.first, self._span.last)
        while block := await asyncio.to_thread(next, blocks, b""):
            self._allowance.spend(len(block))
            async with asyncio.timeout(STALL_SECONDS):
                await send({"type": "http.response.body", "body": block, "more_body": True})
            if watch.done():
                return
            self._sent += len(block)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _hang_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
