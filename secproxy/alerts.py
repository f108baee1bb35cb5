"""Alert rules: so many events of one kind within so many seconds, of one station or of all, make one event of our own.

Rules this file keeps:

* Time is that of the events; nothing is looked up. Told the same events again, it says the same again.
* A rule says nothing more for a station (or for all) until its window is over. Alerts that were raised earlier are
  told as events, so that a restart raises none twice.
* What is remembered is bounded: when there is too much, the station heard of least recently is forgotten.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from secproxy.events import Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from secproxy.events import Value
    from secproxy.export.event import Event

CAUSE: Final = "alert.threshold"
REMEMBERED: Final = 200_000  # moments of all rules together; about 20 MB


@dataclass(frozen=True, slots=True)
class AlertRule:
    """``count`` events of ``type`` or with ``cause`` (one of both is empty) within ``within`` seconds."""

    name: str
    type: str
    cause: str
    count: int
    within: int
    each_station: bool
    """Whether every station is counted by itself."""

    def is_about(self, event: Event) -> bool:
        """Tell whether an event counts."""
        return event.cause != CAUSE and (self.type in ("", event.type)) and (self.cause in ("", event.cause))


@dataclass(slots=True)
class _Seen:
    moments: list[float] = field(default_factory=list)  # seconds since 1970
    quiet_until: float = -math.inf


class Alerts:
    """What the rules have seen so far."""

    def __init__(self, rules: Sequence[AlertRule]) -> None:
        self._rules = {rule.name: rule for rule in rules}
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()
        self._remembered = 0

    @property
    def longest(self) -> int:
        """The longest window in seconds: events older than it change nothing."""
        return max((rule.within for rule in self._rules.values()), default=0)

    def tell(self, event: Event) -> list[Note]:
        """Tell what was recorded; hear which alerts it raises."""
        if event.cause == CAUSE:
            self._learn(event)
            return []
        about = [rule for rule in self._rules.values() if rule.is_about(event)]
        notes = [note for rule in about if (note := self._count(rule, event))]
        self._forget()
        return notes

    def _learn(self, event: Event) -> None:
        rule = self._rules.get(str(event.evidence.get("rule")))
        if rule is not None:
            seen = self._of(rule, event.station)
            seen.quiet_until = max(seen.quiet_until, event.time.timestamp() + rule.within)

    def _count(self, rule: AlertRule, event: Event) -> Note | None:
        station = event.station if rule.each_station else ""
        seen = self._of(rule, station)
        now = event.time.timestamp()
        if now < seen.quiet_until:
            return None
        before = len(seen.moments)
        seen.moments = sorted([*seen.moments, now])  # of two processes' events the earlier may be recorded later
        seen.moments = [moment for moment in seen.moments if moment > seen.moments[-1] - rule.within]
        note = self._raise(rule, station, seen, event) if len(seen.moments) >= rule.count else None
        self._remembered += len(seen.moments) - before
        return note

    def _raise(self, rule: AlertRule, station: str, seen: _Seen, event: Event) -> Note:
        evidence: dict[str, Value] = {
            "rule": rule.name,
            "counted": rule.type or rule.cause,
            "count": len(seen.moments),
            "within_seconds": rule.within,
            "seconds": round(seen.moments[-1] - seen.moments[0], 3),
            "last_event": event.id,
            "last_station": event.station,
            "last_remote": event.remote,
        }
        seen.quiet_until = seen.moments[-1] + rule.within
        seen.moments.clear()
        return Note(CAUSE, station, event.remote if rule.each_station else "", evidence)

    def _of(self, rule: AlertRule, station: str) -> _Seen:
        key = (rule.name, station)
        seen = self._seen.setdefault(key, _Seen())
        self._seen.move_to_end(key)
        return seen

    def _forget(self) -> None:
        while self._remembered + len(self._seen) > REMEMBERED and len(self._seen) > 1:
            _, seen = self._seen.popitem(last=False)
            self._remembered -= len(seen.moments)
