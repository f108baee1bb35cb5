"""Follows an arrival from step to step, where traces are wanted, and tells of it in spans once it is over.

Rules this file keeps:

* Without a collector in the settings nothing is drawn, measured or kept: an arrival goes by ``UNTRACED``, whose every
  word does nothing.
* Nobody waits for a span. What cannot be kept is counted in ``spans_total``.
* Whether an arrival is told of follows from one draw at its beginning and from whether it was refused.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from secproxy.events import station_name
from secproxy.spans import EVIDENCE, Role, Span, Waiting, write_span, write_traceparent

if TYPE_CHECKING:
    from secproxy.edge.tls import TlsLeg
    from secproxy.events import Note, Value
    from secproxy.tally import Tally
    from secproxy.trace_settings import TraceSettings

WAITING_BYTES: Final = 128 * 1024  # bytes of spans in one worker between two reports; about 90 arrivals a second
DIAL: Final = "csms.dial"  # the step in which somebody else is asked


class Trace:
    """An arrival that nobody traces."""

    __slots__ = ()

    @property
    def parent(self) -> str:
        """The ``traceparent`` for whoever is asked in this step; nothing without a trace."""
        return ""

    def step(self, name: str) -> None:
        """Begin a step, and end the one before."""

    def secured(self, leg: TlsLeg) -> None:
        """Learn by what means the line is secured."""

    def admitted(self, leg: int, note: Note, subprotocol: str, csms: str) -> None:
        """Learn that the last step is over, and that a session begins under the number of its leg."""

    def named(self, note: Note) -> Note:
        """Name the trace in an event of this arrival, the one that says that it was refused, or that it was not."""
        return note

    def end(self, outcome: str, refusal: Note | None = None) -> None:
        """Tell of it: what became of it, and the event of its refusal."""


UNTRACED: Final = Trace()


@dataclass(frozen=True, slots=True)
class _Session:
    trace: str
    parent: str
    begin: int
    facts: dict[str, Value]


class Tracer:
    """The traces of one worker. ``settings`` may change at any time; ``waiting`` are the spans to be sent on."""

    def __init__(self, tally: Tally, settings: TraceSettings | None = None) -> None:
        self.settings = settings
        self.waiting = Waiting(WAITING_BYTES)
        self._tally = tally
        self._sessions: dict[int, _Session] = {}  # by leg, of arrivals that were told of

    def begin(self, profile: int) -> Trace:
        """Follow an arrival at a listener of this security profile."""
        return UNTRACED if self.settings is None else _Traced(self, self.settings, profile)

    def opened(self, leg: int, session: _Session) -> None:
        """A session begins."""
        self._sessions[leg] = session

    def ended(self, leg: int, by: str, messages: tuple[int, int]) -> None:
        """Tell of a session that has ended, if its arrival was told of: who began the end, and messages up and down."""
        session = self._sessions.pop(leg, None)
        if session is None:
            return
        up, down = messages
        facts: dict[str, Value] = {"bollard.messages.station": up, "bollard.messages.csms": down}
        span = Span(
            trace=session.trace,
            id=_span_id(),
            parent=session.parent,
            name="station.session",
            begin=session.begin,
            end=max(session.begin, time.time_ns()),
            facts={**session.facts, **facts, "bollard.closed_by": by},
        )
        self.keep([span])

    def keep(self, spans: list[Span]) -> None:
        """Have the spans of one trace sent, or count them as dropped."""
        if dropped := self.waiting.put([write_span(each) for each in spans]):
            self._tally.count("spans_total", "dropped", by=dropped)


class _Traced(Trace):
    """An arrival that is followed."""

    __slots__ = ("_chance", "_facts", "_id", "_offset", "_root", "_settings", "_steps", "_tracer")

    def __init__(self, tracer: Tracer, settings: TraceSettings, profile: int) -> None:
        self._tracer, self._settings = tracer, settings
        self._chance = random.random()  # noqa: S311 - who is told of is no secret
        self._id, self._root = f"{random.getrandbits(128):032x}", _span_id()  # names, and no secrets
        self._offset = time.time_ns() - time.monotonic_ns()  # so that no step ends before it began
        self._steps: list[tuple[str, str, int]] = []
        self._facts: dict[str, Value] = {"bollard.profile": profile}
        self.step("handshake")

    @property
    def parent(self) -> str:
        _, span, _ = self._steps[-1]
        sampled = self._settings.keeps(self._chance, refused=False)
        return write_traceparent(self._id, span, sampled=sampled)

    def step(self, name: str) -> None:
        self._steps.append((name, _span_id(), time.monotonic_ns() + self._offset))

    def secured(self, leg: TlsLeg) -> None:
        self._facts |= {"bollard.tls.version": leg.version, "bollard.tls.cipher": leg.cipher}

    def admitted(self, leg: int, note: Note, subprotocol: str, csms: str) -> None:
        self.step("")
        station: dict[str, Value] = {"bollard.station": station_name(note.station)}
        self._facts |= {**station, "bollard.subprotocol": subprotocol, "bollard.csms": csms}
        if self._settings.keeps(self._chance, refused=False):
            _, _, begin = self._steps[-1]
            self._tracer.opened(leg, _Session(self._id, self._root, begin, station))

    def named(self, note: Note) -> Note:
        if not self._settings.keeps(self._chance, refused=note.cause != "session.opened"):
            return note
        return replace(note, evidence={**note.evidence, EVIDENCE: self._id})

    def end(self, outcome: str, refusal: Note | None = None) -> None:
        if not self._settings.keeps(self._chance, refused=refusal is not None):
            return
        self._facts["bollard.outcome"] = outcome
        if refusal is not None:
            self._facts["bollard.station"] = station_name(refusal.station)
            self._facts["bollard.csms"] = refusal.evidence.get("upstream", "")
        self._tracer.keep(self._spans("" if refusal is None else refusal.cause))

    def _spans(self, failed: str) -> list[Span]:
        """The arrival, and its steps, of which each ends where the next one begins, and the last is what failed."""
        self.step("")
        root = Span(
            trace=self._id,
            id=self._root,
            name="station.connect",
            role=Role.SERVER,
            begin=self._steps[0][2],
            end=self._steps[-1][2],
            failed=failed,
            facts=self._facts,
        )
        last = len(self._steps) - 2
        steps = [
            Span(
                trace=self._id,
                id=span,
                parent=self._root,
                name=name,
                role=Role.CLIENT if name == DIAL else Role.INTERNAL,
                begin=begin,
                end=self._steps[number + 1][2],
                failed=failed if number == last else "",
            )
            for number, (name, span, begin) in enumerate(self._steps[:-1])
            if name
        ]
        return [root, *steps]


def _span_id() -> str:
    return f"{random.getrandbits(64):016x}"
