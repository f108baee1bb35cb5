"""What one session has told and counted beyond its dull messages; it is made when there is something to write in it.

A worker holds ten thousand sessions, and in most of them nothing ever happens that is worth a word.

Rules this file keeps:

* A fault that is let go is told once for each place; what a session may tell, and may search for, is bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secproxy.buckets import Bucket

if TYPE_CHECKING:
    from pki.firmware.gate import Cleared
    from secproxy.envelope import Call
    from secproxy.plan import Side
    from secproxy.schemas import Fault

TOLD_MOST: Final = 32  # places of one session that are told; who breaks more has been noticed
LOOKS_PER_SECOND: Final = 1.0  # searches for the faults of what is let go, on average; one takes up to 2 ms
LOOKS_AT_ONCE: Final = 20


class Notebook:
    """``pending`` are the firmware updates that wait for their URL, by ticket; ``secrets`` names those of which it was
    told that the station tells them."""

    __slots__ = ("_looks", "_ticket", "_told", "pending", "secrets")

    def __init__(self) -> None:
        self.pending: dict[int, tuple[Call, Cleared]] = {}
        self.secrets: set[str] = set()
        self._ticket = 0
        self._told: set[tuple[Side, str, str, str]] = set()
        self._looks = Bucket(LOOKS_PER_SECOND, LOOKS_AT_ONCE)

    def await_url(self, call: Call, cleared: Cleared) -> int:
        """Keep an update that waits; return its ticket."""
        self._ticket += 1
        self.pending[self._ticket] = (call, cleared)
        return self._ticket

    def may_look(self, at: float) -> bool:
        """Whether the faults of one more message that is let go may be searched for; time as ``Bucket`` has it."""
        return self._looks.take(at)

    def news(self, side: Side, action: str, faults: tuple[Fault, ...]) -> list[Fault]:
        """Choose the faults that were not told yet, and take them for told."""
        found = []
        for fault in faults:
            place = (side, action, fault.place, fault.rule)
            if place not in self._told and len(self._told) < TOLD_MOST:
                self._told.add(place)
                found.append(fault)
        return found
