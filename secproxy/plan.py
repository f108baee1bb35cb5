"""Which messages the proxy must think about, and how far it must read them; every other one goes on untouched.

The plan is made once for a session, of the wishes of all who judge messages: it says for each action what its calls
need, and what the answers to them need. The relay looks at a message's head alone and tells the session only what the
plan names, so that a meter value costs no more than a glance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Final

from secproxy import write_only

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNED_SUFFIX: Final = "-Signed"  # marks an action whose payload is a signed message (OCPP-J 2.x, 7)

SIGNED: Final = SIGNED_SUFFIX.lower().encode()
"""The same, at the end of an action as a plan names it."""

_FROM_STATION: Final = ("BootNotification", "SecurityEventNotification")
_FROM_CSMS: Final = ("UpdateFirmware", "PublishFirmware", "SignedUpdateFirmware")  # in every version: some station
# might know the action of another


class Side(Enum):
    """Who said it, or whom it is said to."""

    STATION = "station"
    CSMS = "csms"


OTHER: Final = {Side.STATION: Side.CSMS, Side.CSMS: Side.STATION}


class Need(IntEnum):
    """How far a message must be read. Each need includes the ones before it; of two wishes the greater counts."""

    PASS = 0
    """It goes on after a look at its head; the session does not hear of it."""
    HEAD = 1
    """The session hears of it; its payload is not read."""
    WHOLE = 2
    """The session hears of it and reads all of it strictly."""
    SCHEMA = 3
    """The same, and its payload is held against the schema of its action."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What the messages of one kind need: by action, in small letters, because some station might not mind the case,
    and ``rest`` for every action that is not named."""

    named: Mapping[bytes, Need] = field(default_factory=dict)
    rest: Need = Need.PASS

    def of(self, action: bytes) -> Need:
        """Say what an action needs; it is given in small letters."""
        return self.named.get(action, self.rest)

    def __or__(self, other: Needs) -> Needs:
        """Lay two wishes together: of each action the greater need."""
        actions = self.named.keys() | other.named.keys()
        named = {action: max(self.of(action), other.of(action)) for action in actions}
        return Needs(named, max(self.rest, other.rest))


def _nothing() -> dict[Side, Needs]:
    return {side: Needs() for side in Side}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the messages of each side need: its calls (and messages that nobody answers), and the answers it gives, by
    the action that was asked for. Both sides are named."""

    calls: Mapping[Side, Needs] = field(default_factory=_nothing)
    answers: Mapping[Side, Needs] = field(default_factory=_nothing)

    def __or__(self, other: Plan) -> Plan:
        """Lay two wishes together."""
        return Plan(
            {side: self.calls[side] | other.calls[side] for side in Side},
            {side: self.answers[side] | other.answers[side] for side in Side},
        )


def small(action: str) -> bytes:
    """Write an action as a plan names it."""
    return action.lower().encode()


GATED: Final[Mapping[Side, frozenset[bytes]]] = {
    side: frozenset(small(action + form) for action in actions for form in ("", SIGNED_SUFFIX))
    for side, actions in ((Side.STATION, _FROM_STATION), (Side.CSMS, _FROM_CSMS))
}
"""The calls that the session itself has something to do about, in all OCPP versions, also where they are signed."""

_TELLING, _ANSWERING = (
    frozenset(action + form for action in actions for form in (b"", SIGNED))
    for actions in (write_only.CALLS, write_only.ANSWERS)
)
"""The station's calls, and those of the CSMS whose answers, can tell what nobody may read; signed or not."""

_GATES: Final = Plan(
    {
        Side.STATION: Needs(dict.fromkeys(GATED[Side.STATION] | _TELLING, Need.WHOLE)),
        Side.CSMS: Needs(dict.fromkeys(GATED[Side.CSMS], Need.WHOLE)),
    },
    {Side.STATION: Needs(dict.fromkeys(_ANSWERING, Need.WHOLE)), Side.CSMS: Needs()},
)


def compile_plan(*wishes: Plan) -> Plan:
    """Make the plan of a session: what its own gates need, and whatever others wish for."""
    plan = _GATES
    for wish in wishes:
        plan |= wish
    return plan
