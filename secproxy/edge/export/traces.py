"""Takes the spans that wait with the supervisor, once a second, and posts them to the collector of traces.

Rules this file keeps:

* A collector that is away or busy is tried again, later and later, with the same batch; meanwhile the supervisor keeps
  what it has room for. What a collector refuses for good is not said again (OTLP 1, "Retryable Response Codes").
* What becomes of spans is told to the supervisor, which counts; nobody else waits for any of it.
* How the collector is doing is kept for ``bollard status`` and ``bollard doctor``; a disk that is full hinders no span.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import TYPE_CHECKING, Final

import msgspec

from pki.edge import clock, log
from pki.errors import UnreachableError
from secproxy.edge import claim_wire as wire
from secproxy.edge.export.deliveries import exchange
from secproxy.edge.export.exporter import TROUBLE_LENGTH, pause
from secproxy.edge.export.standing import Standing, read_standing, write_standing
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
NOTED_SECONDS: Final = 60.0  # seconds until it is written down again that a collector goes on to take spans
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
        self._standing = read_standing(home, settings.sink)
        self._noted = -NOTED_SECONDS

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
            says = written_out(str(problem) or type(problem).__name__, TROUBLE_LENGTH)
            if self._failures == 1:
                self._complain(says)
            await self._tell_failed(says)
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
            return await self._tell_taken()
        self._dropped += len(spans) - len(self._batch)
        says = f"the collector answered {status}"
        raise UnreachableError("sink.answer", says, "See what it has against them; what can be sent again is.")

    def _complain(self, says: str) -> None:
        log.say("traces.failing", says, who="traces", level=log.Level.WARNING)

    async def _tell_taken(self) -> None:
        if self._standing.trouble or time.monotonic() - self._noted >= NOTED_SECONDS:
            await self._keep(Standing(self._standing.to, taken=clock.stamp(clock.now())))

    async def _tell_failed(self, says: str) -> None:
        before = self._standing
        if says != before.trouble:
            since = before.since or clock.stamp(clock.now())
            await self._keep(Standing(before.to, before.taken, says, since))

    async def _keep(self, standing: Standing) -> None:
        self._standing, self._noted = standing, time.monotonic()
        with contextlib.suppress(OSError):  # whoever looks sees what was known before
            await asyncio.to_thread(write_standing, self._home, standing)


class _SilentError(Exception):
    """No supervisor gives out spans."""
