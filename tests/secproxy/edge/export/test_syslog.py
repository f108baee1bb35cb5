"""Syslog over real sockets: framing, what counts as taken, and what comes again."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from secproxy.edge.export import syslog as module
from secproxy.edge.export.syslog import DatagramWay, StreamWay
from secproxy.event_settings import Sink, Wanted
from secproxy.export.rfc5424 import frame, write
from tests.certs import Party
from tests.secproxy.edge.export.scene import until
from tests.secproxy.export.samples import ORIGIN, SAMPLE, SIX
from tests.worlds import free_port

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

FIRST, SECOND = (frame(write(event, ORIGIN)) for event in (SAMPLE, SIX))


def sink(kind: str, port: int, **more: str) -> Sink:
    """A collector on this host."""
    host = "localhost" if kind == "syslog-tls" else "127.0.0.1"
    return Sink("s", kind, Wanted(), "rfc5424", host=host, port=port, tls=kind == "syslog-tls", **more)  # type: ignore[arg-type]  # only texts are given


class Collector:
    """A TCP server that keeps what it is sent, by connection."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.news = asyncio.Condition()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.heard)
        self.heard.append(b"")
        self.writers.append(writer)
        while part := await reader.read(65_536):
            async with self.news:
                self.heard[number] += part
                self.news.notify_all()
        writer.close()

    async def has(self, *heard: bytes) -> None:
        """Wait until the connections brought exactly this."""
        async with asyncio.timeout(10), self.news:
            await self.news.wait_for(lambda: self.heard == list(heard))


def with_collector(story: Callable[[Collector, int], Awaitable[None]], context: ssl.SSLContext | None = None) -> None:
    """Run a story with a collector beside it."""

    async def run() -> None:
        collector = Collector()
        server = await asyncio.start_server(collector, "127.0.0.1", 0, ssl=context)
        async with server:
            await story(collector, server.sockets[0].getsockname()[1])
            for writer in collector.writers:
                writer.transport.abort()

    asyncio.run(run())


def test_datagrams_are_whole_messages_without_a_frame() -> None:
    """RFC 5426 3.1: one message each."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(10)
        asyncio.run(DatagramWay(sink("syslog-udp", collector.getsockname()[1]), ORIGIN).send([SAMPLE, SIX]))
        assert [collector.recv(65_536) for _ in range(2)] == [write(SAMPLE, ORIGIN), write(SIX, ORIGIN)]


def test_where_nobody_listens_for_datagrams_nothing_counts_as_sent() -> None:
    """The host says so, if a moment later."""
    way = DatagramWay(sink("syslog-udp", free_port()), ORIGIN)
    with pytest.raises(OSError, match=r"nobody listens|refused"):
        asyncio.run(way.send([SAMPLE]))


def test_one_connection_is_kept_for_all_batches() -> None:
    """Each message with the count of its octets before it."""

    async def story(collector: Collector, port: int) -> None:
        way = StreamWay(sink("syslog-tcp", port), ORIGIN)
        await way.send([SAMPLE])
        await way.send([SIX, SAMPLE])
        await collector.has(FIRST + SECOND + FIRST)
        await way.close()

    with_collector(story)


def test_after_a_broken_connection_the_last_batch_comes_again() -> None:
    """Whoever read it may have died with it; the batch before was on the disk of a collector that went on reading."""

    async def story(collector: Collector, port: int) -> None:
        way = StreamWay(sink("syslog-tcp", port), ORIGIN)
        await way.send([SAMPLE])
        await way.send([SIX])
        await collector.has(FIRST + SECOND)
        collector.writers[0].transport.abort()
        line = way._line
        assert line is not None
        await until(lambda: module._is_broken(*line))
        await way.send([SAMPLE])
        await collector.has(FIRST + SECOND, SECOND + FIRST)
        await way.close()

    with_collector(story)


@pytest.mark.parametrize("events", [100, 20_000])
def test_a_collector_that_reads_nothing_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch, events: int) -> None:
    """Its kernel takes bytes until its buffer is full; then nothing counts as sent, even if our kernel took it all."""
    monkeypatch.setattr(module, "DEADLINE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        way = StreamWay(sink("syslog-tcp", deaf.getsockname()[1]), ORIGIN)
        with pytest.raises(TimeoutError):
            asyncio.run(way.send([SAMPLE] * events))


def test_nobody_there_is_an_error_of_the_network() -> None:
    """And told as such."""
    with pytest.raises(ConnectionError):
        asyncio.run(StreamWay(sink("syslog-tcp", free_port()), ORIGIN).send([SAMPLE]))


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A collector's TLS, for ``localhost``; ``ca.pem`` is its root."""
    root = Party.root("Collector Root")
    ours = root.issue("localhost", dns="localhost")
    (tmp_path / "ca.pem").write_text(root.pem)
    (tmp_path / "both.pem").write_text(ours.pem + ours.key_pem)
    (tmp_path / "other.pem").write_text(Party.root("Other Root").pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    return context


def test_tls_carries_the_same_frames(tls: ssl.SSLContext, tmp_path: Path) -> None:
    """RFC 5425 4.3, also where a batch takes many records."""

    async def story(collector: Collector, port: int) -> None:
        way = StreamWay(sink("syslog-tls", port, ca_file=str(tmp_path / "ca.pem")), ORIGIN)
        await way.send([SAMPLE])
        await way.send([SIX] * 500)
        await collector.has(FIRST + SECOND * 500)
        await way.close()

    with_collector(story, tls)


def test_a_collector_whose_certificate_is_not_trusted_is_told_nothing(tls: ssl.SSLContext, tmp_path: Path) -> None:
    """Events name stations and addresses: who reads them is verified."""

    async def story(collector: Collector, port: int) -> None:
        way = StreamWay(sink("syslog-tls", port, ca_file=str(tmp_path / "other.pem")), ORIGIN)
        with pytest.raises(ssl.SSLCertVerificationError):
            await way.send([SAMPLE])
        assert b"".join(collector.heard) == b""

    with_collector(story, tls)
