"""CSMSs as they come: how their servers answer an upgrade, talk and hang up, and what a station hears of it.

Heads are those of the servers that CSMSs are built on (Jetty, Tomcat, Node's ``ws``, Go, Twisted, proxies in front of
them), written here to the byte; nothing of them runs.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.utils import accept_key

from secproxy.frames import CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, Walker, encode
from secproxy.message_settings import MessageSettings
from secproxy.upstreams import Preset
from tests.secproxy.edge.doors import STATIONS, at_port, door, known, registered, station

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from secproxy.events import Note
    from tests.secproxy.edge.doors import Door

    Serve = Callable[["Csms"], Awaitable[None]]

PARTY = STATIONS.issue("SN-1")
CALL: Final = '[2,"1","ClearCache",{}]'
SPLIT: Final = bytes([TEXT, 12]) + CALL[:12].encode() + encode(PING, b"?") + encode(CONTINUATION, CALL[12:].encode())


@dataclass
class Csms:
    """One connection, as the server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: str = ""
    walker: Walker = field(default_factory=lambda: Walker(masked=True, limit=10_000, fragments=9))
    frames: list[Frame] = field(default_factory=list)

    @property
    def accept(self) -> str:
        """What answers the key of the request."""
        lines = dict(line.split(": ", 1) for line in self.head.split("\r\n")[1:] if line)
        return accept_key(lines["Sec-WebSocket-Key"])

    def say(self, head: str, more: bytes = b"") -> None:
        """Send a head, whose lines are given without their ends, and what comes with it."""
        lines = head.replace("ACCEPT", self.accept).split("\n")
        self.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + more)

    async def hears(self, opcode: int) -> bytes:
        """Wait for a frame of this kind."""
        while not any(frame.opcode == opcode for frame in self.frames):
            data = await self.reader.read(4_096)
            assert data, "the proxy hung up"
            self.frames += self.walker.feed(data)
        return next(frame.payload for frame in self.frames if frame.opcode == opcode)


