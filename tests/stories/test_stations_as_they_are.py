"""Stations as they come: what their requests, their TLS and their ends look like, and what becomes of each.

What is odd and harmless is taken; what two readers could take for two things, or what the standard leaves no choice in,
is refused with one event that names it.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from pki import password
from secproxy.config import Limits
from secproxy.frames import CLOSE, PING, PONG, TEXT, Walker, encode
from tests.secproxy.edge.doors import STATIONS, csms, door, known, raw_station, registered
from tests.stories.wires import Wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.secproxy.edge.doors import Door

PARTY = STATIONS.issue("SN-1")
MASK: Final = b"\x11\x22\x33\x44"
SECRET: Final = "Kp7tqZ3wYx9RmBc4NsVd"
VERIFIER: Final = password.remember(SECRET, b"s" * 16, generated=True)
CALL: Final = '[2,"1","Heartbeat",{}]'
GOOD: Final = (
    "GET /ocpp/CP-001 HTTP/1.1\nHost: csms.example.org\nUpgrade: websocket\nConnection: Upgrade\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\nSec-WebSocket-Protocol: ocpp1.6\n"
)


def instead(old: str, new: str) -> str:
    """The good head with one thing changed."""
    assert old in GOOD
    return GOOD.replace(old, new)


TAKEN: Final = {
    "as it should be": GOOD,
    "a list without blanks": instead(" ocpp1.6", "ocpp2.0,ocpp1.6"),
    "a list with many": instead("ocpp1.6", "ocpp1.5 ,  ocpp1.6 , ocpp1.2"),
    "a list that ends in a comma": instead("ocpp1.6", "ocpp1.6, "),
    "a list in two lines": instead("ocpp1.6\n", "ocpp1.5\nSec-WebSocket-Protocol: ocpp1.6\n"),
    "a slash at the end": instead("/ocpp/CP-001", "/ocpp/CP-001/"),
    "slashes doubled": instead("/ocpp/CP-001", "//ocpp//CP-001"),
    "an identity in escapes": instead("CP-001", "CP%2D%30%301"),
    "no path above the identity": instead("/ocpp/", "/"),
    "no blanks after colons": GOOD.replace(": ", ":"),
    "blanks and tabs around values": GOOD.replace(": ", ": \t ").replace("\n", "\t \n").replace("1.1\t ", "1.1"),
    "small letters": GOOD.replace("Host", "host").replace("Sec-Web", "sec-web").replace("Upgrade", "upgrade"),
    "capital letters": GOOD.replace("Host", "HOST").replace("Sec-WebSocket-", "SEC-WEBSOCKET-"),
    "a host with its port": instead("csms.example.org", "csms.example.org:8443"),
    "an address for a host": instead("csms.example.org", "[2001:db8::1]:443"),
    "an empty host": instead(" csms.example.org", ""),
    "two options of the connection": instead("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
    "connection in two lines": instead("Connection: Upgrade", "Connection: Upgrade\nConnection: Keep-Alive"),
    "WebSocket with capitals": instead("Upgrade: websocket", "Upgrade: WebSocket"),
    "a browser's headers": GOOD + 'Origin: null\nUser-Agent: x (y; z)\nPragma: no-cache\nCookie: a="b"\nAccept: */*\n',
    "a body of nothing": GOOD + "Content-Length: 0\n",
    "compression offered": GOOD + "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\n",
    "letters of Latin-1 in a value": GOOD + "User-Agent: Ladesäule\n",
    "a password beside the certificate": GOOD + "Authorization: Basic eA==\n",
}  # fmt: skip


async def ask(folder: Path, at: Door, head: str) -> bytes:
    """Send a head as it stands and return the answer's."""
    reader, writer = await raw_station(folder, at, PARTY)
    writer.write(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n")
    answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return answer


@pytest.mark.parametrize("head", TAKEN.values(), ids=TAKEN)
def test_what_is_odd_and_harmless_is_taken(tmp_path: Path, head: str) -> None:
    """One reading is left of it, and the CSMS is asked in that: the same path, the same version, whoever asks."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            answer = await ask(tmp_path, at, head)
            assert answer.startswith(b"HTTP/1.1 101 ")
            assert b"Sec-WebSocket-Protocol: ocpp1.6\r\n" in answer
            assert b"Sec-WebSocket-Extensions" not in answer
            await backend.closed.get()
            [(path, told)] = backend.requests
            assert path == ("/CP-001" if "/ocpp" not in head else "/ocpp/CP-001")
            assert told["Sec-WebSocket-Protocol"] == "ocpp1.6"
            assert {"Origin", "Cookie", "User-Agent", "Authorization"}.isdisjoint(told)
            assert at.around.notes.empty()

    asyncio.run(story())


BAD: Final = "http.bad_request"
REFUSED: Final = {
    # which version is spoken then nobody knows (OCPP-J 3.1.2, TC_B_58)
    "no version": (instead("Sec-WebSocket-Protocol: ocpp1.6\n", ""), 400, "subprotocol.none"),
    "a version in capitals": (instead("ocpp1.6", "OCPP1.6"), 400, "subprotocol.none"),
    # it may be meant for a cache or a proxy that does not know of upgrades (RFC 6455 4.2.1)
    "nothing of an upgrade in the connection": (instead("Connection: Upgrade", "Connection: keep-alive"), 426, BAD),
    "an older WebSocket": (instead("Version: 13", "Version: 8"), 426, BAD),
    "an older HTTP": (instead("HTTP/1.1", "HTTP/1.0"), 400, BAD),
    # of these two readers make two things
    "a query": (instead("CP-001", "CP-001?token=x"), 400, BAD),
    "a whole URL": (instead("/ocpp/CP-001", "wss://csms.example.org/ocpp/CP-001"), 400, BAD),
    "dots on the way": (instead("/ocpp/", "/ocpp/../"), 400, BAD),
    "a slash in escapes": (instead("CP-001", "x%2FCP-001"), 400, BAD),
    "an identity in escapes twice": (instead("CP-001", "CP%252D001"), 400, BAD),
    "a blank before the colon": (instead("Host:", "Host :"), 400, BAD),
    "a folded line": (GOOD + "X: a\n b\n", 400, BAD),
    "two hosts": (GOOD + "Host: other\n", 400, BAD),
    "a body": (GOOD + "Content-Length: 4\n", 400, BAD),
    # the name is another one: identities are compared as they are written (A00.FR.405)
    "an identity in small letters": (instead("CP-001", "cp-001"), 403, "cert.other_station"),
}


@pytest.mark.parametrize(("head", "status", "cause"), REFUSED.values(), ids=REFUSED)
def test_what_could_be_two_things_is_refused_with_one_event(tmp_path: Path, head: str, status: int, cause: str) -> None:
    """The CSMS hears nothing of it."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            answer = await ask(tmp_path, at, head)
            assert answer.startswith(f"HTTP/1.1 {status} ".encode())
            assert await at.around.causes(1) == [cause]
            assert backend.requests == []

    asyncio.run(story())


def basic(user: str, form: str = "Basic {}") -> str:
    """An Authorization header."""
    return "Authorization: " + form.format(base64.b64encode(f"{user}:{SECRET}".encode()).decode()) + "\n"


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        pytest.param(basic("CP-001"), "", id="as it should be"),
        pytest.param(basic("CP-001", "basic {}"), "", id="the scheme in small letters"),
        pytest.param(basic("CP-001", "Basic   {}"), "", id="blanks"),
        pytest.param(basic("CP-001").replace(": ", ":"), "", id="no blank after the colon"),
        pytest.param(basic("cp-001"), "auth.other_station", id="the name in small letters"),
        pytest.param(basic(""), "auth.other_station", id="no name"),
        pytest.param(basic("CP-001", "Bearer {}"), "auth.missing", id="another scheme"),
        pytest.param("", "auth.missing", id="nothing"),
    ],
)
def test_a_password_is_read_as_it_is_sent_and_its_name_as_it_is_written(tmp_path: Path, line: str, cause: str) -> None:
    """A00.FR.204, .207: the name is the identity, to the letter; how the header is written is nobody's business."""

    async def story() -> None:
        view = known(registered(profile=2, verifier=VERIFIER))
        async with csms() as backend, door(tmp_path, view, backend.port, profile=2) as at:
            answer = await ask(tmp_path, at, GOOD + line)
            assert answer.startswith(b"HTTP/1.1 401 " if cause else b"HTTP/1.1 101 ")
            if cause:
                assert await at.around.causes(1) == [cause]

    asyncio.run(story())


