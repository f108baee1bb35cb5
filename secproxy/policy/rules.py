"""What a policy is made of, as used: rules that each forbid one thing, and what is let through besides.

Made by ``secproxy.policy.reading`` alone, so nothing here can be wrong. A rule only ever takes away: what all of them
let go goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from secproxy.plan import Need
from secproxy.policy.certificates import Certificates, KeepRoots, Requests
from secproxy.policy.contents import Shape, Vendors
from secproxy.policy.keys import Keys
from secproxy.policy.urls import Urls

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from secproxy.plan import Side


class Mode(StrEnum):
    """What becomes of a message that a rule objects to: it stops here, or it goes on and is noted."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class Scope(StrEnum):
    """Whose messages a rate counts: each station's by themselves, or all stations' together."""

    STATION = "station"
    FLEET = "fleet"


class Rest(StrEnum):
    """Which actions of a side are let through: all, those of the session's OCPP version, or none."""

    ALL = "all"
    KNOWN = "known"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Deny:
    """No such message may pass."""


@dataclass(frozen=True, slots=True)
class KeepProfile:
    """No message may take a station below the security profile it is registered with."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How many messages may pass: on average, and at once."""

    per_minute: float
    burst: float
    scope: Scope


Test = Deny | KeepProfile | Rate | Shape | Urls | Keys | Vendors | Certificates | Requests | KeepRoots


@dataclass(frozen=True, slots=True)
class Window:
    """When a rule applies: from one minute of the day until another, which may be on the next, on days (0: Monday)."""

    begin: int
    end: int
    days: frozenset[int]
    zone: dt.tzinfo

    def holds(self, at: dt.datetime) -> bool:
        """Whether a moment is inside; the day that counts is the one on which the window began."""
        local = at.astimezone(self.zone)
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.begin < self.end:
            return self.begin <= minute < self.end and day in self.days
        if minute >= self.begin:
            return day in self.days
        return minute < self.end and (day - 1) % 7 in self.days


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: whom and what it is about, when, and what it does to what fails its test."""

    name: str
    clause: str
    side: Side
    actions: frozenset[bytes]
    """In small letters."""
    test: Test
    mode: Mode = Mode.ENFORCE
    versions: frozenset[str] = frozenset()
    """As subprotocols; empty: all."""
    window: Window | None = None
    says: str = ""
    """Why there is this rule, for people."""

    @property
    def need(self) -> Need:
        """How far the rule reads a message."""
        return Need.HEAD if isinstance(self.test, Deny | Rate) else Need.WHOLE


@dataclass(frozen=True, slots=True)
class Allow:
    """What is let through where no rule objects: an action that is named, or one of the rest."""

    rest: Rest = Rest.NONE
    named: frozenset[bytes] = frozenset()


NOTHING: Final = Allow()


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy. ``allow`` has both sides; ``mode`` is what becomes of what it does not allow."""

    name: str
    says: str
    allow: Mapping[Side, Allow]
    rules: tuple[Rule, ...]
    mode: Mode = Mode.ENFORCE