@contextlib.asynccontextmanager
async def before(folder: Path, serve: Serve, preset: Preset = Preset.PLAIN) -> AsyncIterator[tuple[Door, list[Csms]]]:
    """A door before such a CSMS."""
    came: list[Csms] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        csms = Csms(reader, writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            csms.head = (await reader.readuntil(b"\r\n\r\n")).decode()
            came.append(csms)
            await serve(csms)
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        upstream = replace(at_port(server.sockets[0].getsockname()[1]), preset=preset)
        heard = MessageSettings()  # as they are unless somebody says otherwise
        async with door(folder, known(registered()), upstreams=(upstream,), messages=heard, seconds=60) as at:
            yield at, came


WS: Final = (
    "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: ACCEPT\n"
    "Sec-WebSocket-Protocol: ocpp1.6"
)
TAKEN: Final = {
    "Node's ws": WS,
    "Jetty, as SteVe has it": "HTTP/1.1 101 Switching Protocols\nDate: Sat, 28 Nov 2026 06:00:00 GMT\nVary: Origin\n"
    "Connection: Upgrade\nSec-WebSocket-Accept: ACCEPT\nSec-WebSocket-Protocol: ocpp1.6\nUpgrade: WebSocket",
    "Tomcat, without a reason": "HTTP/1.1 101 \nUpgrade: websocket\nConnection: upgrade\nSec-WebSocket-Accept: ACCEPT\n"
    "Sec-WebSocket-Protocol: ocpp1.6\nDate: Sat, 28 Nov 2026 06:00:00 GMT",
    "no blank after the status": WS.replace("101 Switching Protocols", "101"),
    "another reason": WS.replace("Switching Protocols", "Web Socket Protocol Handshake"),
    "small letters": WS.partition("\n")[0]
    + "\n"
    + WS.partition("\n")[2].lower().replace("accept: accept", "accept: ACCEPT"),
    "no blanks after colons": WS.replace(": ", ":"),
    "a proxy in between": WS.replace("Connection: Upgrade", "Connection: upgrade, keep-alive")
    + '\nServer: nginx\nVia: 1.1 google\nAlt-Svc: h3=":443"; ma=1\nX-Powered-By: Express\nKeep-Alive: timeout=5'
    "\nSet-Cookie: a=b; Path=/; HttpOnly\nSet-Cookie: c=d\nContent-Length: 0\nX-Note: gr\xfc\xdfe",
}


@pytest.mark.parametrize("head", TAKEN.values(), ids=TAKEN)
@pytest.mark.parametrize("together", [True, False])
def test_an_upgrade_is_understood_however_its_server_writes_it(tmp_path: Path, head: str, together: bool) -> None:
    """With the first message in the same packet, in fragments around a ping, and after it, byte for byte."""

    async def serve(csms: Csms) -> None:
        if together:
            csms.say(head, SPLIT)
        else:
            csms.say(head)
            for byte in SPLIT:
                csms.writer.write(bytes([byte]))
                await asyncio.sleep(0)
        assert await csms.hears(PONG) == b"?"
        assert await csms.hears(TEXT) == b'[3,"1",{"status":"Accepted"}]'
        csms.writer.write(encode(CLOSE, b"\x03\xe8"))
        assert await csms.hears(CLOSE) == b"\x03\xe8"

    async def story() -> None:
        async with before(tmp_path, serve) as (at, _), station(tmp_path, at, PARTY) as client:
            assert client.subprotocol == "ocpp1.6"
            assert await client.recv() == CALL
            await client.send('[3,"1",{"status":"Accepted"}]')
            await client.wait_closed()
            assert client.close_code == 1000
            assert at.around.notes.empty()

    asyncio.run(story())


REFUSED: Final = {
    "Node's ws refuses": (
        "HTTP/1.1 401 Unauthorized\nConnection: close\nContent-Type: text/html\nContent-Length: 12\n\nUnauthorized",
        "the CSMS refused the upgrade with status 401",
    ),
    "a page in chunks": (
        "HTTP/1.1 404 Not Found\nTransfer-Encoding: chunked\n\n5\n<html\n0\n",
        "the CSMS refused the upgrade with status 404",
    ),
    "a login": ("HTTP/1.1 302 Found\nLocation: /login", "the CSMS refused the upgrade with status 302"),
    "a page after all": ("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", "the CSMS refused the upgrade with status 200"),
    "an older HTTP": ("HTTP/1.0 503 Service Unavailable", "the CSMS refused the upgrade with status 503"),
    "an upgrade in it": (
        "HTTP/1.0 101 X\nSec-WebSocket-Accept: ACCEPT",
        "the CSMS answered with something that is not HTTP: b'HTTP/1.0 101 X\\r\\nSec-WebSocket-Accept: ",
    ),
    "no version in common": (
        WS.replace("\nSec-WebSocket-Protocol: ocpp1.6", ""),
        "the CSMS speaks none of ocpp2.0.1, ocpp1.6: it chose no subprotocol",
    ),
    "one of its own": (WS.replace("ocpp1.6", "ocpp2.0"), "the CSMS chose subprotocol 'ocpp2.0', which was not offered"),
    "compression, asked or not": (
        WS + "\nSec-WebSocket-Extensions: permessage-deflate",
        "the CSMS answered with the extension 'permessage-deflate', which was not offered",
    ),
    "silence": ("", "the CSMS closed the connection during the upgrade"),
}  # fmt: skip


@pytest.mark.parametrize(("head", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_upgrade_is_told_by_what_it_was(tmp_path: Path, head: str, says: str) -> None:
    """The station is asked to come back, whatever it was; the event says what to put right at the CSMS."""

    async def serve(csms: Csms) -> None:
        if head:
            csms.say(head)

    async def story() -> None:
        async with before(tmp_path, serve) as (at, _):
            with pytest.raises(InvalidStatus) as refused:
                async with station(tmp_path, at, PARTY):
                    pass
            assert refused.value.response.status_code == 503
            assert int(refused.value.response.headers["Retry-After"]) > 0
            note = await at.around.notes.get()
            assert note.cause == "upstream.unreachable"
            assert str(note.evidence["says"]).startswith(says)

    asyncio.run(story())


ASKED: Final = '[2,"7","Heartbeat",null]'
ANSWERED: Final = {
    "ocpp-rpc, ocpp-ts and ocpp-ws-io, whose user returned nothing": '[3,"7",null]',
    "ocpp-eliftech, of an error": '[4,"7","InternalError","boom",null]',
    "ocpp-ts, of an error without a code": '[4,"7",null,"boom",{}]',
    "ocpp-ts, of what does not fit": '[4,"7","FormationViolation","Payload",[{"keyword":"type","dataPath":".type"}]]',
    "no details at all": '[4,"7","NotSupported",""]',
}


@pytest.mark.parametrize("answer", ANSWERED.values(), ids=ANSWERED)
def test_an_answer_arrives_however_its_library_writes_nothing(tmp_path: Path, answer: str) -> None:
    """And so does the call, as ocpp-rpc and ocpp-ts write one without a payload (OCPP-J 4.2)."""

    async def serve(csms: Csms) -> None:
        csms.say(WS)
        assert await csms.hears(TEXT) == ASKED.encode()
        csms.writer.write(encode(TEXT, answer.encode()))
        await csms.hears(CLOSE)

    async def story() -> None:
        async with before(tmp_path, serve) as (at, _), station(tmp_path, at, PARTY) as client:
            await client.send(ASKED)
            assert await client.recv() == answer
            assert {note.cause for note in drained(at.around.notes)} <= {"message.schema"}

    asyncio.run(story())


def drained(notes: asyncio.Queue[Note]) -> list[Note]:
    """The events up to now."""
    return [notes.get_nowait() for _ in range(notes.qsize())]


ENDS: Final = {
    "a code and words": (encode(CLOSE, b"\x0f\xa1later"), 4001, "later"),
    "no code": (encode(CLOSE, b""), 1005, ""),
    "an end of the connection alone": (b"", 1001, "the CSMS hung up"),
    "a goodbye to everybody": (encode(CLOSE, b"\x03\xe9bye"), 1001, "bye"),
}


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize(("end", "code", "reason"), ENDS.values(), ids=ENDS)
def test_the_last_message_arrives_and_then_the_end(
    tmp_path: Path, end: bytes, code: int, reason: str, waits: bool
) -> None:
    """Whether the server waits for the echo of its close, or closes the connection right behind it."""

    async def serve(csms: Csms) -> None:
        csms.say(WS, encode(TEXT, CALL.encode()) + end)
        if waits and end:
            await csms.hears(CLOSE)

    async def story() -> None:
        async with before(tmp_path, serve) as (at, _), station(tmp_path, at, PARTY) as client:
            assert await client.recv() == CALL
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert (client.close_code, client.close_reason) == (code, reason)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("preset", "dialled", "path"),
    [
        (Preset.PLAIN, "/ocpp/CP-001", "/ocpp/CP-001"),
        (Preset.STEVE, "/ocpp/CP-001", "/steve/websocket/CentralSystemService/CP-001"),
        (Preset.CITRINEOS, "/ocpp/CP-001", "/CP-001"),
    ],
)
def test_each_preset_s_csms_finds_what_it_looks_for(tmp_path: Path, preset: Preset, dialled: str, path: str) -> None:
    """Its own path; SteVe the certificate and the scheme in its headers; no extension, and the versions in order."""

    async def serve(csms: Csms) -> None:
        csms.say(WS)
        await csms.reader.read()

    async def story() -> None:
        async with before(tmp_path, serve, preset) as (at, came), station(tmp_path, at, PARTY):
            start, *lines = came[0].head.rstrip().split("\r\n")
            told = dict(line.split(": ", 1) for line in lines)
            assert start == f"GET {path} HTTP/1.1"
            assert ("X-Client-Cert" in told) is (preset is Preset.STEVE)
            assert told["X-Forwarded-Proto"] == "https"
            assert told["Sec-WebSocket-Protocol"] == "ocpp2.0.1, ocpp1.6"
            assert "Sec-WebSocket-Extensions" not in told

    asyncio.run(story())