# -- the ends ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class End:
    """How a station leaves: what it says last, and whether TLS and TCP are closed in order."""

    says: bytes
    code: int
    notify: bool = True


ENDS: Final = {
    "a close, and then nothing": End(encode(CLOSE, b"\x03\xe8", MASK), 1000),
    "a close without a code": End(encode(CLOSE, b"", MASK), 1005),
    "a close, and the end of TCP right behind it": End(encode(CLOSE, b"\x03\xe9off", MASK), 1001, notify=False),
    "the end of TLS alone": End(b"", 1001),
    "the end of TCP alone": End(b"", 1001, notify=False),
    "half a message": End(encode(TEXT, CALL.encode(), MASK)[:9], 1001, notify=False),
}


def at_most(version: ssl.TLSVersion) -> Callable[[ssl.SSLContext], None]:
    """A station that knows no newer TLS."""

    def set_up(context: ssl.SSLContext) -> None:
        context.maximum_version = version

    return set_up


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_the_csms_hears_the_last_message_and_then_the_end(tmp_path: Path, end: End, version: ssl.TLSVersion) -> None:
    """However the station leaves, what it had said arrives; no event is made of a station that goes."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            wire = await Wire.dial(tmp_path, at, PARTY, set_up=at_most(version))
            assert b" 101 " in await wire.upgrade()
            await wire.say(encode(PING, b"", MASK) + encode(TEXT, CALL.encode(), MASK) + end.says)
            if end.notify:
                await wire.say_goodbye()
            else:
                wire.shut()
            assert await backend.heard.get() == CALL
            assert await backend.closed.get() == end.code
            assert at.around.notes.empty()
            wire.close()

    asyncio.run(story())


# -- TLS ---------------------------------------------------------------------------------------------------------------


def old_rsa(context: ssl.SSLContext) -> None:
    """TLS 1.2 with a key exchange by RSA and nothing else, as old hardware has it."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-GCM-SHA256")


