"""What each clause that a finding names asks for, in our own words.

The catalogue is keyed by the number a clause has in OCPP 2.0.1 and 2.1; where OCPP 1.6 (the security white paper,
edition 3) counts differently, ``applies`` gives its number there. Clauses of RFCs and of ISO 15118 have one number, as
have the duties that we gave ourselves. The texts are in ``pki.clause_texts``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pki.clause_texts import BOTH, ISO_15118, OCPP_J, ONLY_SIXTEEN, ONLY_TWO, OURS, RENUMBERED, RFCS
from pki.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Edition(StrEnum):
    """The documents that a clause may stand in."""

    SIXTEEN = "OCPP 1.6"
    TWO_ZERO_ONE = "OCPP 2.0.1"
    TWO_ONE = "OCPP 2.1"
    RFC = "RFC"
    ISO = "ISO 15118"
    OURS = "Bollard"


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause: its id, what it asks for, and the number it has in each edition that holds it."""

    id: str
    says: str
    applies: Mapping[Edition, str]


def explain(clause_id: str) -> Clause:
    """Return the clause of this id. Raises ``NotFoundError("clause.unknown")``.

    A few numbers mean one thing in OCPP 1.6 and another in 2.x; the answer then tells both.
    """
    wanted = clause_id.strip()
    found = [clause for clause in _KNOWN if wanted in clause.applies.values()]
    if not found:
        cause = f"{wanted[:48]!r} is no clause known here"
        raise NotFoundError("clause.unknown", cause, "Copy the id as the finding prints it.")
    if len(found) == 1:
        return found[0]
    says = " ".join(f"{_editions(clause, wanted)}: {clause.says}" for clause in found)
    return Clause(wanted, says, dict.fromkeys(_holders(found, wanted), wanted))


def _editions(clause: Clause, number: str) -> str:
    return " and ".join(_holders([clause], number))


def _holders(clauses: Iterable[Clause], number: str) -> list[Edition]:
    return [edition for clause in clauses for edition, held in clause.applies.items() if held == number]


def _clauses() -> Iterator[Clause]:
    two = (Edition.TWO_ZERO_ONE, Edition.TWO_ONE)
    yield from (_clause(name, says, (Edition.SIXTEEN, *two)) for name, says in BOTH.items())
    yield from (_clause(name, says, two) for name, says in ONLY_TWO.items())
    yield from (_clause(name, says, (Edition.RFC,)) for name, says in RFCS.items())
    yield from (_clause(name, says, (Edition.ISO,)) for name, says in ISO_15118.items())
    yield from (_clause(name, says, (Edition.SIXTEEN, *two)) for name, says in OCPP_J.items())
    yield from (_clause(name, says, (Edition.OURS,)) for name, says in OURS.items())
    for (name, older), says in RENUMBERED.items():
        yield Clause(name, says, {Edition.SIXTEEN: older} | dict.fromkeys(two, name))
    for number in _ALSO_PROFILE_3:
        says = RENUMBERED[f"A00.FR.{number - _PROFILE_3_OFFSET}", f"A00.FR.{number - _PROFILE_3_OFFSET - 1}"]
        yield _clause(f"A00.FR.{number}", f"In profile 3, too: {says}", (Edition.SIXTEEN, *two))
    yield from (_clause(name, says, (Edition.SIXTEEN,)) for name, says in ONLY_SIXTEEN.items())


def _clause(name: str, says: str, editions: tuple[Edition, ...]) -> Clause:
    return Clause(name, says, dict.fromkeys(editions, name))


_ALSO_PROFILE_3: Final = range(409, 427)  # the TLS rules of profile 2, said again for profile 3
_PROFILE_3_OFFSET: Final = 103

_KNOWN: Final = tuple(_clauses())
CLAUSES: Final[Mapping[str, Clause]] = {clause.id: clause for clause in reversed(_KNOWN)}
"""Every clause, by the id that findings carry; where 1.6 means something else by it, the 2.x meaning."""
