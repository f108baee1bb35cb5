"""The first corpus of what stations and a CSMS put on the wire: frames, heads, messages and targets, good and bent."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from secproxy.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK = b"\x01\x02\x03\x04"
MASKED, CUT = 1, 2
"""Bits of a stream's first byte: it comes from a client; it is read in pieces as well, of the length in the second."""

UPGRADE = (
    b"GET /ocpp/CP-001 HTTP/1.1\r\nHost: csms.example.org\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: ocpp2.0.1, ocpp1.6\r\nAuthorization: Basic QTpC\r\n\r\n"
)


def raw(first: int, payload: bytes, mask: bytes = MASK) -> bytes:
    """A frame with any first byte, final or not, known or not."""
    return bytes([first]) + encode(TEXT, payload, mask)[1:]


def streams() -> Iterator[bytes]:
    """What one side of a connection sends, behind two bytes that say how it is read."""
    pieces = [
        raw(0x80 | TEXT, b'[2,"1","Heartbeat",{}]') * 2,
        raw(TEXT, b"[2,") + raw(0x80 | PING, b"?") + raw(CONTINUATION, b"\xc3") + raw(0x80, b"\xa9]"),
        raw(0x80 | TEXT, "é€😀".encode()),
        raw(0x80 | TEXT, b"x" * 130),
        raw(0x80 | BINARY, b"x"),
        raw(0x80 | PONG, b""),
        raw(0x80 | CLOSE, b"\x03\xe8bye") + raw(0x80 | TEXT, b"more"),
        raw(0x80 | CLOSE, b"\x03\xed"),
        raw(0x80 | CLOSE, b"\x0b\xb8\xff"),
        raw(0x80 | TEXT | 0x40, b"x"),
        b"\x81\xff" + (1 << 63).to_bytes(8) + MASK,
        b"\x89\xfe\x00\x02" + MASK + b"ab",
        raw(0x83, b"x"),
        raw(TEXT, b"") + raw(CONTINUATION, b"") * 5,
    ]
    for number, piece in enumerate(pieces):
        yield bytes([MASKED | CUT * (number % 2), number]) + piece
    yield bytes([CUT, 3]) + encode(TEXT, b'[3,"1",{}]') + encode(PING, b"") + encode(TEXT, b"x" * 200)


def heads() -> Iterator[bytes]:
    """Heads of upgrades, as they are and with one thing wrong."""
    yield UPGRADE
    for old, new in (
        (b"Host: csms.example.org\r\n", b""),
        (b"keep-alive, Upgrade", b"upgrade , ;"),
        (b"GET", b"PUT"),
        (b"\r\nHost", b"\r\nContent-Length: 0\r\nHost"),
        (b"\r\nHost", b"\r\nTransfer-Encoding: chunked\r\nHost"),
        (b"\r\nHost", b"\r\nX: a\r\n folded\r\nHost"),
        (b"\r\nHost", b"\r\nX: a\nY: b\r\nHost"),
        (b"\r\nHost", b"\r\nOrigin: a\r\nOrigin: b\r\nHost"),
        (b"ocpp2.0.1, ocpp1.6", b",ocpp2.0.1,,ocpp1.6 ,"),
        (b"websocket", b"WebSocket, h2c"),
        (b"/ocpp/CP-001", b"http://x/ocpp/CP-001?a#b"),
        (b"Basic QTpC", b"Basic \xff\t"),
    ):
        yield UPGRADE.replace(old, new, 1)


def messages() -> Iterator[bytes]:
    """OCPP-J messages of every type, and near misses."""
    for text in (
        '[2,"1","Heartbeat",{}]',
        ' [ 3 ,\t"1" ,\r\n{ "a" : [ 1.5 , null, true ] } ] \n',
        '[4,"1","InternalError","x",{"é":"\\u00e9\\ud83d\\ude00"}]',
        '[5,"1","InternalError","",{}]',
        '[2,"1","Heartbeat",null]',
        '[3,"1",null]',
        '[4,"1",null,"boom",[{"keyword":"type"}]]',
        '[4,"1","InternalError"]',
        '[6,"1","NotifyPeriodicEventStream",{}]',
        '[2,"\\u0031","Boot\\u004eotification",{"a":1,"a":2}]',
        '[2,"1","A",{"a":9223372036854775808}]',
        '[2,"1","A",{"a":[1e999,NaN,-Infinity,-0,1E-400]}]',
        '[2,"1","A",{"a":"\\ud800"}]',
        '[2,"1","A",{"a":' + "[" * 33 + "]" * 33 + "}]",
        '[2,"1","A",{},{}]',
        '[2.0,"1","A",{}]',
        '\ufeff[2,"1","A",{}]',
    ):
        yield text.encode()


def targets() -> Iterator[bytes]:
    """Request targets, plain and tricky."""
    for target in (
        "/CP-001", "/ocpp/CP%2D001", "/a/b%20c/A|B", "/ocpp/A%7CB", "/ocpp/%2e%2E/CP-001", "/ocpp/CP%2500", "/ocpp/..",
        "//x/CP-001", "/ocpp/CP-001?x=1#y", "/ocpp/%2F/CP", "/ocpp/%5C/CP", "/a;b=c/CP*=:@+", "/ocpp/%C3%87P", "*",
    ):  # fmt: skip
        yield target.encode()


def kept(fuzzer: str) -> Iterator[bytes]:
    """What earlier runs of a fuzzer found worth keeping: one input for each new way through the code."""
    for line in (Path(__file__).parent / "corpus" / f"{fuzzer}.txt").read_text().splitlines():
        yield base64.b64decode(line)
