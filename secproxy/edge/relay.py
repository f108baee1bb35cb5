"""The live connection of one station: two legs, frames passed on as they came, the session asked where its plan says.

Rules this file keeps:

* The dull message costs a frame walk and one match of its head; the session hears only what its plan names, and every
  message whose head could be read in two ways.
* Pings are answered here and pongs end here: each leg's health is our own affair. A close frame is passed on.
* Nobody is read faster than it may speak, nor than the other side reads (``pace``).
* A CSMS that dies lets its stations go one after the other, unread meanwhile, so that nothing they say is lost.
* When one leg ends the other is closed; ``ended`` is called once, whatever happens.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from pki.edge.clock import now
from secproxy import frames
from secproxy.edge.direction import Direction, Tapped
from secproxy.edge.pace import Pace
from secproxy.edge.upstream import mask
from secproxy.events import Note
from secproxy.frames import (
    CLOSE,
    GOING_AWAY,
    PING,
    POLICY_VIOLATION,
    SERVICE_RESTART,
    TEXT,
    TRY_AGAIN,
    FrameViolationError,
    Walker,
)
from secproxy.orders import Ask, Declined, Forward, Granted, HangUp, Heard, HungUp, Learn, Record, Say
from secproxy.plan import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pki.station import Station
    from secproxy.admission import Admitted
    from secproxy.config import Limits
    from secproxy.edge.direction import Tap
    from secproxy.edge.tls import TlsLeg
    from secproxy.edge.upstream import UpstreamLeg
    from secproxy.events import Value
    from secproxy.orders import Order
    from secproxy.policy.rulebook import InForce
    from secproxy.session import Session

LEAVES_ALL: Final = frozenset({GOING_AWAY, 1011, SERVICE_RESTART, TRY_AGAIN})  # close codes of a server that leaves
FAREWELL_SECONDS: Final = 5.0  # how long the peers may take to close after a close frame has passed


class Surroundings(Protocol):
    """What a link needs of the worker it lives in."""

    def record(self, note: Note) -> None:
        """Write a security event before anything else happens."""

    def grant(self, link: Link, ask: Ask) -> None:
        """Ask the authority for a download URL; the answer comes back through ``Link.tell``."""

    def learn(self, link: Link, learned: Learn) -> None:
        """Tell the authority what the station said of itself."""

    def grace(self) -> float:
        """Seconds until a station whose CSMS has died is let go: each its own, so that not all come back at once."""


class Link:
    """One admitted station, from its 101 to its end.

    ``deflate`` are the bits of the window with which it may compress, else 0.
    """

    __slots__ = (
        "_alive", "_down", "_down_due", "_ended", "_goodbye", "_loop", "_orphaned", "_pace", "_partial", "_session",
        "_tap", "_up", "_up_due", "_world", "admitted", "by", "identity", "leg", "limits", "station", "upstream",
    )  # fmt: skip

    def __init__(
        self,
        leg: int,
        admitted: Admitted,
        session: Session,
        station: TlsLeg,
        upstream: UpstreamLeg,
        limits: Limits,
        world: Surroundings,
        ended: Callable[[Link], None],
        deflate: int = 0,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.leg, self.admitted, self.limits = leg, admitted, limits
        self.identity = admitted.station.identity.text
        self.station, self.upstream = station, upstream
        self._session, self._world = session, world
        self._ended: Callable[[Link], None] | None = ended
        self._up: Direction = Direction(Side.STATION, session, limits, upstream.write)
        self._up.walker.deflate = deflate
        self._down: Direction = Direction(Side.CSMS, session, limits, station.write)
        self._tap: Tap | None = None
        self._partial: asyncio.TimerHandle | None = None
        self._pace: Pace | None = None
        self._up_due = self._down_due = limits.messages_burst  # messages; below it there is nothing to measure
        self._orphaned = False
        self._alive: asyncio.Future[bool] | None = None
        self._goodbye = False
        self.by = ""  # who began its end: station, csms or proxy

    @property
    def messages(self) -> tuple[int, int]:
        """Whole messages of the station and of the CSMS so far."""
        return self._up.walker.messages, self._down.walker.messages

    def obey(self, find: Callable[[Station, str], InForce]) -> None:
        """Go on under the policy that is in force now."""
        self._session.obey(find)
        for way in (self._up, self._down):
            way.follow(self._session.plan)

    def tap(self, tap: Tap | None) -> None:
        """Have all that is said from now on heard by a listener, or by nobody any more. One at a time."""
        self._tap = tap
        up, down = (way.way if isinstance(way, Tapped) else way for way in (self._up, self._down))
        self._up, self._down = (up, down) if tap is None else (Tapped(up, tap), Tapped(down, tap))

    def open(self) -> None:
        """Let the bytes flow."""
        self.station.attach(self._from_station, self._station_gone, self._station_drained)
        self.upstream.attach(self._from_csms, self._csms_gone, self._csms_blocked)

    # -- bytes in --------------------------------------------------------------------------------------------------

    def _from_station(self, data: bytes) -> None:
        if self._alive is not None and not self._alive.done():
            self._alive.set_result(True)
        try:
            messages = self._up.walker.messages
            self._pass(self._up, data)
            if self._partial is not None or self._up.walker.partial:
                self._watch_partial(progress=self._up.walker.messages > messages)
            if self._up.walker.messages >= self._up_due and self._ended is not None:
                self._up_due = self._paced().measure(Side.STATION, self._up.walker.messages)
        except FrameViolationError as violation:
            self._refuse_frame(violation)

    def _from_csms(self, data: bytes) -> None:
        try:
            self._pass(self._down, data)
        except FrameViolationError as violation:
            self._world.record(Note("frame.violation", self.identity, "csms", {"says": violation.says}))
            self.close(GOING_AWAY, "the CSMS broke the framing rules", (violation.code, violation.says))
            return
        if self._down.walker.messages >= self._down_due and self._ended is not None:
            self._down_due = self._paced().measure(Side.CSMS, self._down.walker.messages)
        if self.station.waiting > self.limits.write_high_water and self.upstream.transport is not None:
            self._fill(Side.STATION)

    def _pass(self, way: Direction, data: bytes) -> None:
        """Pass frames on in one write. Whatever is said in between goes after what came before it."""
        message = way.walker.whole(data)
        if message is not None:
            if (way.is_dull(message) or self.tell(Heard(way.side, message))) and self._ended is not None:
                way.write(data)
            return
        found, violation = _walk(way.walker, data)
        run: list[bytes] = []
        for frame in found:
            if frame.opcode == TEXT and way.is_dull(frame.payload):
                run.append(frame.raw)
                continue
            if run:
                way.write(b"".join(run))
                run.clear()
            if self._think(way, frame):
                run.append(frame.raw)
            if self._ended is None:
                return
        if run:
            way.write(run[0] if len(run) == 1 else b"".join(run))
        if violation is not None:
            raise violation

    def _think(self, way: Direction, frame: frames.Frame) -> bool:
        """Whether a frame that is not dull goes on as it is; what must be said or done instead is done here."""
        if frame.opcode == TEXT:
            return self.tell(Heard(way.side, frame.payload))
        if not way.controls.take(self._loop.time()):
            raise FrameViolationError(POLICY_VIOLATION, "more control frames than allowed")
        if frame.opcode == PING:
            self._say(way.side, frames.PONG, frame.payload)
        elif frame.opcode == CLOSE:
            if way.side is Side.CSMS and not self._goodbye and frames.close_code(frame.payload) in LEAVES_ALL:
                self.upstream.write(frames.encode(CLOSE, frame.payload, mask()))
                self._orphan(frame.raw)
                return False
            self._goodbye, self.by = True, self.by or way.side.value
            self._loop.call_later(FAREWELL_SECONDS, self._lost)
            return True
        return False

    def _say(self, side: Side, opcode: int, payload: bytes) -> None:
        if self._tap is not None and opcode == TEXT:
            self._tap.take("proxy", payload)
        if side is Side.STATION:
            self.station.write(frames.encode(opcode, payload))
        else:
            self.upstream.write(frames.encode(opcode, payload, mask()))

    # -- the session -----------------------------------------------------------------------------------------------

    def tell(self, fact: Heard | Granted | Declined) -> bool:
        """Tell the session a fact and carry out its orders; True when the message just heard is to go on as it is."""
        forward = False
        for order in self._session.tell(fact, now()):
            if isinstance(order, Forward):
                forward = True
            else:
                self._carry_out(order)
        return forward

    def _carry_out(self, order: Order) -> None:
        match order:
            case Say(side, message):
                self._say(side, TEXT, message)
            case Record(note):
                self._world.record(note)
            case Ask():
                self._world.grant(self, order)
            case Learn():
                self._world.learn(self, order)
            case HangUp(code, reason):
                self.close(code, reason)

    # -- the ends --------------------------------------------------------------------------------------------------

    def close(self, code: int, reason: str, csms: tuple[int, str] | None = None) -> None:
        """End both legs, with a close frame each; ``csms`` are code and reason for it, where it is about the CSMS."""
        self.by = self.by or "proxy"
        self.station.write(frames.encode_close(code, reason))
        self.upstream.write(frames.encode_close(*(csms or (GOING_AWAY, reason)), mask()))
        self._lost()

    async def answers(self, seconds: float) -> bool:
        """Ping the station; whether it says anything within that time. A dead leg is ended by the caller, unless it is
        known to have gone and only waits for its turn."""
        if self.station.gone:
            self._station_gone()
        if self._orphaned or self._ended is None:
            return False
        self._alive = self._loop.create_future()
        self.station.write(frames.encode(PING, b"bollard"))
        try:
            async with asyncio.timeout(seconds):
                return await self._alive
        except TimeoutError:
            return False
        finally:
            self._alive = None

    def _station_gone(self) -> None:
        if self._ended is None:
            return
        self.by = self.by or Side.STATION.value
        if not self._goodbye:
            self.upstream.write(frames.encode_close(GOING_AWAY, "the station hung up", mask()))
        self._lost()

    def _csms_gone(self) -> None:
        if self._goodbye:
            self._lost()
        else:
            self._orphan(frames.encode_close(GOING_AWAY, "the CSMS hung up"))

    def _orphan(self, farewell: bytes) -> None:
        """The CSMS leaves this station, and most likely all others: say so when it is this one's turn.

        Until then the station is not read. What it sends meanwhile it knows to be unanswered, and will send again.
        """
        if not self._orphaned and self._ended is not None:
            self._orphaned, self.by = True, self.by or Side.CSMS.value
            if self._pace is not None:
                self._pace.forgive(Side.CSMS)
            self.rest(Side.STATION)
            self._loop.call_later(self._world.grace(), self._let_go, farewell)

    def _let_go(self, farewell: bytes) -> None:
        self.station.write(farewell)
        self._lost()

    def _lost(self) -> None:
        """One leg has ended: end the other. Safe to call again."""
        if self._ended is None:
            return
        ended, self._ended = self._ended, None
        if self._partial is not None:
            self._partial.cancel()
        if self._pace is not None:
            self._pace.end()
            self._pace = None
        if self._alive is not None and not self._alive.done():
            self._alive.set_result(False)
        if self._tap is not None:
            self._tap.end("the connection is over")
        self._session.tell(HungUp(Side.STATION), now())
        self.station.close()
        self.upstream.close()
        ended(self)

    def _refuse_frame(self, violation: FrameViolationError) -> None:
        self.give_up(violation.cause, {"says": violation.says}, violation.code, violation.says)

    def give_up(
        self, cause: str, evidence: Mapping[str, Value], code: int, reason: str, csms: tuple[int, str] | None = None
    ) -> None:
        """End both legs with an event; ``csms`` as for ``close``."""
        self._world.record(Note(cause, self.identity, self.admitted.remote, evidence))
        self.close(code, reason, csms)

    def _watch_partial(self, *, progress: bool) -> None:
        """A message that has begun must end in time, or the peer is holding our memory on purpose."""
        if self._partial is not None and (progress or not self._up.walker.partial):
            self._partial.cancel()
            self._partial = None
        if self._partial is None and self._up.walker.partial and self._ended is not None:
            self._partial = self._loop.call_later(self.limits.partial_frame_seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._refuse_frame(FrameViolationError(POLICY_VIOLATION, "a frame that did not end in time"))

    # -- the pace --------------------------------------------------------------------------------------------------

    def _paced(self) -> Pace:
        if self._pace is None:
            self._pace = Pace(self.limits, self)
        return self._pace

    def _fill(self, reader: Side) -> None:
        if self._ended is not None:
            self._paced().fill(reader)

    def _station_drained(self) -> None:
        if self._pace is not None:
            self._pace.drain(Side.STATION)

    def _csms_blocked(self, blocked: bool) -> None:
        """While the CSMS does not read, the station is not read, and no time runs against it."""
        if blocked:
            self._fill(Side.CSMS)
        elif self._pace is not None:
            self._pace.drain(Side.CSMS)

    def rest(self, side: Side) -> None:
        """Do not read a side, and hold no time against it."""
        if side is Side.CSMS:
            if self.upstream.transport is not None:
                self.upstream.transport.pause_reading()
            return
        self.station.pause()
        if self._partial is not None:
            self._partial.cancel()
            self._partial = None

    def read_on(self, side: Side) -> None:
        """Read a side again; a station whose CSMS has left is not."""
        if side is Side.CSMS and self.upstream.transport is not None:
            self.upstream.transport.resume_reading()
        elif side is Side.STATION and not self._orphaned:
            self.station.resume()
            self._watch_partial(progress=False)


def _walk(walker: Walker, data: bytes) -> tuple[list[frames.Frame], FrameViolationError | None]:
    """The frames in the next bytes, and what is wrong with what follows them."""
    try:
        return walker.feed(data), None
    except FrameViolationError as violation:
        return violation.before, violation
