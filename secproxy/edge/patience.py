"""The patience that HTTP listeners have with strangers: seconds and bytes until a request's head must be whole.

Uvicorn's own protocols wait for ever, and one of them keeps whatever comes; a few strangers would fill the house.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

HEAD_BYTES: Final = 16_384  # bytes of a head, or of what is left of a body nobody reads; an OCSP GET has 1 KB
HEAD_SECONDS: Final = 10.0  # from the connection, or the first byte of a further request, to the whole head


class Patience:
    """Watches one connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, patience: float) -> None:
        self._loop = loop
        self._transport = transport
        self._seconds = patience
        self._waiting: asyncio.TimerHandle | None = None
        self._bytes = 0

    def heard(self, count: int, *, busy: bool) -> None:
        """Take note of bytes that came; ``busy`` says that they made a head whole, or belong to its body."""
        if busy:
            return self.rest()
        self._bytes += count
        if self._bytes > HEAD_BYTES:
            self.rest()
            self._transport.close()  # who was answered while it sent is to read the answer
        elif self._waiting is None:
            self._waiting = self._loop.call_later(self._seconds, self._transport.abort)
        return None

    def rest(self) -> None:
        """Wait for nothing."""
        self._bytes = 0
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class StatusProtocol(HttpToolsProtocol):
    """Uvicorn's quick protocol, with patience."""

    _patience: Patience | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn itself
        """Part of asyncio's protocol."""
        super().connection_made(transport)
        self._patience = Patience(self.loop, transport, HEAD_SECONDS)
        self._patience.heard(0, busy=False)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol."""
        super().data_received(data)
        if self._patience is not None:
            self._patience.heard(len(data), busy=self.cycle is not None and not self.cycle.response_complete)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        if self._patience is not None:
            self._patience.rest()
        super().connection_lost(exc)
