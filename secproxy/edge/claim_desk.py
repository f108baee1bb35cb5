"""The supervisor's end of the claim lines: workers ask here who may have which station's connection.

Rules this file keeps:

* It decides nothing: every line becomes a fact for ``secproxy.claims`` and every order of its becomes a line.
* Each connection is a worker of its own, numbered by the desk: a worker that was started again is not mistaken for the
  one that died.
* A probe that is not answered in time counts as dead; an answer that comes later, or unasked, counts for nothing.
* Only processes of our own user, or root's, may talk to it. A line that cannot be read ends the connection, and so does
  a worker that does not read what it is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from itertools import count
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

from pki.edge.wire import admit_peer, read_peer, short_path
from pki.errors import ForbiddenError
from secproxy import claims
from secproxy.edge import claim_wire as wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

UNREAD_BYTES: Final = 1024 * 1024  # bytes that may wait for a worker; about 20,000 orders

_decoder = msgspec.json.Decoder(wire.FromWorker)


class ClaimDesk:
    """The desk of one supervisor. ``ready`` is called with a worker's number when its listeners are open."""

    def __init__(self, probe_seconds: float, ready: Callable[[int], None]) -> None:
        self._probe_seconds = probe_seconds
        self._ready = ready
        self._claims = claims.Claims()
        self._lines: dict[int, asyncio.StreamWriter] = {}
        self._connections = count(1)
        self._probes: dict[int, tuple[str, asyncio.TimerHandle]] = {}  # by leg: whose it is, and when it counts as dead

    @contextlib.asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator[None]:
        """Listen at ``path`` for the length of the block; a socket file left behind by an earlier run is replaced."""
        server = await asyncio.start_unix_server(self._serve, sock=_bind(path), limit=wire.LINE_BYTES)
        try:
            yield
        finally:
            server.close()
            for writer in self._lines.values():
                writer.close()
            await server.wait_closed()
            _remove(path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = next(self._connections)
        try:
            admit_peer(read_peer(writer.get_extra_info("socket")), os.geteuid())
            self._lines[connection] = writer
            await self._listen(connection, reader)
        except (OSError, ValueError, ForbiddenError):
            pass  # a stranger, a broken line or another language: none of them is a worker, or no longer
        finally:
            self._lines.pop(connection, None)
            writer.close()
            self._tell(claims.WorkerGone(connection))

    async def _listen(self, connection: int, reader: asyncio.StreamReader) -> None:
        worker = -1
        while line := await reader.readline():
            word = _decoder.decode(line)
            match word:
                case wire.Hello(number):
                    worker = number
                case wire.Ready():
                    self._ready(worker)
                case wire.Want(ticket, identity, credential):
                    self._tell(claims.Wanted(connection, ticket, identity, credential))
                case wire.Probed(leg, alive):
                    if self._claims.holder_of(leg) == connection:
                        self._probed(leg, alive=alive)
                case wire.Release(leg):
                    self._tell(claims.Released(connection, leg))
                case _:
                    assert_never(word)

    def _probed(self, leg: int, *, alive: bool) -> None:
        if leg in self._probes:
            identity, timer = self._probes.pop(leg)
            timer.cancel()
            self._tell(claims.Probed(identity, leg, alive))

    def _tell(self, fact: claims.Fact) -> None:
        for order in self._claims.tell(fact):
            match order:
                case claims.Grant(connection, ticket, leg):
                    self._say(connection, wire.Granted(ticket, leg))
                case claims.Deny(connection, ticket, cause):
                    self._say(connection, wire.Denied(ticket, cause))
                case claims.Drop(connection, leg):
                    self._say(connection, wire.Drop(leg))
                case claims.Probe(connection, leg):
                    self._await_probe(fact, leg)
                    self._say(connection, wire.Probe(leg))
                case _:
                    assert_never(order)

    def _await_probe(self, fact: claims.Fact, leg: int) -> None:
        assert isinstance(fact, claims.Wanted)  # noqa: S101 (only a newcomer makes the holder be probed)
        late = asyncio.get_running_loop().call_later(self._probe_seconds, lambda: self._probed(leg, alive=False))
        self._probes[leg] = (fact.identity, late)

    def _say(self, connection: int, word: wire.Word) -> None:
        writer = self._lines.get(connection)
        if writer is None or writer.is_closing():
            return  # its worker is going; what it held is freed in a moment
        writer.write(wire.line(word))
        if writer.transport.get_write_buffer_size() > UNREAD_BYTES:
            writer.transport.abort()


def _bind(path: Path) -> socket.socket:
    """Make the socket file, for our own user alone."""
    _remove(path)
    listening = socket.socket(socket.AF_UNIX)
    try:
        with short_path(path) as short:
            listening.bind(short)
        path.chmod(0o600)
    except OSError:
        listening.close()
        raise
    return listening


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
