"""One direction of a live connection: who speaks, what needs no thought of all that is said, and who listens in.

Rules this file keeps:

* The dull message costs one match of its head, and a look at its payload where this side is held against the schemas.
* Whose head could be read in two ways is never dull, and neither is what the plan names, an id that is not in order,
  or a DataTransfer that may carry a call which is held against the schemas.
* Whoever listens in changes nothing, and costs those nothing whom nobody listens to.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

from secproxy.buckets import Bucket
from secproxy.envelope import HEAD
from secproxy.frames import Walker
from secproxy.plan import OTHER, SIGNED, Side
from secproxy.policy.carried import CARRIERS, may_carry
from secproxy.schemas import fits_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from secproxy.config import Limits
    from secproxy.plan import Plan
    from secproxy.session import Session

_ANSWERS: Final = frozenset({b"3", b"4"})  # the types that close a call
_TWICE: Final = SIGNED + SIGNED  # no schema has such an action; the session refuses it


class Direction:
    """One of the two of a link: what becomes of its frames, and what is remembered of this direction alone."""

    __slots__ = (
        "_asks", "_book", "_call", "_calls", "_carriers", "_replies", "_reply", "_sends", "_waiting", "controls",
        "side", "walker", "write",
    )  # fmt: skip

    def __init__(self, side: Side, session: Session, limits: Limits, write: Callable[[bytes], None]) -> None:
        up = side is Side.STATION
        size = limits.frame_up if up else limits.frame_down
        self.side, self.write = side, write
        self.walker = Walker(masked=up, limit=size, fragments=limits.fragments)
        self.controls = Bucket(limits.controls_per_second, limits.controls_burst)
        self._asks, self._waiting = session.calls[side], session.calls[OTHER[side]]
        inspection = session.inspection
        self._carriers = CARRIERS if inspection is not None and inspection.sides else frozenset()
        self._book = inspection.book if inspection is not None and side in inspection.sides else None
        # what is sent under the name of a call fits no schema; where none is asked, the session knows such names
        self._sends = side in session.senders and (inspection is None or self._book is not None)
        self.follow(session.plan)

    def follow(self, plan: Plan) -> None:
        """Go by this plan from now on."""
        calls, replies = plan.calls[self.side], plan.answers[self.side]
        self._calls, self._call = calls.named, calls.rest  # taken apart: this is looked up for every message
        self._replies, self._reply = replies.named, replies.rest

    def is_dull(self, message: bytes) -> bool:
        """Whether a message needs no thought: its head is plain, the plan does not name it, its id is in order, and,
        where this side is held against the schemas, it fits."""
        head = HEAD.match(message)
        if head is None:
            return False
        kind, _, message_id, action = head.groups()
        book = self._book
        if kind in _ANSWERS:
            asked = self._waiting.asked(message_id)
            if asked is None or self._replies.get(asked, self._reply):
                return False
            if book is not None and (kind == b"4" or not fits_at(book.answers, asked, message, head.end())):
                return False
            return (self._waiting.result if kind == b"3" else self._waiting.answer)(message_id) is not None
        if action is None or (kind == b"6" and not self._sends):
            return False
        small = action.lower()
        if self._calls.get(small, self._call) or (small in self._carriers and may_carry(small, message)):
            return False
        calls = kind == b"2"
        if book is None:
            if small.endswith(_TWICE):
                return False
        elif not fits_at(book.calls if calls else book.sends, action, message, head.end()):
            return False
        return not calls or self._asks.ask(message_id, small, time.time())


class Tap(Protocol):
    """Whoever writes down what is said on a link."""

    def take(self, speaker: str, message: bytes) -> None:
        """Hear a message that the station, the CSMS or the proxy said."""

    def end(self, because: str) -> None:
        """Hear that the link is over."""


class Tapped(Direction):
    """One that somebody listens to. It stands in the plain one's place, which pays nothing for it meanwhile."""

    __slots__ = ("_tap", "way")

    def __init__(self, way: Direction, tap: Tap) -> None:
        self.way, self._tap = way, tap
        self.side, self.write, self.walker, self.controls = way.side, way.write, way.walker, way.controls

    def follow(self, plan: Plan) -> None:
        """Go by this plan from now on."""
        self.way.follow(plan)

    def is_dull(self, message: bytes) -> bool:
        """Tell the listener; decide as ever."""
        self._tap.take(self.side.value, message)
        return self.way.is_dull(message)
