"""Posts events over HTTP: signed deliveries to a webhook, and OTLP to an OpenTelemetry collector.

* Taken is what was answered with 2xx; everything else comes again, a delivery under its own id. No redirect is followed
  and no proxy from the environment is asked. TLS is verified; without it only this host can be named.
* One deadline holds for the whole exchange. Of the answer nothing but the status is read.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import h11

from pki.errors import UnreachableError
from secproxy.config import write_address
from secproxy.edge.export.lines import SECRET_LEAST, read_secret, tls_context
from secproxy.export import otlp, webhook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secproxy.event_settings import Sink
    from secproxy.export.event import Event, Origin

DEADLINE: Final = 20.0  # seconds for one exchange, from dialling to the answer's status
HEAD_BYTES: Final = 16 * 1024  # bytes of the answer's head; what h11 and most servers take
CHUNK: Final = 16 * 1024  # bytes read at once; one TLS record

_Headers = list[tuple[str, str]]


class WebhookWay:
    """The way to a webhook."""

    def __init__(self, sink: Sink, origin: Origin) -> None:
        self._sink = sink
        self._origin = origin

    async def send(self, events: Sequence[Event]) -> None:
        """Post a delivery; ``UnreachableError("sink.answer")`` when it was not taken, ``OSError`` when none answers."""
        delivery = webhook.delivery_id(self._sink.name, events)
        content = webhook.body(delivery, events, self._origin)
        secret = await asyncio.to_thread(read_secret, self._sink, self._sink.secret_file, SECRET_LEAST)
        signature = webhook.sign(secret, int(time.time()), content)
        headers = [("Bollard-Delivery", delivery), ("Bollard-Signature", signature)]
        await _post(self._sink, self._origin, headers, content)

    async def close(self) -> None:
        """Nothing is held open."""


class OtlpWay:
    """The way to an OpenTelemetry collector."""

    def __init__(self, sink: Sink, origin: Origin) -> None:
        self._sink = sink
        self._origin = origin

    async def send(self, events: Sequence[Event]) -> None:
        """Post a request; ``UnreachableError("sink.answer")`` when it was not taken, ``OSError`` when none answers."""
        await _post(self._sink, self._origin, [], otlp.batch(events, self._origin))

    async def close(self) -> None:
        """Nothing is held open."""


async def _post(sink: Sink, origin: Origin, headers: _Headers, content: bytes) -> None:
    status = await exchange(sink, origin, headers, content)
    if not 200 <= status < 300:
        says = f"{sink.name} answered {status}"
        raise UnreachableError("sink.answer", says, "The events are kept and sent again by themselves.")


async def exchange(sink: Sink, origin: Origin, headers: _Headers, content: bytes) -> int:
    """Post JSON and return the answer's status; ``OSError`` when none answers, ``TimeoutError`` when not in time,
    ``InputError("sink.file")`` when a file that is needed for it is not fit."""
    context = await asyncio.to_thread(tls_context, sink) if sink.tls else None
    token = await asyncio.to_thread(read_secret, sink, sink.token_file) if sink.token_file else b""
    authorization = [("Authorization", f"Bearer {token.decode('ascii', 'replace')}")] if token else []
    usual = 443 if sink.tls else 80
    host = write_address(sink.host, sink.port) if sink.port != usual else write_address(sink.host, 0).removesuffix(":0")
    head = [
        ("Host", host),
        ("User-Agent", f"Bollard/{origin.version}"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(content))),
        ("Connection", "close"),
    ]
    request = h11.Request(method="POST", target=sink.target, headers=[*head, *headers, *authorization])
    async with asyncio.timeout(DEADLINE):
        name = sink.host if context else None
        reader, writer = await asyncio.open_connection(sink.host, sink.port, ssl=context, server_hostname=name)
        try:
            return await _talk(reader, writer, request, content)
        finally:
            writer.transport.abort()


async def _talk(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request, content: bytes
) -> int:
    talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
    for event in (request, h11.Data(data=content), h11.EndOfMessage()):
        writer.write(talk.send(event) or b"")
    await writer.drain()
    while True:
        match talk.next_event():
            case h11.NEED_DATA:
                talk.receive_data(await reader.read(CHUNK))
            case h11.Response() as response:
                return response.status_code
            case h11.ConnectionClosed():
                raise ConnectionError("hung up")
            case _:
                continue  # an interim answer, which says nothing yet
