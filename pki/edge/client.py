"""How other processes ask the authority that runs, over its socket.

An error raised over there is raised here, of the same class and with the same code. Nothing here could open the ledger
or a key: processes that face the network import this and no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, TypeVar

import msgspec

from pki.edge import calls, wire
from pki.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pki.edge.home import Home

T = TypeVar("T", bound=calls.Row)


class Authority:
    """A connection to the running authority; many questions may be under way at once."""

    def __init__(self, home: Home, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._home = home
        self._writer = writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[wire.Reply]] = {}
        self._lost: UnreachableError | None = None
        self._listening = asyncio.create_task(self._listen(reader))

    @classmethod
    async def connect(cls, home: Home) -> Authority:
        """Connect; ``UnreachableError("authority.unreachable")`` when none runs."""
        return cls(home, *await _connect(home))

    async def ask(self, call: calls.Call, answer: type[T]) -> T:
        """Ask one question; ``answer`` is the call's ``Answer``. Raises what the authority raised."""
        if self._lost is not None:
            raise self._lost
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(wire.write_question(number, call))
            with contextlib.suppress(ConnectionError):  # the listener says it better
                await self._writer.drain()
            reply = await self._waiting[number]
        finally:
            del self._waiting[number]
        return _open(reply, answer)

    async def watch(self) -> AsyncGenerator[calls.News, None]:
        """Yield the ``Snapshot`` and then every change, over a connection of its own.

        Ends with ``UnreachableError`` when the authority goes away or cuts a watcher off that fell behind.
        """
        reader, writer = await _connect(self._home)
        try:
            writer.write(wire.write_question(0, calls.Watch()))
            while line := await _read_line(reader):
                if not wire.read_reply(line).news:
                    _open(wire.read_reply(line), calls.Row)
                yield wire.read_news(line)
            raise _gone()
        finally:
            await _hang_up(writer)

    def drop(self) -> None:
        """Hang up without sending what has not been sent: who does not read would have us wait for it."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Hang up; questions still under way fail."""
        await _hang_up(self._writer)
        await self._listening

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await _read_line(reader):
                reply = wire.read_reply(line)
                waiting = self._waiting.get(reply.id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(reply)
                elif reply.failure is not None and reply.id < 0:
                    self._lose(UnreachableError(reply.failure.code, reply.failure.cause, reply.failure.advice))
        self._lose(_gone())

    def _lose(self, problem: UnreachableError) -> None:
        self._lost = self._lost or problem
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(self._lost)


async def _connect(home: Home) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        with wire.short_path(home.authority_socket) as path:
            return await asyncio.open_unix_connection(path, limit=wire.ANSWER_BYTES)
    except OSError:
        raise UnreachableError(
            "authority.unreachable", "no authority runs for this home", "Start one with 'bollard up'."
        ) from None


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def _open(reply: wire.Reply, answer: type[T]) -> T:
    if reply.failure is not None:
        raise wire.to_error(reply.failure)
    return msgspec.json.decode(reply.answer, type=answer)


def _gone() -> UnreachableError:
    return UnreachableError(
        "authority.lost",
        "the authority went away before it answered; what was asked may or may not have been done",
        "Look at the audit log before you ask again.",
    )
