"""Which few messages the proxy must think about; every other one goes on untouched.

The plan is made once for a session. The relay looks at a message's head alone and tells the session only what the plan
names, so that a meter value costs no more than a glance.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNED_SUFFIX: Final = "-Signed"  # marks an action whose payload is a signed message (OCPP-J 2.x, 7)

_FROM_STATION: Final = ("BootNotification", "SecurityEventNotification")
_FROM_CSMS: Final = ("UpdateFirmware", "PublishFirmware", "SignedUpdateFirmware")  # in every version: some station
# might know the action of another


class Side(Enum):
    """Who said it, or whom it is said to."""

    STATION = "station"
    CSMS = "csms"


OTHER: Final = {Side.STATION: Side.CSMS, Side.CSMS: Side.STATION}


@dataclass(frozen=True, slots=True)
class Plan:
    """``told`` names, for each side, the actions that the session must be told of, in small letters.

    An action is looked up in small letters, because some station might not mind the case.
    """

    told: Mapping[Side, frozenset[bytes]]


@cache
def compile_plan() -> Plan:
    """Make the plan of a session; it is one for all OCPP versions."""
    sealed = tuple(action + SIGNED_SUFFIX for action in _FROM_CSMS)
    return Plan({Side.STATION: _names(_FROM_STATION), Side.CSMS: _names(_FROM_CSMS + sealed)})


def _names(actions: tuple[str, ...]) -> frozenset[bytes]:
    return frozenset(action.lower().encode() for action in actions)
