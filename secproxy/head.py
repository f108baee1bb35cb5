"""The HTTP head of a WebSocket upgrade, read more strictly than HTTP allows and written from scratch.

Rules this file keeps:

* What two parsers could read differently is refused, not interpreted: bare line feeds, folded lines, NUL, a second
  ``Host``, a body (RFC 9112 2.2, 5.2, 6; the request-smuggling family).
* Nothing of the station's head reaches the CSMS except what ``write_request`` names.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from websockets.datastructures import MultipleValuesError
from websockets.exceptions import InvalidHeader, SecurityError
from websockets.headers import parse_connection, parse_subprotocol, parse_upgrade
from websockets.http11 import Request, Response
from websockets.streams import StreamReader
from websockets.utils import accept_key

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from websockets.datastructures import Headers

T = TypeVar("T")

END: Final = b"\r\n\r\n"
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")
_SINGLE: Final = ("Host", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Authorization", "Content-Length")

REASONS: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    408: "Request Timeout",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


class HeadError(Exception):
    """The head is refused; ``status`` is the HTTP answer, ``says`` is for the journal."""

    def __init__(self, status: int, says: str) -> None:
        super().__init__(status, says)
        self.status = status
        self.says = says


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A well-formed upgrade request. ``target`` is raw; ``authorization`` is the header's value, Latin-1."""

    target: str
    key: str
    subprotocols: tuple[str, ...]
    authorization: str | None


def read_request(head: bytes, headers_limit: int) -> Upgrade:
    """Read a whole head, up to and with the empty line. Raises ``HeadError``."""
    _refuse_ambiguity(head, headers_limit)
    request = _parse_request(head)
    headers = request.headers
    if request.method != "GET" or request.protocol != "HTTP/1.1":
        raise HeadError(400, "an upgrade is GET with HTTP/1.1")
    _refuse_repeats(headers)
    _require_websocket(headers)
    return Upgrade(request.path, headers["Sec-WebSocket-Key"], _subprotocols(headers), headers.get("Authorization"))


def read_response(head: bytes, key: str, offered: Sequence[str]) -> str:
    """Read the CSMS's answer to our upgrade; return the subprotocol it chose. Raises ``HeadError``."""
    status = _STATUS.match(head)
    if status is not None and status[1] != b"101":
        raise HeadError(502, f"the CSMS refused the upgrade with status {status[1].decode()}")
    reader = StreamReader()
    reader.feed_data(head)
    try:
        response = _run(Response.parse(reader.read_line, reader.read_exact, reader.read_to_eof))
    except (ValueError, EOFError, NotImplementedError, InvalidHeader, SecurityError) as broken:
        raise HeadError(502, f"the CSMS answered with something that is not HTTP: {str(broken)[:100]!r}") from None
    try:
        accepted, chosen = (response.headers.get(name) for name in ("Sec-WebSocket-Accept", "Sec-WebSocket-Protocol"))
    except MultipleValuesError:
        raise HeadError(502, "the CSMS answered with a header twice") from None
    if accepted != accept_key(key):
        raise HeadError(502, "the CSMS answered for another handshake key")
    if chosen is None or chosen not in offered or "Sec-WebSocket-Extensions" in response.headers:
        raise HeadError(502, f"the CSMS chose subprotocol {str(chosen)[:40]!r}, which was not offered")
    return chosen


def write_request(
    host: str, path: str, key: str, subprotocols: Sequence[str], extra: Sequence[tuple[str, str]]
) -> bytes:
    """Write our upgrade towards the CSMS. ``extra`` are headers of ours; their values hold no line break."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {', '.join(subprotocols)}",
        *(f"{name}: {value}" for name, value in extra),
    ]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a line break inside a header")
    return "\r\n".join(lines).encode("latin-1") + END


def write_acceptance(key: str, subprotocol: str) -> bytes:
    """Write the 101 towards the station."""
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\nSec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
    ).encode("latin-1")


def write_refusal(status: int, *, challenge: bool = False, retry_after: int = 0) -> bytes:
    """Write a refusal: status and reason alone, the same body whatever the cause, so that nothing can be enumerated."""
    body = REASONS[status]
    lines = [f"HTTP/1.1 {status} {body}", "Connection: close", "Content-Type: text/plain"]
    lines.append(f"Content-Length: {len(body)}")
    if challenge:
        lines.append('WWW-Authenticate: Basic realm="ocpp"')
    if retry_after:
        lines.append(f"Retry-After: {retry_after}")
    if status == 426:
        lines.append("Sec-WebSocket-Version: 13")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


def _refuse_ambiguity(head: bytes, headers_limit: int) -> None:
    lines = head.removesuffix(END).split(b"\r\n")
    if len(lines) - 1 > headers_limit:
        raise HeadError(431, f"more than {headers_limit} headers")
    for line in lines:
        if b"\n" in line or b"\r" in line or b"\0" in line:
            raise HeadError(400, "a bare line break or NUL in the head")
        if line[:1] in {b" ", b"\t"}:
            raise HeadError(400, "a folded header line")


def _parse_request(head: bytes) -> Request:
    reader = StreamReader()
    reader.feed_data(head)
    try:
        return _run(Request.parse(reader.read_line))
    except SecurityError as excess:
        raise HeadError(431, str(excess)[:100]) from None
    except (ValueError, EOFError, NotImplementedError) as broken:
        raise HeadError(400, f"not an HTTP request: {str(broken)[:100]!r}") from None


def _run(parser: Generator[None, None, T]) -> T:
    """Drive a parser whose bytes are all here; one that asks for more has met a truncated head."""
    try:
        next(parser)
    except StopIteration as done:
        result: T = done.value
        return result
    raise EOFError("the head ends too early")


def _refuse_repeats(headers: Headers) -> None:
    for name in _SINGLE:
        if len(headers.get_all(name)) > 1:
            raise HeadError(400, f"{name} is given twice")
    if headers.get("Content-Length", "0").strip() != "0" or "Transfer-Encoding" in headers:
        raise HeadError(400, "an upgrade with a body")


def _require_websocket(headers: Headers) -> None:
    try:
        connection = [option.lower() for value in headers.get_all("Connection") for option in parse_connection(value)]
        upgrade = [option.lower() for value in headers.get_all("Upgrade") for option in parse_upgrade(value)]
        key = base64.b64decode(headers.get("Sec-WebSocket-Key", ""), validate=True)
    except (InvalidHeader, binascii.Error):
        raise HeadError(400, "a malformed upgrade header") from None
    if "Host" not in headers or "upgrade" not in connection or upgrade != ["websocket"]:
        raise HeadError(426, "no WebSocket upgrade")
    if headers.get("Sec-WebSocket-Version") != "13":
        raise HeadError(426, "not WebSocket version 13")
    if len(key) != 16:
        raise HeadError(400, "the handshake key is not 16 bytes")


def _subprotocols(headers: Headers) -> tuple[str, ...]:
    try:
        return tuple(name for value in headers.get_all("Sec-WebSocket-Protocol") for name in parse_subprotocol(value))
    except InvalidHeader:
        raise HeadError(400, "a malformed subprotocol list") from None
