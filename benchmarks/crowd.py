"""A crowd of stations in one process, each with a certificate and a WebSocket; told by lines what to do.

Started by the other scripts here. Every line of stdin is one JSON order, every line of stdout its answer:

* ``{"do": "connect", "at_once": 64}``: connect all that are not; again and again until each is in
* ``{"do": "talk", "rate": 1000, "seconds": 5}``: calls in turn, paced; how long answers took, in milliseconds.
  Heartbeats, or, with ``"large": true``, MeterValues of one kilobyte
* ``{"do": "reset"}``: all go at once, without a word
* ``{"do": "count"}``: how many are connected, and how many were lost that were not told to go

Each station has an address of its own in 127.1.0.0/16, as stations have, because what one address may do is bounded.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import statistics
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

if TYPE_CHECKING:
    from collections.abc import Callable

SHAKING, ASKING, OPEN = "shaking", "asking", "open"
RESET = struct.pack("ii", 1, 0)
WANTS = (SSL.WantReadError, SSL.WantWriteError)
UPGRADE = (
    "GET /ocpp/{} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
)

HEARTBEAT = b'[2,"%d","Heartbeat",{}]'
SAMPLE = b'{"value":"21477.3","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unit":"Wh"}'
METER_VALUES = (
    b'[2,"%d","MeterValues",{"connectorId":1,"transactionId":7,"meterValue":[{"timestamp":"2026-01-01T00:00:00Z",'
    b'"sampledValue":[' + b",".join([SAMPLE] * 8) + b"]}]}]"
)


@dataclass(slots=True)
class Station:
    """One of them."""

    number: int
    certificate: x509.Certificate
    conn: SSL.Connection | None = None
    sock: socket.socket | None = None
    state: str = ""
    said_at: float = 0.0


class Crowd:
    """All of them, on one epoll."""

    def __init__(self, port: int, papers: Path, first: int, count: int, *, classic: bool) -> None:
        self.port = port
        key = serialization.load_pem_private_key((papers / "key.pem").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self.key = key
        chains = x509.load_pem_x509_certificates((papers / "stations.pem").read_bytes())
        self.stations = [Station(number, chains[number]) for number in range(first, first + count)]
        self.context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self.context.set_mode(16)  # SSL_MODE_RELEASE_BUFFERS
        if classic:
            self.context.set_tmp_ecdh(ec.SECP256R1())
        self.context.load_verify_locations(str(papers / "root.pem"))
        self.context.set_verify(SSL.VERIFY_PEER, lambda *told: bool(told[-1]))
        self.epoll, self.by_descriptor = select.epoll(), dict[int, Station]()
        self.lost = self.open = self.refused = 0
        self.took: list[float] = []
        self.away = deque(self.stations)

    def start(self, station: Station) -> None:
        """Connect, and begin the handshake."""
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = station.number + 257
        sock.bind((f"127.1.{number >> 8}.{number & 255}", 0))
        sock.connect_ex(("127.0.0.1", self.port))
        conn = SSL.Connection(self.context, sock)
        conn.use_certificate(station.certificate)
        conn.use_privatekey(self.key)
        conn.set_connect_state()
        conn.set_tlsext_host_name(b"localhost")
        station.sock, station.conn, station.state = sock, conn, SHAKING
        self.by_descriptor[sock.fileno()] = station
        self.epoll.register(sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def end(self, station: Station, *, reset: bool = False) -> None:
        """Let a connection go."""
        assert station.sock is not None
        self.open -= station.state == OPEN
        del self.by_descriptor[station.sock.fileno()]
        if reset:
            station.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        station.sock.close()
        station.sock = station.conn = None
        self.away.append(station)
        station.state, station.said_at = "", 0.0

    def pump(self, seconds: float) -> None:
        """Do what there is to do."""
        for descriptor, _ in self.epoll.poll(seconds, 256):
            station = self.by_descriptor.get(descriptor)
            if station is not None:
                try:
                    self.step(station)
                except WANTS:
                    pass
                except (SSL.Error, OSError):
                    self.lost += station.state == OPEN
                    self.refused += station.state != OPEN
                    self.end(station)

    def step(self, station: Station) -> None:
        """One station has something to read, or can write."""
        conn, sock = station.conn, station.sock
        assert conn is not None
        assert sock is not None
        if station.state == SHAKING:
            conn.do_handshake()
            self.epoll.modify(sock.fileno(), select.EPOLLIN)
            station.state = ASKING
            conn.send(UPGRADE.format(f"CP-{station.number}").encode())
        data = conn.recv(16_384)
        if station.state == ASKING:
            if b" 101 " not in data[:20]:
                raise ConnectionError
            station.state = OPEN
            self.open += 1
        elif data[0] == 0x81 and station.said_at:
            self.took.append(time.perf_counter() - station.said_at)
            station.said_at = 0.0
        elif data[0] == 0x88:
            raise ConnectionError

    def connect(self, at_once: int, patience: float = 600.0) -> dict[str, object]:
        """Connect until all are in, so many on the way at once; who is refused comes again."""
        began, self.refused = time.perf_counter(), 0
        while self.open < len(self.stations) and time.perf_counter() - began < patience:
            while self.away and len(self.by_descriptor) - self.open < at_once:
                self.start(self.away.popleft())
            self.pump(0.05)
        return {"open": self.open, "refused": self.refused, "seconds": time.perf_counter() - began}

    def talk(self, rate: float, seconds: float, *, large: bool = False) -> dict[str, object]:
        """Calls in turn, so many a second in all."""
        self.took, turn, skipped = [], 0, 0
        began = due = time.perf_counter()
        while (now := time.perf_counter()) < began + seconds:
            while due <= now:
                due += 1 / rate
                station = self.stations[turn % len(self.stations)]
                turn += 1
                if station.state != OPEN or station.said_at:
                    skipped += 1
                    continue
                self.say(station, METER_VALUES % turn if large else HEARTBEAT % turn)
            self.pump(max(0.0, min(due - time.perf_counter(), 0.01)))
        late = time.perf_counter() + 10
        while any(station.said_at for station in self.stations) and time.perf_counter() < late:
            self.pump(0.05)
        unanswered = sum(bool(station.said_at) for station in self.stations)
        cuts = [took * 1000 for took in statistics.quantiles(self.took, n=1000)]
        return {
            "p50": cuts[499],
            "p99": cuts[989],
            "count": len(self.took),
            "skipped": skipped,
            "unanswered": unanswered,
        }

    def say(self, station: Station, message: bytes) -> None:
        """One call, masked with zeros: what a mask is for is no matter here."""
        length = len(message)
        head = bytes([0x80 | length]) if length < 126 else b"\xfe" + length.to_bytes(2)
        station.said_at = time.perf_counter()
        assert station.conn is not None
        station.conn.send(b"\x81" + head + bytes(4) + message)

    def reset(self) -> dict[str, object]:
        """All go at once, as when a mobile network fails."""
        for station in self.stations:
            if station.state:
                self.end(station, reset=True)
        return {"open": self.open}


def main() -> None:
    """Do what each line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("port", "first", "count"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--papers", type=Path, required=True)
    parser.add_argument("--gives-way", action="store_true", help="to whatever else runs on this machine")
    parser.add_argument("--classic", action="store_true", help="offer P-256 alone, as stations without ML-KEM do")
    given = parser.parse_args()
    if given.gives_way:
        os.nice(19)
    crowd = Crowd(given.port, given.papers, given.first, given.count, classic=given.classic)
    acts: dict[str, Callable[..., dict[str, object]]]
    acts = {"connect": crowd.connect, "talk": crowd.talk, "reset": crowd.reset}
    os.set_blocking(0, False)
    stdin = select.epoll()
    stdin.register(0, select.EPOLLIN)
    while True:
        if not stdin.poll(0):
            crowd.pump(0.01)
            continue
        line = sys.stdin.readline()
        if not line:
            return
        order = json.loads(line)
        act = acts.get(order.pop("do"))
        said = act(**order) if act else {}
        print(json.dumps({**said, "connected": crowd.open, "lost": crowd.lost}), flush=True)


if __name__ == "__main__":
    main()
