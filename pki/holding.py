"""The keys that are ours: what each is for, where it lies, and which of several for one purpose is in use.

A *slot* is a duty that one key at a time fills: signing station certificates, answering for OCSP, being the CSMS's
ECDSA certificate. Keys come into it, are used, and leave it by the steps of ``STEPS`` and by no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pki.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Mapping


class KeyState(StrEnum):
    """Where a key is in its life."""

    NEXT = "next"
    """Trusted already, in use not yet."""
    ACTIVE = "active"
    """In use: the one key of its slot that signs, or is presented."""
    OLD = "old"
    """In use no longer; what it signed still counts."""
    RETIRED = "retired"
    """Neither used nor trusted any more."""


class Keeper(StrEnum):
    """Where a key lies."""

    HERE = "here"
    """With this home: in a file, or in a hardware token."""
    ELSEWHERE = "elsewhere"
    """With somebody else: only its certificate is here (an offline root, an external authority)."""


STEPS: Final[Mapping[KeyState, frozenset[KeyState]]] = {
    KeyState.NEXT: frozenset({KeyState.ACTIVE, KeyState.RETIRED}),
    KeyState.ACTIVE: frozenset({KeyState.OLD}),
    KeyState.OLD: frozenset({KeyState.ACTIVE, KeyState.RETIRED}),
    KeyState.RETIRED: frozenset(),
}
"""From each state, the states that may follow. Who leaves ``ACTIVE`` does so because another came into its slot."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A key of ours: its name, its slot, its role (root, csms, station, ocsp, server ...), its state, its keeper."""

    name: str
    slot: str
    purpose: str
    state: KeyState = KeyState.ACTIVE
    keeper: Keeper = Keeper.HERE


def step(holding: Holding, to: KeyState) -> KeyState:
    """Allow a step. Raises ``ConflictError("issuer.state")`` for one that is not in ``STEPS``."""
    if to not in STEPS[holding.state]:
        raise ConflictError(
            "issuer.state",
            f"the key {holding.name!r} is {holding.state}, so it cannot become {to}",
            "'bollard ca list' shows the state of each.",
        )
    return to
