"""What of a session's messages is held against the schemas, and how OCPP calls a fault."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from secproxy import jws
from secproxy.envelope import Call, Result, Send
from secproxy.message_settings import Ambiguous
from secproxy.plan import SIGNED, small
from secproxy.policy import carried
from secproxy.reader import UnreadableError
from secproxy.schemas import PATH_LENGTH, SAYS_LENGTH, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeAlias

    from secproxy.events import Value
    from secproxy.message_settings import MessageSettings
    from secproxy.plan import Plan, Side
    from secproxy.schemas import Book, Schema

    Search: TypeAlias = Callable[[int], tuple[Fault, ...]]

TWICE: Final = Fault("$", "duplicate", "a key stands twice with one value", "$")
SEALED: Final = Fault("$", "signed", "it is inside a signed message, where no schema can be held to it", "$")
UNKNOWN: Final = Fault("$", "action", "no action of this version", "$")

_CODES: Final[Mapping[str, str]] = {
    "type": "TypeConstraintViolation",
    "required": "OccurrenceConstraintViolation",
    "minItems": "OccurrenceConstraintViolation",
    "maxItems": "OccurrenceConstraintViolation",
    "additionalProperties": "FormatViolation",
    "action": "NotImplemented",
    "signed": "NotSupported",
    "carried": "FormatViolation",
}
_VALUE: Final = "PropertyConstraintViolation"
_SPELLINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "ocpp1.6": {
        "FormatViolation": "FormationViolation",
        "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
    },
    "ocpp2.0.1": {"OccurrenceConstraintViolation": "OccurenceConstraintViolation"},
}
"""Two slips of the pen which the standard keeps, since peers compare the words (OCPP-J 1.6 errata 5.1, 5.2)."""

Unfit = Call | Send | Result
_NOTHING: Final = frozenset({"Rejected", "UnknownMessageId", "UnknownVendorId"})
"""The statuses of a DataTransfer's answer that carry no answer to what was inside."""
_DATA: Final = "$.data"


def code_of(fault: Fault, version: str) -> str:
    """Name a fault as the errors of a version do (OCPP-J 4.3)."""
    code = _CODES.get(fault.rule, _VALUE)
    return _SPELLINGS.get(version, {}).get(code, code)


def evidence(side: Side, said: Unfit, action: bytes, fault: Fault) -> dict[str, Value]:
    """What is told of a fault. An answer's action is the one that was asked for, in small letters, and so is what a
    DataTransfer carries; ``action`` has both, as ``carried.tie`` names them."""
    asked, inside = carried.untie(action)
    name = asked.decode() if isinstance(said, Result) else said.action
    told = {"side": side.value, "kind": type(said).__name__.lower(), "action": name}
    told |= {"carried": inside.decode()} if inside else {}
    return {**told, "path": fault.path, "rule": fault.rule, "says": fault.says}


@lru_cache(maxsize=16)  # of three versions, under the settings in force and those before
def inspect(book: Book, settings: MessageSettings, inside: Book) -> Inspection:
    """The inspection of all sessions of a version, as ``bollard.toml`` says; ``inside`` is of ``carried.VERSION``."""
    canonical = settings.ambiguous is Ambiguous.CANONICAL
    return Inspection(book, settings.observed, settings.demands(), inside, canonical=canonical)


