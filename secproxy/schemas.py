"""Whether a message's payload is what its version of OCPP says, by the official JSON schemas.

Rules this file keeps:

* A schema is the standard's own text; nothing of it is written down here. Where it lies is the edge's affair.
* What fits is let go with as little work as can be, for it is every message; faults are looked for in the rest alone.
* A fault never repeats a value: it may be a secret. What a stranger chose, names of keys, is cut.
* A schema is compiled once in a process, when it is first asked for, and kept; there are as many as the standard has.

Each schema is compiled twice. The second, ``closed``, takes less: no free values (vendors' ``customData``), no number
beyond int64. So what it takes is no deeper than the schema itself and needs no search for long numbers, which costs
as much as the check. What it does not take is searched, and then held against the official one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import jsonschema_rs

from secproxy import reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VERSIONS: Final = ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")
FAULTS_MOST: Final = 8  # of one message, told; a first look at what is wrong needs no more
PATH_LENGTH: Final = 128  # characters; the deepest path of OCPP 2.1 has about 100
SAYS_LENGTH: Final = 96  # characters of what is wrong
LARGE: Final = (
    8_192  # bytes of a payload; above it only its first fault is looked for: each costs as much as its payload
)

DEPTH: Final = reader.DEPTH_LIMIT - 1  # of a payload: the message around it is an array

_INT64: Final = 1 << reader.INT_BITS
_NOTHING: Final[Mapping[str, object]] = {"not": {}}  # draft 4 has no schema ``false``
_RESPONSE, _REQUEST = "Response", "Request"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where, as a JSON path, by which rule of the schema, and what it wants."""

    path: str
    rule: str
    says: str
    place: str
    """The path without the numbers of items, so that a thousand of them are one place."""


class Library(Protocol):
    """Where the schemas are kept, by subprotocol and the name of the standard's file without its ending."""

    def names(self, version: str) -> Iterable[str]:
        """Every schema there is."""

    def text(self, version: str, name: str) -> str:
        """The schema of that name."""


class Schema:
    """The schema of one message, compiled."""

    __slots__ = ("_closed", "_empty", "_official")

    def __init__(self, text: str) -> None:
        official = json.loads(text)
        self._official = jsonschema_rs.validator_for(official)
        self._closed = jsonschema_rs.validator_for(cast("dict[str, Any]", close(official))).is_valid
        self._empty = self._closed({})

    def takes(self, text: bytes) -> bool:
        """Whether a payload, as it came, is read by everybody alike and fits."""
        if text == b"{}":
            return self._empty
        value = reader.glance(text)
        if value is None:
            return self._takes_slowly(text)
        return self._closed(value) or (reader.is_within(text, value, DEPTH) and self._official.is_valid(value))

    def _takes_slowly(self, text: bytes) -> bool:
        try:
            value = reader.read_slowly(b"[" + text + b"]")
        except reader.UnreadableError:
            return False
        return isinstance(value, list) and len(value) == 1 and self._official.is_valid(value[0])

    def fits(self, payload: Mapping[str, object]) -> bool:
        """Whether a payload that was read fits."""
        return self._official.is_valid(payload)

    def faults(self, payload: Mapping[str, object], size: int) -> tuple[Fault, ...]:
        """Say what is wrong with a payload of ``size`` bytes as it came; empty when it fits."""
        if size <= LARGE:
            return tuple(map(_fault, islice(self._official.iter_errors(payload), FAULTS_MOST)))
        try:
            self._official.validate(payload)
        except jsonschema_rs.ValidationError as first:
            return (_fault(first),)
        return ()


@dataclass(frozen=True, slots=True, eq=False)  # there is one of each version
class Book:
    """The schemas of one version. Each is looked up by its action: of calls and sends as it is written, of answers in
    small letters, as ``calls`` remembers it. What is not there is no action of this version.

    ``actions`` are those of all calls, in small letters.
    """

    actions: frozenset[bytes]
    calls: Mapping[bytes, Schema]
    sends: Mapping[bytes, Schema]
    answers: Mapping[bytes, Schema]


