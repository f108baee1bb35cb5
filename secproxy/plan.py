"""Which few messages the proxy must think about; every other one goes on untouched.

The plan is made once for a session. The relay looks at a message's head alone and tells the session only what the plan
names, so that a meter value costs no more than a glance.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGNED_SUFFIX: Final = "-Signed"  # marks an action whose payload is a signed message (OCPP-J 2.x, 7)

_FROM_STATION: Final = ("BootNotification", "SecurityEventNotification")
_FROM_CSMS: Final = ("UpdateFirmware", "PublishFirmware")
_FROM_CSMS_1_6: Final = (*_FROM_CSMS, "SignedUpdateFirmware")


class Side(Enum):
    """Who said it, or whom it is said to."""

    STATION = "station"
    CSMS = "csms"


@dataclass(frozen=True, slots=True)
class Plan:
    """``told`` names, for each side, the actions as they stand in a message's head that the session must be told of."""

    told: Mapping[Side, frozenset[bytes]]


def compile_plan(version: str) -> Plan:
    """Make the plan for a session that speaks ``version``, a subprotocol name such as ``ocpp2.0.1``."""
    csms = _FROM_CSMS_1_6 if version == "ocpp1.6" else _FROM_CSMS
    sealed = tuple(action + SIGNED_SUFFIX for action in csms)
    return Plan({Side.STATION: _names(_FROM_STATION), Side.CSMS: _names(csms + sealed)})


def _names(actions: tuple[str, ...]) -> frozenset[bytes]:
    return frozenset(action.encode() for action in actions)
