"""Which calls of one side wait for their answer, so that no answer comes out of nowhere and no id means two things.

OCPP-J 4.1.4: an id is the caller's own and names one call; an answer carries the id of the call it answers. A call
that was never answered must not block its id for ever: stations repeat such calls, some of them under the same id.
In OCPP 2.1 a caller may object to a result, once, under the same id.
"""

from __future__ import annotations

from typing import Final

OPEN_LIMIT: Final = 1_024  # calls of one side that wait; OCPP-J 4.1.1 allows one, but nobody who sends all at once what
# he gathered while offline is to find its answers dropped. 300 KiB at worst, about what may wait for a slow reader
RETRY_SECONDS: Final = (
    10.0  # after which an unanswered call's id may name its repetition; ours: below every known time-out
)
RESULTS_KEPT: Final = 4  # results of one side's calls that may still be called senseless (OCPP 2.1); ours


class Calls:
    """The open calls of one side. Time is given, in seconds since 1970. ``objects``: a caller may find no sense in a
    result."""

    __slots__ = ("_objects", "_open", "_results")

    def __init__(self, *, objects: bool = False) -> None:
        self._open: dict[bytes, tuple[bytes, float]] = {}
        self._objects = objects
        self._results: tuple[bytes, ...] = ()  # a deque takes 600 bytes, of each of ten thousand sessions

    def ask(self, id: bytes, action: bytes, at: float) -> bool:  # noqa: A002 - OCPP's own word
        """Note a call; False, and nothing noted, while another of this id waits. Of too many the oldest goes.

        ``action`` is given, and told by the others, in small letters, as plans name it.
        """
        waiting = self._open.get(id)
        if waiting is not None and at - waiting[1] < RETRY_SECONDS:
            return False
        if len(self._open) >= OPEN_LIMIT:
            del self._open[next(iter(self._open))]
        self._open[id] = action, at
        return True

    def asked(self, id: bytes) -> bytes | None:  # noqa: A002 - OCPP's own word
        """Return the action of the call of this id, or None when none waits."""
        waiting = self._open.get(id)
        return None if waiting is None else waiting[0]

    def answer(self, id: bytes) -> bytes | None:  # noqa: A002 - OCPP's own word
        """Close the call that is answered; return its action, or None when no call of this id waits."""
        waiting = self._open.pop(id, None)
        return None if waiting is None else waiting[0]

    def result(self, id: bytes) -> bytes | None:  # noqa: A002 - OCPP's own word
        """Close a call as ``answer`` does, with a result that its caller may still object to."""
        action = self.answer(id)
        if self._objects and action is not None:
            self._results = (*self._results, id)[-RESULTS_KEPT:]
        return action

    def object_to(self, id: bytes) -> bool:  # noqa: A002 - OCPP's own word
        """Note that the caller found no sense in the result of this id; False when there was none, or once before."""
        if id not in self._results:
            return False
        at = self._results.index(id)
        self._results = self._results[:at] + self._results[at + 1 :]
        return True
