"""A station's end of the wire, to the byte: it can stop anywhere, hang up half, or reset; and what a door has open."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from tests.secproxy.edge.doors import UPGRADE, trusting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.certs import Party
    from tests.secproxy.edge.doors import Door

LOOK_SECONDS: Final = 0.02  # between two looks: nothing tells when a socket or a task has gone
AT_ONCE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class Wire:
    """A TCP connection to a door, and TLS on it that is driven by hand."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, name: str | None = "localhost") -> None:
        self.sock = sock
        self._loop = asyncio.get_running_loop()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=name)

    @classmethod
    async def dial(
        cls,
        folder: Path,
        at: Door,
        party: Party | None = None,
        source: str = "127.0.0.1",
        *,
        set_up: Callable[[ssl.SSLContext], None] = lambda _: None,
        name: str | None = "localhost",
    ) -> Self:
        """Connect, and say nothing. ``set_up`` changes what TLS will be like, ``name`` is whom it asks for (SNI)."""
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", at.port))
        context = trusting(folder, party)
        set_up(context)
        return cls(sock, context, name)

    def hello(self) -> bytes:
        """The ClientHello, unsent."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._out.read()

    async def raw(self, data: bytes) -> None:
        """Send bytes as they are, beneath TLS."""
        await self._loop.sock_sendall(self.sock, data)

    async def shake(self) -> None:
        """Do the TLS handshake."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self.raw(self._out.read())
                await self._more()
            else:
                return await self.raw(self._out.read())

    async def say(self, data: bytes) -> None:
        """Send bytes in one TLS record."""
        self._tls.write(data)
        await self.raw(self._out.read())

    async def hear(self) -> bytes:
        """The next bytes; empty at the end, however it came."""
        while True:
            try:
                return self._tls.read(65_536)
            except ssl.SSLWantReadError:
                try:
                    await self._more()
                except ConnectionResetError:
                    return b""
                if self._in.eof and not self._in.pending:
                    return b""
            except ssl.SSLError:
                return b""

    async def upgrade(self, request: bytes = UPGRADE) -> bytes:
        """Ask for the WebSocket; return what is answered."""
        await self.shake()
        await self.say(request)
        return await self.hear()

    async def _more(self) -> None:
        data = await self._loop.sock_recv(self.sock, 65_536)
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    async def say_goodbye(self) -> None:
        """End our direction of TLS, and of nothing else."""
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        await self.raw(self._out.read())

    def shut(self) -> None:
        """End our direction of TCP."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Go as a machine goes that was switched off and on again."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.sock.close()

    def close(self) -> None:
        """Go as a process goes that ends."""
        self.sock.close()


@dataclass(frozen=True, slots=True)
class Books:
    """Everything a door counts, and everything the process has open."""

    handshakes: int
    crowds: int
    queued: int
    links: int
    claims_of_worker: int
    claims_of_desk: int
    probes: int
    tasks: int
    descriptors: int

    @property
    def nobody(self) -> bool:
        """Whether nobody is connected, or on the way."""
        return not any((self.crowds, self.queued, self.links, self.claims_of_worker, self.claims_of_desk, self.probes))

    @classmethod
    def of(cls, at: Door) -> Self:
        """As they stand now."""
        crowds = at.doorway._crowds.values()
        return cls(
            at.slots._free,
            sum(crowd.under_way for crowd in crowds),
            sum(len(crowd.queue) for crowd in crowds),
            len(at.links),
            len(at.claims._held) + len(at.claims._asked),
            len(at.desk._claims._identities),
            len(at.desk._probes),
            len(asyncio.all_tasks()),
            len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - a list is what is counted
        )


async def sees(look: Callable[[], object]) -> None:
    """Look until it is so; the door's own time bounds the wait."""
    while not look():  # noqa: ASYNC110 - what is looked at tells nobody of its changes
        await asyncio.sleep(LOOK_SECONDS)


async def at_rest(at: Door) -> Books:
    """The books, once they have not changed for a while: a claim is given back together with others."""
    seen = [Books.of(at)]
    while len(seen) < 6 or set(seen[-6:]) != {seen[-1]}:
        await asyncio.sleep(LOOK_SECONDS)
        seen.append(Books.of(at))
    return seen[-1]


@contextlib.asynccontextmanager
async def balanced(at: Door) -> AsyncIterator[Books]:
    """Nobody is there before the block; whatever happens in it, afterwards the books are as they were."""
    before = await at_rest(at)
    assert before.nobody, f"somebody is left already: {before}"
    yield before
    try:
        await sees(lambda: Books.of(at) == before)
    except asyncio.CancelledError:
        raise AssertionError(f"left behind: {Books.of(at)}, before: {before}") from None