def fits_at(shelf: Mapping[bytes, Schema], action: bytes, message: bytes, start: int) -> bool:
    """Whether a whole message, whose payload starts there, holds just one that fits, and nothing behind it."""
    try:
        return message.endswith(b"]") and shelf[action].takes(message[start:-1])
    except KeyError:
        return False


class Schemas:
    """The books of all versions; one for a process."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._books: dict[str, Book] = {}

    def book(self, version: str) -> Book:
        """Open the book of a version, by its subprotocol."""
        if version not in self._books:
            self._books[version] = _bind(self._library, version)
        return self._books[version]


class _Shelf(dict[bytes, Schema]):
    """Schemas by action, each compiled when it is first taken. An action that is not on it raises ``KeyError``."""

    def __init__(self, library: Library, version: str, names: dict[bytes, str]) -> None:
        super().__init__()
        self._library, self._version, self._names = library, version, names

    def __missing__(self, action: bytes) -> Schema:
        self[action] = schema = Schema(self._library.text(self._version, self._names[action]))
        return schema


def _bind(library: Library, version: str) -> Book:
    calls, sends, answers = {}, {}, {}
    for name in library.names(version):
        if name.endswith(_RESPONSE):
            answers[name.removesuffix(_RESPONSE).lower().encode()] = name
        elif name.endswith(_REQUEST) or version == "ocpp1.6":
            calls[name.removesuffix(_REQUEST).encode()] = name
        else:  # OCPP 2.1 names the messages that nobody answers by their action alone
            sends[name.encode()] = name
    shelves = (_Shelf(library, version, names) for names in (calls, sends, answers))
    return Book(frozenset(action.lower() for action in calls), *shelves)


def close(schema: object) -> object:
    """Make a schema take no free values, and no number beyond int64; what is left is bounded by its own text."""
    if not isinstance(schema, dict):
        return schema
    closed: dict[str, object] = {key: _close_part(key, part) for key, part in schema.items()}
    kind = schema.get("type")
    if kind is None:
        return closed if {"$ref", "enum", "not"} & schema.keys() else _NOTHING
    if kind == "object":
        closed["additionalProperties"] = False
    if kind == "array":
        closed.setdefault("items", _NOTHING)
    if kind in {"integer", "number"}:
        closed["minimum"] = max(cast("float", schema.get("minimum", -_INT64)), -_INT64)
        closed["maximum"] = min(cast("float", schema.get("maximum", _INT64 - 1)), _INT64 - 1)
    return closed


def _close_part(key: str, part: object) -> object:
    if key in {"properties", "definitions"} and isinstance(part, dict):
        return {name: close(inner) for name, inner in part.items()}
    return close(part) if key == "items" else part


def _fault(error: jsonschema_rs.ValidationError) -> Fault:
    rule = error.kind.name
    path = "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    place = "$" + "".join("[*]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    return Fault(path[:PATH_LENGTH], rule, _says(rule, error.kind)[:SAYS_LENGTH], place[:PATH_LENGTH])


def _says(rule: str, kind: jsonschema_rs.ValidationErrorKind) -> str:
    """Say what the rule wants; never what was found, but for the names of keys that should not be there."""
    wants = kind.value
    if isinstance(wants, list):
        wants = ", ".join(str(each)[:32] for each in wants[:8])
    return f"{_WORDS.get(rule, rule)} {str(wants)[:64]}"


_WORDS: Final[Mapping[str, str]] = {
    "additionalProperties": "unknown:",
    "enum": "it is none of",
    "format": "it is no",
    "maxItems": "items, at most:",
    "maxLength": "characters, at most:",
    "maximum": "at most",
    "minItems": "items, at least:",
    "minimum": "at least",
    "multipleOf": "it is no multiple of",
    "required": "missing:",
    "type": "it is no",
}
