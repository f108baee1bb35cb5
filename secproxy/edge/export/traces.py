"""Takes the spans that wait with the supervisor, once a second, and posts them to the collector of traces.

Rules this file keeps:

* A collector that is away or busy is tried again, later and later, with the same batch; meanwhile the supervisor keeps
  what it has room for. What a collector refuses for good is not said again (OTLP 1, "Retryable Response Codes").
* What becomes of spans is told to the supervisor, which counts; nobody else waits for any of it.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

import msgspec

from pki.edge import log
from pki.errors import UnreachableError
from secproxy.edge import claim_wire as wire
from secproxy.edge.export.deliveries import exchange
from secproxy.edge.export.exporter import TROUBLE_LENGTH, pause
from secproxy.edge.line_end import ask
from secproxy.events import written_out
from secproxy.export.otlp_traces import batch
from secproxy.spans import Span, read_span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pki.edge.home import Home
    from secproxy.export.event import Origin
    from secproxy.trace_settings import TraceSettings

POLL_SECONDS: Final = 1.0  # seconds between two looks for spans; workers hand theirs over once a second
PATIENCE: Final = 2.0  # seconds for the supervisor to answer
RETRYABLE: Final = frozenset({429, 502, 503, 504})  # HTTP statuses after which the same may be said again

_decoder = msgspec.json.Decoder(wire.SpansTaken)


async def send_spans(home: Home, settings: TraceSettings, origin: Origin) -> None:
    """Send spans until cancelled."""
    sender = SpanSender(home, settings, origin)
    while True:  # noqa: ASYNC110 - it waits for another process, which tells nobody
        await asyncio.sleep(await sender.turn())


class SpanSender:
    """The way of one home's spans to its collector."""

    def __init__(self, home: Home, settings: TraceSettings, origin: Origin) -> None:
        self._home, self._sink, self._origin = home, settings.sink, origin
        self._batch: list[Span] = []
        self._sent = self._dropped = 0  # and not told yet
        self._failures = 0

    async def turn(self) -> float:
        """Do one step; returns how many seconds to wait before the next."""
        try:
            if not self._batch:
                self._batch = await self._take()
            if self._batch:
                await self._send(self._batch)
        except _SilentError:
            return POLL_SECONDS  # there is no supervisor; a web process may run by itself
        except Exception as problem:  # noqa: BLE001 - nothing that a collector does may end what the process is there for
            self._failures += 1
            if self._failures == 1:
                self._complain(str(problem) or type(problem).__name__)
            return pause(self._failures, random.random())  # noqa: S311 - so that not all come back at once
        self._failures = 0
        return POLL_SECONDS

    async def _take(self) -> list[Span]:
        told = wire.TakeSpans(self._sent, self._dropped)
        try:
            async with asyncio.timeout(PATIENCE):
                taken = _decoder.decode(await ask(self._home.claims_socket, told))
        except (OSError, TimeoutError, msgspec.MsgspecError):
            raise _SilentError from None
        self._sent = self._dropped = 0
        return list(self._read(taken.spans))

    def _read(self, spans: Sequence[msgspec.Raw]) -> list[Span]:
        found: list[Span] = []
        for each in spans:
            try:
                found.append(read_span(bytes(each)))
            except ValueError:
                self._dropped += 1  # no worker of ours wrote it
        return found

    async def _send(self, spans: Sequence[Span]) -> None:
        status = await exchange(self._sink, self._origin, [], batch(spans, self._origin))
        if status not in RETRYABLE:
            self._batch = []
        if 200 <= status < 300:
            self._sent += len(spans)
            return
        self._dropped += len(spans) - len(self._batch)
        says = f"the collector answered {status}"
        raise UnreachableError("sink.answer", says, "See what it has against them; what can be sent again is.")

    def _complain(self, says: str) -> None:
        log.say("traces.failing", written_out(says, TROUBLE_LENGTH), who="traces", level=log.Level.WARNING)


class _SilentError(Exception):
    """No supervisor gives out spans."""
