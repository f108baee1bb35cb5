"""The TLS side of a station's connection, over real sockets, against clients of another TLS library."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from typing import TYPE_CHECKING

import uvloop

from secproxy.edge.turns import Turns
from tests.secproxy.edge.legs import STATION, STATIONS, client_context, connect, der, meet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from secproxy.edge.tls import TlsLeg


def test_a_station_with_a_certificate_of_ours_is_heard_and_answered(tmp_path: Path) -> None:
    """Handshake, head, verified chain, and an answer that arrives before the close."""
    heard: list[bytes] = []

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        assert await leg.read_head(b"\r\n\r\n", 100) == b"GET / HTTP/1.1\r\n\r\n"
        assert leg.verified_chain() == (der(STATION.certificate), der(STATIONS.certificate))
        assert (leg.version, bool(leg.cipher)) == ("TLSv1.3", True)
        await leg.farewell(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    asyncio.run(meet(serve, connect(client_context(tmp_path, STATION), b"GET / HTTP/1.1\r\n\r\n", heard)))

    assert heard == [b"TLSv1.3", b"HTTP/1.1 403 Forbidden\r\n\r\n"]


def test_more_than_the_socket_takes_is_kept_and_arrives_whole(tmp_path: Path) -> None:
    """A slow reader gets every byte, in order; ``on_drain`` says when."""
    heard: list[bytes] = []
    payload = bytes(range(256)) * 40_000
    read_on = threading.Event()
    context = client_context(tmp_path, STATION)

    def visit(port: int) -> None:
        with (
            socket.create_connection(("127.0.0.1", port), 10) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as tls,
        ):
            read_on.wait(10)
            while data := tls.recv(65_536):
                heard.append(data)

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        drained = asyncio.Event()
        leg.attach(lambda _: None, lambda: None, drained.set)
        leg.write(payload[: len(payload) // 2])
        leg.write(payload[len(payload) // 2 :])
        assert leg.waiting > 0
        read_on.set()
        await drained.wait()
        assert leg.waiting == 0
        leg.close()

    asyncio.run(meet(serve, visit))

    assert payload == b"".join(heard)


def test_a_paused_leg_reads_nothing_until_resumed(tmp_path: Path) -> None:
    """Back-pressure: what comes while paused waits in the kernel and is not lost."""

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        got, whole = bytearray(), asyncio.Event()

        def take(data: bytes) -> None:
            got.extend(data)
            if len(got) == 100_000:
                whole.set()

        leg.attach(take, lambda: None, lambda: None)
        leg.pause()
        await asyncio.sleep(0)
        assert got == b""
        leg.resume()
        await whole.wait()
        leg.close()

    asyncio.run(meet(serve, connect(client_context(tmp_path, STATION), b"x" * 100_000, [])))


def test_a_peer_that_resets_before_the_leg_is_handed_over_is_an_end(tmp_path: Path) -> None:
    """Uvloop gives up its own watch then, which must not become an error of ours."""
    context, gone = client_context(tmp_path, STATION), threading.Event()

    def visit(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), 10) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as tls:
                tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.set()

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake()
        await asyncio.to_thread(gone.wait, 10)
        await asyncio.sleep(0.05)  # until the loop has seen it; where it has not, the end is found in another way
        ended = asyncio.Event()
        leg.attach(lambda _: None, ended.set, lambda: None)
        await asyncio.wait_for(ended.wait(), 10)

    uvloop.run(meet(serve, visit))


def test_a_peer_that_hung_up_is_gone_at_once_and_its_end_has_a_turn_of_its_own(tmp_path: Path) -> None:
    """Thousands may hang up at one moment; nothing is said to any of them in between, and each ends once."""

    class Late(Turns):
        def call(self, work: Callable[[], None]) -> None:
            late.put_nowait(work)

    late: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
    ends: list[str] = []

    async def serve(leg: TlsLeg) -> None:
        await leg.handshake(Late(asyncio.get_running_loop()))
        leg.attach(lambda _: None, lambda: ends.append("end"), lambda: None)
        assert not leg.gone
        end = await late.get()
        assert (leg.gone, ends) == (True, [])
        leg.write(b"who hears it?")
        leg.pause()
        leg.resume()
        leg.close()
        assert (leg.waiting, ends) == (0, [])
        end()
        end()
        assert ends == ["end"]

    def visit(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), 10) as raw:
            client_context(tmp_path, STATION).wrap_socket(raw, server_hostname="localhost").close()

    asyncio.run(meet(serve, visit))