def nameless(context: ssl.SSLContext) -> None:
    """A station that compares no names, because it dials an address."""
    context.check_hostname = False


def like_a_browser(context: ssl.SSLContext) -> None:
    """One that would also speak HTTP/2 (ALPN)."""
    context.set_alpn_protocols(["h2", "http/1.1"])


@pytest.mark.parametrize(
    ("set_up", "name"),
    [
        pytest.param(old_rsa, "localhost", id="TLS 1.2 and RSA alone"),
        pytest.param(nameless, None, id="no name asked for"),
        pytest.param(nameless, "192.0.2.1", id="an address asked for"),
        pytest.param(nameless, "old-name.example.org", id="a name that is not ours"),
        pytest.param(lambda context: context.set_alpn_protocols(["http/1.1"]), "localhost", id="ALPN"),
        pytest.param(like_a_browser, "localhost", id="ALPN with HTTP/2 first"),
    ],
)
def test_a_station_whose_tls_is_plain_or_old_comes_in(
    tmp_path: Path, set_up: Callable[[ssl.SSLContext], None], name: str | None
) -> None:
    """None of it weakens what is agreed on; the request then is HTTP/1.1, whatever was offered."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            wire = await Wire.dial(tmp_path, at, PARTY, set_up=set_up, name=name)
            assert (await wire.upgrade()).startswith(b"HTTP/1.1 101 ")
            await wire.say(encode(PING, b"", MASK))
            [pong] = Walker(masked=False, limit=99, fragments=1).feed(await wire.hear())
            assert (pong.opcode, pong.payload) == (PONG, b"")
            wire.close()
            await backend.closed.get()
            assert at.around.notes.empty()

    asyncio.run(story())


def test_a_handshake_whose_flights_crawl_comes_in_while_its_time_lasts(tmp_path: Path) -> None:
    """Each byte of the first flight by itself; a station on a bad line is slow, and no attacker."""

    async def story() -> None:
        async with csms() as backend, door(tmp_path, known(registered()), backend.port) as at:
            wire = await Wire.dial(tmp_path, at, PARTY)
            for byte in wire.hello():
                await wire.raw(bytes([byte]))
            assert (await wire.upgrade()).startswith(b"HTTP/1.1 101 ")
            wire.close()
            await backend.closed.get()
            assert at.around.notes.empty()

    asyncio.run(story())


@pytest.mark.parametrize("begun", [False, True], ids=["nothing", "half a hello"])
def test_a_handshake_that_stands_still_is_ended_with_an_event(tmp_path: Path, begun: bool) -> None:
    """Row 12: its place is another station's."""

    async def story() -> None:
        limits = Limits(handshake_seconds=0.2)
        async with csms() as backend, door(tmp_path, known(registered()), backend.port, limits=limits) as at:
            wire = await Wire.dial(tmp_path, at, PARTY)
            await wire.raw(wire.hello()[: 100 * begun])
            assert (await at.around.notes.get()).cause == "tls.failed"
            assert await wire.hear() == b""
            wire.close()

    asyncio.run(story())
