"""Reads, before anything else of a connection, who a load balancer says is calling; no byte beyond that is taken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from secproxy.proxy_protocol import PREFIX, PreambleError, is_spoken_by, read_prefix, read_source

if TYPE_CHECKING:
    import socket

    from pki.tables import Network
    from secproxy.proxy_protocol import Address


async def read_caller(sock: socket.socket, peer: Address, proxies: tuple[Network, ...], seconds: float) -> Address:
    """Return the address of who is calling: ``peer`` itself when the load balancer calls for itself.

    The socket does not block. Raises ``PreambleError`` when the peer is none of ``proxies``, says nothing proper, or
    not in time.
    """
    if not is_spoken_by(peer[0], proxies):
        raise PreambleError("the peer is none of the load balancers in proxy_protocol")
    try:
        async with asyncio.timeout(seconds):
            prefix = await _exactly(sock, PREFIX)
            source = read_source(prefix, await _exactly(sock, read_prefix(prefix)))
    except TimeoutError:
        raise PreambleError(f"no header within {seconds:g} s") from None
    except OSError as gone:
        raise PreambleError(f"the connection broke: {gone.strerror or gone}") from None
    return peer if source is None else source


async def _exactly(sock: socket.socket, size: int) -> bytes:
    got, loop = b"", asyncio.get_running_loop()
    while len(got) < size:
        more = await loop.sock_recv(sock, size - len(got))
        if not more:
            raise PreambleError("it ends too early")
        got += more
    return got