@dataclass(frozen=True, slots=True)
class Held:
    """A message, or what one carries, held against its schema."""

    action: bytes
    """By which the settings know it, in small letters."""
    named: bytes
    """The same with what carries it, as ``carried.tie`` names them."""
    search: Search | None
    """What searches for its faults, given the message's size in bytes; None when it fits."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """The schemas of some sessions: ``book`` is their version's, ``sides`` are those whose every message is held to it.

    ``demands`` name by ``Need.SCHEMA`` what must fit or goes nowhere. ``canonical`` when a message that is ambiguous in
    form alone is said anew and not refused. ``inside`` is the book of what a DataTransfer carries.
    """

    book: Book
    sides: frozenset[Side]
    demands: Plan
    inside: Book
    canonical: bool = False

    def hold(self, said: Unfit, asked: bytes) -> Iterator[Held]:
        """Hold a message against its schema, and what it carries against the one of that; ``asked`` is what a result
        answers, as ``carried.tie`` names it."""
        action, inside = carried.untie(asked) if isinstance(said, Result) else (small(said.action), b"")
        yield Held(action, action, self.unfit(said, action))
        if isinstance(said, Result):
            search = self._unfit_answer_inside(said, inside) if inside else None
        else:
            inside, search = self._unfit_inside(said, action)
        if inside:
            yield Held(inside, asked if isinstance(said, Result) else carried.join(action, inside), search)

    def unfit(self, said: Unfit, asked: bytes) -> Search | None:
        """None when a payload fits; else what searches for its faults, given the message's size in bytes.

        ``asked`` is the action that a result answers, in small letters. One that is not known was told with its call.
        What is inside a signed message never fits.
        """
        action = asked if isinstance(said, Result) else said.action.encode()
        if action.lower().endswith(SIGNED):
            return self._unfit_signed(said, action[: -len(SIGNED)])
        try:
            schema = self._shelf(said)[action]
        except KeyError:
            return None if isinstance(said, Result) else lambda _: (UNKNOWN,)
        return None if schema.fits(said.payload) else partial(schema.faults, said.payload)

    def _shelf(self, said: Unfit) -> Mapping[bytes, Schema]:
        if isinstance(said, Result):
            return self.book.answers
        return self.book.calls if isinstance(said, Call) else self.book.sends

    def _unfit_signed(self, said: Unfit, action: bytes) -> Search | None:
        """A signed message is not looked into: that would be to trust it. The answer to one may be in the clear."""
        try:
            schema = self._shelf(said)[action]
        except KeyError:
            return lambda _: (UNKNOWN,)
        clear = isinstance(said, Result) and schema.fits(said.payload)
        return None if clear else lambda _: (SEALED,)

    def _unfit_inside(self, said: Call | Send, action: bytes) -> tuple[bytes, Search | None]:
        """The call that another carries, and what searches for its faults. Nothing that is signed is looked into."""
        if action not in carried.CARRIERS:
            return b"", None
        try:
            payload = said.payload if action == carried.CARRIER else jws.unseal(said.payload)
        except UnreadableError:  # it goes nowhere: see ``sealed``
            return b"", None
        found = carried.find_carried(carried.CARRIER, payload)
        if found is None:
            return b"", None
        if found.signed or action != carried.CARRIER:
            return found.action, lambda _: (replace(SEALED, path=_DATA, place=_DATA),)
        if found.unreadable:
            return found.action, partial(_unread, found.unreadable)
        return found.action, _within(self.inside.calls[carried.SPELLED[found.action]], found.payload)

    def _unfit_answer_inside(self, said: Result, inside: bytes) -> Search | None:
        """The same for an answer. Where there are no data there is nothing that could be wrong with them."""
        if jws.is_signed(said.payload):
            return lambda _: (replace(SEALED, path=_DATA, place=_DATA),)
        data = said.payload.get("data")
        if data is None or data == "" or said.payload.get("status") in _NOTHING:
            return None
        try:
            return _within(self.inside.answers[inside], carried.read_data(data))
        except UnreadableError as fault:
            return partial(_unread, f"what the DataTransfer carries cannot be read: {fault.says}")


def _within(schema: Schema, payload: Mapping[str, object]) -> Search | None:
    """What searches for the faults of a payload that a DataTransfer carries."""
    return None if schema.fits(payload) else lambda size: tuple(map(_moved, schema.faults(payload, size)))


def _moved(fault: Fault) -> Fault:
    path, place = (_DATA + each.removeprefix("$") for each in (fault.path, fault.place))
    return replace(fault, path=path[:PATH_LENGTH], place=place[:PATH_LENGTH])


def _unread(says: str, _: int) -> tuple[Fault, ...]:
    return (Fault(_DATA, "carried", says[:SAYS_LENGTH], _DATA),)
