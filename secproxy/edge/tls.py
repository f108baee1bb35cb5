"""The TLS side of a station's connection: OpenSSL drives the socket itself, the event loop says when.

What is agreed on stands in ``tls_context``; why a handshake failed, in ``tls_failure``.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Final

from OpenSSL import SSL, crypto

from secproxy.edge.clear import TLS_OPENING, Clear, TlsSpokenError
from secproxy.edge.tls_failure import why

if TYPE_CHECKING:
    from collections.abc import Callable

    from secproxy.edge.turns import Turns

RECORD: Final = 16_384  # bytes; one TLS record, the most a single read returns (RFC 8446 5.1)

FAREWELL_SECONDS: Final = 1.0  # how long a peer that was refused may take to hang up
FAREWELL_BYTES: Final = 128 * 1024  # read away meanwhile
READ_AWAY: Final = 64 * 1024  # bytes read away at once, undeciphered
SEE_OFF_SECONDS: Final = 2.0  # how long one that was answered while it sent may go on; the web's own end takes three
TCP_INFO_ACKED: Final = 120  # where struct tcp_info of Linux has the bytes acknowledged, and behind them the received
TCP_INFO_BYTES: Final = 136  # of it, up to there
SEE_OFF_BYTES: Final = 64 * 1024**2  # read away meanwhile: most clients send all of it before they look for an answer
LINGER_SECONDS: Final = 5.0  # how long what is kept may take to leave after ``close``; a slow reader loses the rest


class TlsLeg:
    """One station's TLS connection on a non-blocking socket; without a context, one without TLS (security profile 1).

    While ``handshake`` or ``read_head`` runs, the leg belongs to that coroutine. After ``attach`` every chunk of clear
    bytes goes to ``on_data``, and the end of the connection, once, to ``on_end``. ``write`` never blocks: what the
    socket does not take is kept, ``waiting`` bytes of it, and ``on_drain`` is called when all of it is gone.
    """

    __slots__ = (
        "_carried", "_closing", "_conn", "_ended", "_loop", "_out", "_paused", "_reading", "_sock", "_turns", "_waiter",
        "_writing", "on_data", "on_drain", "on_end", "remote", "waiting",
    )  # fmt: skip

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, context: SSL.Context | None, remote: str
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._conn: SSL.Connection | Clear = SSL.Connection(context, sock) if context else Clear(sock)
        self._conn.set_accept_state()
        self._out: deque[bytes] | None = None  # one takes 760 bytes, of each of ten thousand stations
        self._reading = self._writing = self._paused = self._closing = self._ended = False
        self._waiter: asyncio.Future[None] | None = None
        self._turns: Turns | None = None
        self.waiting = 0
        self.remote = remote
        self._carried = (0, 0)
        self.on_data: Callable[[bytes], None] = _ignore
        self.on_end: Callable[[], None] = _ignore_end
        self.on_drain: Callable[[], None] = _ignore_end

    # -- before the WebSocket --------------------------------------------------------------------------------------

    async def handshake(self, turns: Turns | None = None) -> None:
        """Finish the TLS handshake, each step in its turn, and the end of the leg in another. Raises
        ``HandshakeError``; the caller bounds the time."""
        self._turns = turns
        self._conn.set_app_data(None)
        while True:
            if turns is not None:
                await turns.take()
            try:
                return self._conn.do_handshake()
            except SSL.WantReadError:
                await self._until_readable()
            except SSL.WantWriteError:
                await self._until_writable()
            except (SSL.Error, OSError) as failure:
                raise why(self._conn, failure) from None

    async def read_head(self, end: bytes, limit: int) -> bytes:
        """Read up to and with ``end``, at most ``limit`` bytes. Raises ``ValueError`` when it is longer or followed by
        more, ``ConnectionError`` when the peer goes first, ``TlsSpokenError`` as soon as it speaks TLS to a leg
        without."""
        got = b""
        while end not in got and len(got) <= limit:
            try:
                got += self._conn.recv(RECORD)
            except SSL.WantReadError:
                await self._until_readable()
            except (SSL.Error, OSError):
                raise ConnectionError("the station hung up before its request was complete") from None
            if got.startswith(TLS_OPENING) and isinstance(self._conn, Clear):
                raise TlsSpokenError
        if len(got) > limit:
            raise ValueError("longer than allowed")
        if not got.endswith(end) or got.index(end) + len(end) != len(got):
            raise ValueError("followed by bytes that nobody asked for")
        return got

    def verified_chain(self) -> tuple[bytes, ...]:
        """The client's chain as OpenSSL verified it, from leaf to anchor, in DER; empty without any."""
        chain = self._conn.get_verified_chain() or ()
        return tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, each) for each in chain)

    def leaf(self) -> bytes:
        """The client's certificate as it was verified, DER; empty without any."""
        return next(iter(self.verified_chain()), b"")

    @property
    def local(self) -> tuple[str, int]:
        """Where the peer reached us: IP address and port."""
        host, port = self._sock.getsockname()[:2]
        return host, port

    @property
    def version(self) -> str:
        """The TLS version, as ``TLSv1.3``."""
        return self._conn.get_protocol_version_name()

    @property
    def cipher(self) -> str:
        """The cipher suite's OpenSSL name."""
        return self._conn.get_cipher_name() or ""

    @property
    def group(self) -> str:
        """The key exchange's group by OpenSSL's name; empty for static RSA."""
        return self._conn.get_group_name() or ""

    @property
    def gone(self) -> bool:
        """Whether nothing can be said to the peer any more; ``on_end`` may still be to come."""
        return self._closing or self._ended

    @property
    def carried(self) -> tuple[int, int]:
        """Bytes that came and that went and were acknowledged, TLS included, as the kernel counts them (tcp(7))."""
        if not self._ended:
            told = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
            sent, came = struct.unpack_from("=QQ", told, TCP_INFO_ACKED) if len(told) == TCP_INFO_BYTES else (0, 0)
            self._carried = came, sent
        return self._carried

    async def farewell(self, answer: bytes, seconds: float = FAREWELL_SECONDS, most: int = FAREWELL_BYTES) -> None:
        """Send a last answer and close so that it arrives: half-close, read the rest away for a moment, close.

        Closing at once would reset the connection while bytes of the peer lie unread, and with it lose the alert or the
        HTTP status that tells an installer what is wrong. Read away are ``most`` bytes for ``seconds`` at most.
        """
        try:
            if answer:
                self._conn.send(answer)
                self._conn.shutdown()
            self._loop.remove_reader(self._sock.fileno())
            self._sock.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(seconds):
                for _ in range(0, most, READ_AWAY):
                    if not await self._loop.sock_recv(self._sock, READ_AWAY):
                        break
        except (SSL.Error, OSError, TimeoutError):
            pass  # the peer is gone or will not go: nothing is owed to it any more
        finally:
            self.abort()

    async def linger(self) -> None:
        """Say goodbye to a peer that may still be sending, so that what it was answered arrives; then close."""
        if not self._ended:
            with contextlib.suppress(SSL.Error, OSError):  # the peer may be gone already
                self._conn.shutdown()
            self.on_end = _ignore_end
            await self.farewell(b"", SEE_OFF_SECONDS, SEE_OFF_BYTES)

    def shown_chain(self) -> tuple[bytes, ...]:
        """What the client showed, unjudged, DER, leaf first; that it holds the leaf's key is proved (RFC 8446 4.4.3).

        OpenSSL leaves the leaf out of a server's list of the rest.
        """
        leaf, above = self._conn.get_peer_certificate(), self._conn.get_peer_cert_chain() or []
        found = [crypto.dump_certificate(crypto.FILETYPE_ASN1, each) for each in (leaf, *above) if each is not None]
        return tuple(dict.fromkeys(found))

    # -- the WebSocket ---------------------------------------------------------------------------------------------

    def attach(
        self, on_data: Callable[[bytes], None], on_end: Callable[[], None], on_drain: Callable[[], None]
    ) -> None:
        """Hand the leg over to callbacks."""
        self.on_data, self.on_end, self.on_drain = on_data, on_end, on_drain
        try:
            self._loop.add_reader(self._sock.fileno(), self._readable)
        except RuntimeError:  # the peer has reset the connection since the handshake, and uvloop gave up its watch
            self._loop.call_soon(self._finish)
            return
        if self._conn.pending():
            self._loop.call_soon(self._readable)

    def write(self, data: bytes) -> None:
        """Send, now as far as the socket takes it, the rest when it can."""
        if self._closing or self._ended:
            return
        if not self._out:
            data = self._send(data)
        if data:
            self._out = self._out or deque()
            self._out.append(data)
            self.waiting += len(data)

    def pause(self) -> None:
        """Read no more until ``resume``."""
        if not self._paused and not self._ended:
            self._paused = True
            self._loop.remove_reader(self._sock.fileno())

    def resume(self) -> None:
        """Read on."""
        if self._paused and not self._closing and not self._ended:
            self._paused = False
            self._loop.add_reader(self._sock.fileno(), self._readable)
            self._loop.call_soon(self._readable)

    def close(self) -> None:
        """Read no more, send what is kept, say goodbye, close; at once when nothing is kept, else in a bounded time."""
        if self._closing or self._ended:
            return
        if not self._out:
            self._finish()
            return
        self.pause()
        self._closing = True
        self._loop.call_later(LINGER_SECONDS, self._finish)

    def abort(self) -> None:
        """Close now; what is kept is lost. ``on_end`` is not called."""
        self.on_end = _ignore_end
        self._finish()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        if self._ended or self._paused:
            return
        try:
            data = self._conn.recv(RECORD)  # a whole record, so that OpenSSL keeps nothing the loop would not tell of
        except SSL.WantReadError:
            return
        except (SSL.Error, OSError):
            self._hung_up()
            return
        self.on_data(data)

    def _hung_up(self) -> None:
        """The peer has gone. With a mobile network thousands do at one moment, and those who stay must not wait."""
        if self._turns is None:
            self._finish()
            return
        self._closing = True
        self._loop.remove_reader(self._sock.fileno())
        self._turns.call(self._finish)

    def _send(self, data: bytes) -> bytes:
        """Send what fits; return the rest."""
        while data:
            try:
                sent = self._conn.send(data)
            except (SSL.WantWriteError, SSL.WantReadError):
                self._watch_writes()
                return data
            except (SSL.Error, OSError):
                self._loop.call_soon(self._finish)
                return b""
            data = data[sent:] if sent < len(data) else b""
        return b""

    def _watch_writes(self) -> None:
        if not self._writing:
            self._writing = True
            self._loop.add_writer(self._sock.fileno(), self._writable)

    def _writable(self) -> None:
        while self._out:
            rest = self._send(self._out[0])
            self.waiting -= len(self._out[0]) - len(rest)
            if rest:
                self._out[0] = rest
                return
            self._out.popleft()
        self._out, self._writing = None, False
        self._loop.remove_writer(self._sock.fileno())
        if self._closing:
            self._finish()
        else:
            self.on_drain()

    def _finish(self) -> None:
        if self._ended:
            return
        with contextlib.suppress(OSError):  # a socket that is gone already has told what it had to
            self.carried  # noqa: B018 - the last moment to ask for it
        self._ended = True
        descriptor = self._sock.fileno()
        self._loop.remove_reader(descriptor)
        self._loop.remove_writer(descriptor)
        self._out, self.waiting = None, 0
        with contextlib.suppress(SSL.Error, OSError):  # the peer may be gone already: nothing to say goodbye to
            self._conn.shutdown()
        self._sock.close()
        on_end, self.on_end = self.on_end, _ignore_end
        self.on_data, self.on_drain = _ignore, _ignore_end
        on_end()

    async def _until_readable(self) -> None:
        """Wait for bytes. The loop keeps watching afterwards: a handshake waits twice, and each start costs a call."""
        self._waiter = self._loop.create_future()
        if not self._reading:
            self._reading = True
            self._loop.add_reader(self._sock.fileno(), self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        else:  # bytes that nobody waits for yet stay in the kernel
            self._reading = False
            self._loop.remove_reader(self._sock.fileno())

    async def _until_writable(self) -> None:
        writable = asyncio.Event()
        self._loop.add_writer(self._sock.fileno(), writable.set)
        try:
            await writable.wait()
        finally:
            self._loop.remove_writer(self._sock.fileno())


def _ignore(_data: bytes) -> None:
    return


def _ignore_end() -> None:
    return
