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
from typing import TYPE_CHECKING, Final

from websockets.utils import accept_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

END: Final = b"\r\n\r\n"

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110 5.6.2
_FIELDS: Final = rb"((?:" + _TOKEN + rb":[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"  # RFC 9112 5, without obsolete folding
_REQUEST: Final = re.compile(rb"GET ([\x21-\x7e]+) HTTP/1\.1\r\n" + _FIELDS)
_RESPONSE: Final = re.compile(
    rb"HTTP/1\.(?:1|0(?! 101)) ([0-9]{3})(?: [\t\x20-\x7e\x80-\xff]*)?\r\n" + _FIELDS
)  # load balancers refuse in HTTP/1.0 too, which cannot be upgraded
_FIELD: Final = re.compile(rb"([^:]+):[\t ]*([^\r]*?)[\t ]*\r\n")
_NAME: Final = re.compile(_TOKEN.decode())
_BLANK: Final = " \t"  # RFC 9110 5.6.3; Python's own idea of blanks has more, some of them in Latin-1
_SINGLE: Final = (
    "host",
    "upgrade",
    "sec-websocket-key",
    "sec-websocket-version",
    "authorization",
    "content-length",
    "origin",
)

Fields = dict[str, list[str]]
"""Values by lower-case name, in order, Latin-1."""

REASONS: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    408: "Request Timeout",
    426: "Upgrade Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


class HeadError(Exception):
    """The head is refused; ``status`` is the HTTP answer, ``says`` is for the journal, ``theirs`` is the status that
    the CSMS refused our upgrade with, else 0."""

    def __init__(self, status: int, says: str, theirs: int = 0) -> None:
        super().__init__(status, says)
        self.status = status
        self.says = says
        self.theirs = theirs


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A well-formed upgrade request. ``target`` is raw, ``authorization`` a header's value, Latin-1, ``extensions`` the
    values of all headers of that name, in one list."""

    target: str
    key: str
    subprotocols: tuple[str, ...]
    authorization: str | None
    extensions: str = ""


def read_request(head: bytes, headers_limit: int) -> Upgrade:
    """Read a whole head, up to and with the empty line. Raises ``HeadError``."""
    if head.count(b"\r\n") - 2 > headers_limit:  # the request line and the empty one are no headers
        raise HeadError(431, f"more than {headers_limit} headers")
    match = _REQUEST.fullmatch(head)
    if match is None:
        raise HeadError(400, "not a GET of HTTP/1.1 that can be read in one way only")
    fields = _read_fields(match[2])
    _refuse_repeats(fields)
    _require_websocket(fields)
    authorization = fields.get("authorization")
    return Upgrade(
        target=match[1].decode("ascii"),
        key=fields["sec-websocket-key"][0],
        subprotocols=_subprotocols(fields),
        authorization=authorization[0] if authorization else None,
        extensions=", ".join(fields.get("sec-websocket-extensions", ())),
    )


def read_response(head: bytes, key: str, offered: Sequence[str]) -> str:
    """Read the CSMS's answer to our upgrade; return the subprotocol it chose. Raises ``HeadError``."""
    match = _RESPONSE.fullmatch(head)
    if match is None:
        raise HeadError(502, f"the CSMS answered with something that is not HTTP: {head[:60]!r}")
    if match[1] != b"101":
        status = match[1].decode()
        raise HeadError(502, f"the CSMS refused the upgrade with status {status}", theirs=int(status))
    fields = _read_fields(match[2])
    if fields.get("sec-websocket-accept") != [accept_key(key)]:
        raise HeadError(502, "the CSMS answered for another handshake key")
    extensions = ", ".join(fields.get("sec-websocket-extensions", []))
    if extensions:
        raise HeadError(502, f"the CSMS answered with the extension {extensions[:40]!r}, which was not offered")
    chosen = fields.get("sec-websocket-protocol", [])
    if not chosen:
        raise HeadError(502, f"the CSMS speaks none of {', '.join(offered)}: it chose no subprotocol")
    if len(chosen) != 1 or chosen[0] not in offered:
        raise HeadError(502, f"the CSMS chose subprotocol {', '.join(chosen)[:40]!r}, which was not offered")
    return chosen[0]


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


def write_acceptance(key: str, subprotocol: str, extensions: str = "") -> bytes:
    """Write the 101 towards the station; ``extensions`` are those agreed on. Neither is named where none was offered
    (RFC 6455 4.2.2)."""
    chosen = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    agreed = f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else ""
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(key)}\r\n{chosen}{agreed}\r\n"
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


def _read_fields(block: bytes) -> Fields:
    fields: Fields = {}
    for name, value in _FIELD.findall(block):
        fields.setdefault(name.decode("ascii").lower(), []).append(value.decode("latin-1"))
    return fields


def _refuse_repeats(fields: Mapping[str, Sequence[str]]) -> None:
    for name in _SINGLE:
        if len(fields.get(name, ())) > 1:
            raise HeadError(400, f"{name} is given twice")
    if fields.get("content-length", ["0"]) != ["0"] or "transfer-encoding" in fields:
        raise HeadError(400, "an upgrade with a body")


def _require_websocket(fields: Mapping[str, Sequence[str]]) -> None:
    connection = {name.lower() for value in fields.get("connection", ()) for name in _options(value)}
    upgrade = [value.lower() for value in fields.get("upgrade", ())]
    if "host" not in fields or "upgrade" not in connection or upgrade != ["websocket"]:
        raise HeadError(426, "no WebSocket upgrade")
    if fields.get("sec-websocket-version") != ["13"]:
        raise HeadError(426, "not WebSocket version 13")
    try:
        key = base64.b64decode(fields.get("sec-websocket-key", [""])[0], validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 16:
        raise HeadError(400, "the handshake key is not 16 bytes in base64")


def _options(value: str) -> list[str]:
    """What a Connection header names (RFC 9110 7.6.1)."""
    names = _items(value)
    if not names or not all(map(_NAME.fullmatch, names)):
        raise HeadError(400, "a malformed Connection header")
    return names


def _subprotocols(fields: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    lists = [_items(value) for value in fields.get("sec-websocket-protocol", ())]
    if not all(names and all(map(_NAME.fullmatch, names)) for names in lists):
        raise HeadError(400, "a malformed subprotocol list")
    return tuple(name for names in lists for name in names)


def _items(value: str) -> list[str]:
    """What a list holds; empty items are passed over (RFC 9110 5.6.1.2)."""
    return [name for item in value.split(",") if (name := item.strip(_BLANK))]
