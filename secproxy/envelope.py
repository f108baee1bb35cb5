"""The OCPP-J message: an array of a type, an id and what belongs to it, read so that no two readers can disagree.

Rules this file keeps:

* ``HEAD`` matches only what every JSON parser reads alike; the hot path needs nothing else.
* ``parse`` is for messages that are looked into. What parsers are known to read differently is refused (``reader``).
* A payload that is ``null`` is an empty one (OCPP-J 4.2): libraries write it where their user gave none. What an error
  says besides its id nobody here judges, so much of it may be missing.
* An answer never echoes more than 64 characters of what it answers, and says nothing of our insides.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final, cast

from secproxy import reader
from secproxy.errors import MessageRefused
from secproxy.events import Note
from secproxy.reader import UnreadableError

CALL: Final = 2
RESULT: Final = 3
ERROR: Final = 4
RESULT_ERROR: Final = 5  # OCPP 2.1
SEND: Final = 6  # OCPP 2.1

ID_LENGTH: Final = 36  # characters; OCPP-J 4.1.4
NO_ID: Final = "-1"  # under which OCPP 2.x answers what has no readable id (OCPP-J 4.2.3)
ACTION_LENGTH: Final = 50  # characters; the longest of OCPP 2.1 has 35
DESCRIPTION_LENGTH: Final = 255  # characters; OCPP-J 4.2.3
ECHO_LENGTH: Final = 64  # characters of a stranger's text in anything we write

_WS = rb"[ \t\r\n]*"
_ID = (
    rb"[ !#-\[\]-~]{1,%d}" % ID_LENGTH
)  # printable ASCII without quote and backslash: nothing to unescape, nothing to decode
_ACTION = rb"[A-Za-z0-9-]{1,%d}" % ACTION_LENGTH
_COMMA = _WS + rb"," + _WS

HEAD: Final[re.Pattern[bytes]] = re.compile(
    _WS + rb"\[" + _WS + rb"(?P<type>(?P<asks>[26])|[345])" + _COMMA + rb'"(?P<id>' + _ID + rb')"' + _COMMA
    + rb'(?(asks)"(?P<action>' + _ACTION + rb')"' + _WS + rb",)"
)  # fmt: skip
"""The beginning of a message that no parser could read differently. ``action`` is there for types 2 and 6, which do not
match without one, and for no other."""

_ANSWERING = re.compile(_WS + rb"(\[" + _WS + rb"[3-6]\b|\Z)")
_ACTION_TEXT = re.compile(_ACTION.decode())
_ARITY: Final = {CALL: 4, RESULT: 3, ERROR: 5, RESULT_ERROR: 5, SEND: 4}
_ERROR_LEAST: Final = 3  # items of an error: libraries leave description and details away


@dataclass(frozen=True, slots=True)
class Call:
    """A question; it is answered by a ``Result`` or an ``Error`` of the same id."""

    id: str
    action: str
    payload: dict[str, object]


@dataclass(frozen=True, slots=True)
class Send:
    """A message that is not answered (OCPP 2.1)."""

    id: str
    action: str
    payload: dict[str, object]


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to a call."""

    id: str
    payload: dict[str, object]


@dataclass(frozen=True, slots=True)
class Error:
    """The answer to a call that failed. What it does not say is empty."""

    id: str
    code: str
    description: str
    details: dict[str, object]


@dataclass(frozen=True, slots=True)
class ResultError:
    """The answer to a result that made no sense (OCPP 2.1)."""

    id: str
    code: str
    description: str
    details: dict[str, object]


Message = Call | Result | Error | ResultError | Send


def parse(message: bytes) -> Message:
    """Read a whole message strictly. Raises ``MessageRefused`` with the fault, and the id where one can be read."""
    try:
        return _message(reader.read(message))
    except (_FaultError, UnreadableError) as fault:
        message_id = fault.message_id if isinstance(fault, _FaultError) else ""
        raise MessageRefused(fault.name, _note(fault, message), message_id or _id_of_head(message)) from None


def canonical(message: bytes) -> bytes:
    """Say a message anew in which a key stands twice with the same value (``reader.read_merging``).

    Raises ``MessageRefused`` when it can be read in two ways, or is no message.
    """
    try:
        value = reader.read_merging(message)
        _message(value)
    except (_FaultError, UnreadableError) as fault:
        raise MessageRefused(fault.name, _note(fault, message), _id_of_head(message)) from None
    return _write(cast("list[object]", value))


