"""How much memory does a worker hold after it was attacked in every way that its stories know?

A whole installation; some hundred stations connect, talk and leave, which is the measure of before. Then strangers, and
a station with a certificate, do their worst again and again: silence, rubbish, giant and endless heads, frames that
break every rule, floods of pings and of messages that must be thought about, resets. Checked: afterwards the workers
hold at most a fifth more than before, and stations are served as ever.

    python benchmarks/besieged.py [--rounds 50] [--stations 200] [--workers 1]
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import ssl
import struct
import time
from typing import TYPE_CHECKING

from proxied import installation, verdict

from secproxy.frames import BINARY, CLOSE, PING, PONG, TEXT, encode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MASK = b"\x11\x22\x33\x44"
UPGRADE = (
    b"GET /ocpp/CP-%d HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
)
ATTEMPTS_SECONDS = 3.0  # for one attacker to be shown out; who is not is left standing
RAW = [b"", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 40, b"\x16\x03\x01\x02\x00\x01", b"\xff" * 20_000]
HEADS = [b"GET / HTTP/1.1\r\nX: " + b"x" * 9_000, UPGRADE.replace(b"GET", b"PUT"), b"X: y\r\n" * 2_000, UPGRADE[:-2],
         UPGRADE.replace(b"CP-%d", b"..%%2f%d")]  # fmt: skip
FRAMES = [
    encode(BINARY, b"x", MASK), encode(TEXT, b"x"), b"\xc1\x80" + MASK, b"\x81\xff" + (1 << 60).to_bytes(8) + MASK,
    encode(TEXT, b"\xc3\x28", MASK), encode(PING, b"x" * 125, MASK) * 200, encode(PONG, b"", MASK) * 200,
    b"\x01\x80" + MASK + (b"\x00\x80" + MASK) * 500, b"\x01\xfe\xff\x00" + MASK + b"x" * 65_280,
    encode(TEXT, b"[" * 60_000, MASK), encode(TEXT, b'[2,"1","' + b"A" * 60_000 + b'",{}]', MASK),
    encode(TEXT, b'[3,"nobody asked",{}]', MASK) * 300, encode(CLOSE, b"\x03", MASK), encode(TEXT, b"[2", MASK)[:5],
    b"".join(encode(TEXT, b'[2,"%d","Heartbeat",{}]' % n, MASK) for n in range(500)),
    b"".join(encode(TEXT, b'[2,"%d","StopTransaction",{"transactionId":%d}]' % (n, n), MASK) for n in range(500)),
]  # fmt: skip


class Attacker:
    """Whoever dials; with the certificate of one station, or with none."""

    def __init__(self, folder: Path, port: int, number: int) -> None:
        self._port, self._number = port, number
        pems = (folder / "stations.pem").read_text().split("-----BEGIN")[1:]
        papers = folder / f"attacker-{number}.pem"
        papers.write_text((folder / "key.pem").read_text() + "-----BEGIN" + pems[number])
        self._context = ssl.create_default_context(cafile=folder / "root.pem")
        self._context.load_cert_chain(papers)
        self.upgrade = UPGRADE % number

    def dial(self, *, tls: bool) -> socket.socket:
        """Connect from an address of its own."""
        line = socket.create_connection(("127.0.0.1", self._port), ATTEMPTS_SECONDS, (f"127.2.0.{self._number + 1}", 0))
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._context.wrap_socket(line, server_hostname="localhost") if tls else line

    def says(self, data: bytes, *, tls: bool, opened: bool = False, reset: bool = False) -> None:
        """Say this, raw, within TLS, or on an open WebSocket; then go, with a reset or after reading to the end."""
        with contextlib.suppress(OSError), self.dial(tls=tls) as line:
            if opened:
                line.sendall(self.upgrade)
                if b" 101 " not in line.recv(4_096):
                    return
            line.sendall(data)
            if reset:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            line.settimeout(0.2)
            while line.recv(65_536):
                pass

    def does_its_worst(self, turn: int) -> None:
        """Every attack once; every second time it goes with a reset."""
        reset = bool(turn % 2)
        for data in RAW:
            self.says(data, tls=False, reset=reset)
        for head in HEADS:
            self.says(head % self._number if b"%d" in head else head, tls=True, reset=reset)
        for frames in FRAMES:
            self.says(frames, tls=True, opened=True, reset=reset)


def settled(look: Callable[[], int]) -> int:
    """Memory once it has not shrunk for a while."""
    least = look()
    for _ in range(8):
        time.sleep(1)
        least = min(least, look())
    return least


def main() -> None:
    """Attack, measure, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--stations", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    with installation(given.stations + 1, given.workers) as here:
        crowd = here.crowd(1, given.stations)
        for _ in range(2):
            crowd.does("connect", at_once=16)
            crowd.does("talk", rate=200, seconds=3)
            crowd.does("reset")
        before = settled(here.kib)
        attacker = Attacker(here.folder, here.port, 0)
        for turn in range(given.rounds):
            attacker.does_its_worst(turn)
        after = settled(here.kib)
        back = crowd.does("connect", at_once=16)
        said = crowd.does("talk", rate=200, seconds=3)
    attacks = given.rounds * (len(RAW) + len(HEADS) + len(FRAMES))
    print(
        f"{before / 1024:.1f} MiB before, {after / 1024:.1f} MiB after {attacks} attacks: {after / before:.2f} times it"
    )
    verdict(
        at_most_a_fifth_more=after <= 1.2 * before,
        stations_are_served_as_ever=back["open"] == given.stations and said["unanswered"] == 0,
    )


if __name__ == "__main__":
    main()
