"""What of a session's messages is held against the schemas, and how OCPP calls a fault."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final

from secproxy.envelope import Call, Result, Send
from secproxy.message_settings import Ambiguous
from secproxy.plan import SIGNED
from secproxy.schemas import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from secproxy.events import Value
    from secproxy.message_settings import MessageSettings
    from secproxy.plan import Plan, Side
    from secproxy.schemas import Book, Schema

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


def code_of(fault: Fault, version: str) -> str:
    """Name a fault as the errors of a version do (OCPP-J 4.3)."""
    code = _CODES.get(fault.rule, _VALUE)
    return _SPELLINGS.get(version, {}).get(code, code)


def evidence(side: Side, said: Unfit, action: bytes, fault: Fault) -> dict[str, Value]:
    """What is told of a fault. An answer's action is the one that was asked for, in small letters."""
    name = action.decode() if isinstance(said, Result) else said.action
    told = {"side": side.value, "kind": type(said).__name__.lower(), "action": name}
    return {**told, "path": fault.path, "rule": fault.rule, "says": fault.says}


@lru_cache(maxsize=16)  # of three versions, under the settings in force and those before
def inspect(book: Book, settings: MessageSettings) -> Inspection:
    """The inspection of all sessions of a version, as ``bollard.toml`` says."""
    canonical = settings.ambiguous is Ambiguous.CANONICAL
    return Inspection(book, settings.observed, settings.demands(), canonical=canonical)


@dataclass(frozen=True, slots=True)
class Inspection:
    """The schemas of some sessions: ``book`` is their version's, ``sides`` are those whose every message is held to it.

    ``demands`` name by ``Need.SCHEMA`` what must fit or goes nowhere. ``canonical`` when a message that is ambiguous in
    form alone is said anew and not refused.
    """

    book: Book
    sides: frozenset[Side]
    demands: Plan
    canonical: bool = False

    def unfit(self, said: Unfit, asked: bytes) -> Callable[[int], tuple[Fault, ...]] | None:
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

    def _unfit_signed(self, said: Unfit, action: bytes) -> Callable[[int], tuple[Fault, ...]] | None:
        """A signed message is not looked into: that would be to trust it. The answer to one may be in the clear."""
        try:
            schema = self._shelf(said)[action]
        except KeyError:
            return lambda _: (UNKNOWN,)
        clear = isinstance(said, Result) and schema.fits(said.payload)
        return None if clear else lambda _: (SEALED,)