def glance(head: re.Match[bytes]) -> Message:
    """Make a message of what ``HEAD`` matched: its payload, and what an error says, are left out."""
    kind, message_id, action = int(head["type"]), head["id"].decode(), (head["action"] or b"").decode()
    if kind in {CALL, SEND}:
        return (Call if kind == CALL else Send)(message_id, action, {})
    if kind == RESULT:
        return Result(message_id, {})
    return (Error if kind == ERROR else ResultError)(message_id, "", "", {})


def asks_nothing(message: bytes) -> bool:
    """Whether a message that cannot be read is empty, or begins as one of the kinds that are never answered."""
    return _ANSWERING.match(message) is not None


def call_bytes(call: Call) -> bytes:
    """Write a call."""
    return _write([CALL, call.id, call.action, call.payload])


def result_bytes(id: str, payload: dict[str, object]) -> bytes:  # noqa: A002 - OCPP's own word
    """Write the answer to the call of this id."""
    return _write([RESULT, id, payload])


def error_bytes(id: str, code: str, description: str) -> bytes:  # noqa: A002 - OCPP's own word
    """Write the error that answers the call of this id; ``code`` is one of OCPP-J 4.3."""
    return _write([ERROR, id, code, description[:DESCRIPTION_LENGTH], {}])


class _FaultError(ValueError):
    """What is wrong, before it is known whose message it is."""

    def __init__(self, name: str, says: str, message_id: str = "") -> None:
        super().__init__(name, says)
        self.name = name
        self.says = says
        self.message_id = message_id


def _write(message: list[object]) -> bytes:
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _message(value: object) -> Message:
    if not isinstance(value, list) or not value:
        raise _FaultError("array", "it is not an array with something in it")
    kind, message_id = value[0], value[1] if len(value) > 1 else None
    if type(kind) is not int or kind not in _ARITY:
        raise _FaultError("type", "its first item is no message type (2 to 6)")
    if not isinstance(message_id, str) or not 1 <= len(message_id) <= ID_LENGTH or not message_id.isprintable():
        raise _FaultError("id", f"its id is not a text of 1 to {ID_LENGTH} printable characters")
    try:
        return _of_kind(kind, message_id, value[2:])
    except _FaultError as fault:
        fault.message_id = message_id if kind == CALL else ""
        raise


def _of_kind(kind: int, message_id: str, rest: list[object]) -> Message:
    if kind in {ERROR, RESULT_ERROR}:
        return _error(kind, message_id, rest)
    if len(rest) != _ARITY[kind] - 2:
        raise _wrong_arity(kind, rest)
    payload = {} if rest[-1] is None else rest[-1]
    if not isinstance(payload, dict):
        raise _FaultError("payload", "its last item is not an object")
    if kind == RESULT:
        return Result(message_id, payload)
    action = _text(rest[0])
    if not _ACTION_TEXT.fullmatch(action):
        raise _FaultError("action", f"{action[:ECHO_LENGTH]!r:.{ECHO_LENGTH}} cannot be an action")
    return (Call if kind == CALL else Send)(message_id, action, payload)


def _error(kind: int, message_id: str, rest: list[object]) -> Error | ResultError:
    """Read an error; its details are whatever its sender likes (OCPP-J 4.2.3)."""
    if not _ERROR_LEAST <= len(rest) + 2 <= _ARITY[kind]:
        raise _wrong_arity(kind, rest)
    code, description, details = [*rest, None, None][:3]
    made = Error if kind == ERROR else ResultError
    return made(message_id, _words(code), _words(description), details if isinstance(details, dict) else {})


def _wrong_arity(kind: int, rest: list[object]) -> _FaultError:
    return _FaultError("arity", f"it has {len(rest) + 2} items where type {kind} has {_ARITY[kind]}")


def _words(value: object) -> str:
    return "" if value is None else _text(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _FaultError("text", "an item that should be a text is none")
    return value


def _id_of_head(message: bytes) -> str:
    """The id of a call that cannot be read to its end, if its beginning leaves no doubt."""
    head = HEAD.match(message)
    return head["id"].decode() if head and head["type"] == b"2" else ""


def _note(fault: _FaultError | UnreadableError, message: bytes) -> Note:
    beginning = message[:ECHO_LENGTH].decode(errors="replace")
    return Note("message.malformed", evidence={"fault": fault.name, "says": fault.says, "beginning": beginning})
