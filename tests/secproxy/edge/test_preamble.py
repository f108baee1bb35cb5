"""Who is calling, as a load balancer says it: read whole, in time, and not a byte more."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_network

import pytest

from secproxy.edge.preamble import read_caller
from secproxy.proxy_protocol import LOCAL, Caller, PreambleError, write

BALANCERS = (ip_network("127.0.0.1/32"),)
HEADER = write(("192.0.2.7", 40_000), ("127.0.0.1", 8_443), Caller("TLSv1.3", "CP-001"))
PEER = ("127.0.0.1", 5)


def told(*pieces: bytes, peer: tuple[str, int] = PEER, seconds: float = 5.0) -> tuple[tuple[str, int], bytes]:
    """Who is calling, when these pieces come one after the other, and what is left for TLS; an empty one is an end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    async def say() -> None:
        for piece in pieces:
            if piece:
                theirs.sendall(piece)
                await asyncio.sleep(0)
            else:
                theirs.shutdown(socket.SHUT_WR)

    async def story() -> tuple[tuple[str, int], bytes]:
        found, _ = await asyncio.gather(read_caller(ours, peer, BALANCERS, seconds), say())
        return found, await asyncio.get_running_loop().sock_recv(ours, 99)

    with ours, theirs:
        return asyncio.run(story())


@pytest.mark.parametrize("pieces", [(HEADER + b"tls",), tuple(bytes((byte,)) for byte in HEADER + b"tls")])
def test_the_caller_is_read_and_what_follows_is_left_for_tls(pieces: tuple[bytes, ...]) -> None:
    """At once, or byte by byte."""
    caller, rest = told(*pieces)
    assert caller == ("192.0.2.7", 40_000)
    assert b"tls".startswith(rest)


def test_a_call_of_the_load_balancer_itself_is_its_own() -> None:
    """As its health checks are."""
    assert told(LOCAL + b"tls")[0] == PEER


@pytest.mark.parametrize(
    ("pieces", "peer", "says"),
    [
        pytest.param((HEADER,), ("192.0.2.1", 5), "none of the load balancers", id="a stranger"),
        pytest.param((b"\x16\x03\x01" + bytes(30),), PEER, "no header", id="TLS at once"),
        pytest.param((HEADER[:20], b""), PEER, "ends too early", id="an end"),
        pytest.param((HEADER[:20],), PEER, "within 0.1 s", id="silence"),
    ],
)
def test_anything_else_is_refused(pieces: tuple[bytes, ...], peer: tuple[str, int], says: str) -> None:
    """A stranger is not even read, and nobody is waited for long."""
    with pytest.raises(PreambleError, match=says):
        told(*pieces, peer=peer, seconds=0.1)
