"""The web process' door: TLS by the same engine as for stations, and uvicorn's HTTP behind it.

* A client may show a certificate and need not. It proves in the handshake that it holds the key, and nothing else is
  decided here: whom it is trusted for is the authority's judgement (``pki.enrolment``), so an expired or strange
  certificate costs nobody a firmware download.
* What it showed travels with each request as ASGI's extension "tls" has it.
* A goodbye is said so that the last answer arrives even while the client still sends.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final, cast

from OpenSSL import SSL

from pki.station import SecurityProfile
from secproxy.config import Limits, ListenerConfig
from secproxy.edge.listener import Doorway, Listener, Slots
from secproxy.edge.tls import TlsLeg
from secproxy.edge.tls_context import CHAIN_DEPTH, server_context
from secproxy.edge.tls_failure import HandshakeError

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, MutableMapping

    from pki.edge.calls import Credentials

    Scope = MutableMapping[str, object]
    Application = Callable[[Scope, object, object], Awaitable[None]]

HIGH_WATER: Final = 256 * 1024  # bytes that may wait for a slow client before the answer pauses; one block of an image


def web_context(
    credentials: Credentials, *, asks: bool, staple: Callable[[bytes], bytes] = lambda _: b""
) -> SSL.Context:
    """Make the door's TLS; ``asks`` says whether clients are asked for a certificate, which they may leave out."""
    context = server_context(credentials, (), mutual=False, staple=staple)
    if asks:
        context.set_verify_depth(CHAIN_DEPTH)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)  # judged by the authority, request by request
    return context


class WebDoor:
    """Listens, shakes hands, and gives each connection an HTTP protocol of its own; uvicorn takes it for a server."""

    def __init__(
        self,
        host: str,
        port: int,
        context: SSL.Context,
        make: Callable[[], asyncio.Protocol],
        handed: socket.socket | None = None,
    ) -> None:
        limits = Limits()
        self._seconds = limits.handshake_seconds
        self._slots = Slots(limits.handshakes_at_once)
        self._make = make
        self._farewells: set[asyncio.Task[None]] = set()
        doorway = Doorway(limits.arrivals_of_one, limits.arrivals_queued, lambda _address: None)
        config = ListenerConfig(host, port, SecurityProfile.TLS_BASIC)
        sockets = {0: handed} if handed else None
        self._listener = Listener(config, context, self._slots, doorway, self._arrive, sockets=sockets)

    @property
    def port(self) -> int:
        """The port in use, also when the system chose it."""
        return self._listener.port

    def present(self, context: SSL.Context) -> None:
        """Use other certificates for connections from now on."""
        self._listener.context = context

    def close(self) -> None:
        """Accept no more; whoever shakes hands may finish."""
        self._listener.shut()

    async def wait_closed(self) -> None:
        """Wait until the last goodbye was said, and nobody shakes hands; each has its own bound."""
        try:
            await self._listener.emptied()
        finally:
            self._listener.close()
        await asyncio.gather(*self._farewells, return_exceptions=True)

    async def _arrive(self, listener: Listener, sock: socket.socket, remote: str) -> None:
        names = sock.getpeername()[:2], sock.getsockname()[:2]
        leg = TlsLeg(asyncio.get_running_loop(), sock, listener.context, remote)
        try:
            await self._shake_hands(leg)
        except (HandshakeError, TimeoutError):
            await leg.farewell(b"")
        except BaseException:
            leg.abort()
            raise
        else:
            TlsTransport(leg, self._make(), names, self._see_off)

    async def _shake_hands(self, leg: TlsLeg) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await leg.handshake()
        finally:
            self._slots.give()

    def _see_off(self, leg: TlsLeg) -> None:
        farewell = asyncio.ensure_future(leg.linger())
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)


class TlsTransport(asyncio.Transport):
    """A station's TLS connection as asyncio's protocols know one."""

    def __init__(
        self,
        leg: TlsLeg,
        protocol: asyncio.Protocol,
        names: tuple[object, object],
        see_off: Callable[[TlsLeg], None],
    ) -> None:
        super().__init__({"peername": names[0], "sockname": names[1], "sslcontext": True})
        self._leg = leg
        self._protocol = protocol
        self._see_off = see_off
        self._closing = self._waits = False
        protocol.connection_made(self)
        leg.attach(protocol.data_received, self._lost, self._drained)

    def shown(self) -> tuple[bytes, ...]:
        """The certificates that the client showed, DER, leaf first; it holds the leaf's key."""
        return self._leg.shown_chain()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Part of asyncio's transport."""
        self._leg.write(bytes(data))
        if self._leg.waiting > HIGH_WATER and not self._waits:
            self._waits = True
            self._protocol.pause_writing()

    def close(self) -> None:
        """Part of asyncio's transport."""
        if self._closing:
            return
        self._closing = True
        if self._leg.waiting:
            self._leg.close()
        else:
            self._leg.pause()  # what is still on its way here is for nobody any more
            self._see_off(self._leg)
            self._lost()

    def abort(self) -> None:
        """Part of asyncio's transport."""
        self._leg.abort()
        self._lost()

    def is_closing(self) -> bool:
        """Part of asyncio's transport."""
        return self._closing

    def pause_reading(self) -> None:
        """Part of asyncio's transport."""
        self._leg.pause()

    def resume_reading(self) -> None:
        """Part of asyncio's transport."""
        if not self._closing:
            self._leg.resume()

    def _drained(self) -> None:
        if self._waits:
            self._waits = False
            self._protocol.resume_writing()

    def _lost(self) -> None:
        """Told once, and not from within a call of the protocol's own."""
        protocol, self._protocol, self._closing = self._protocol, asyncio.Protocol(), True
        asyncio.get_running_loop().call_soon(protocol.connection_lost, None)


def showing(application: Application, shown: tuple[bytes, ...]) -> Application:
    """Wrap an application so that each request tells what its client showed (ASGI, extension "tls")."""
    chain = tuple(ssl.DER_cert_to_PEM_cert(der) for der in shown)

    async def with_chain(scope: Scope, receive: object, send: object) -> None:
        extensions = cast("MutableMapping[str, object]", scope.setdefault("extensions", {}))
        extensions["tls"] = {"client_cert_chain": chain}
        await application(scope, receive, send)

    return with_chain
