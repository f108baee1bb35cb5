"""Where those wait who may not come in yet: live connections without a CSMS, few of them, and each for a while.

Rules this file keeps:

* It decides nothing: frames become facts for ``secproxy.quarantine`` or ``renewal`` and their orders become frames.
* There is room for so many in one worker and for so few of one network; the next is turned away like any stranger.
* An event about the same name is written once an hour.
* Whoever has been registered meanwhile is let go, so that it comes back as what it is.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Final

from pki.edge.clock import now
from secproxy import frames
from secproxy.buckets import Bucket
from secproxy.edge.listener import host_of, network_of
from secproxy.edge.soon import Soon
from secproxy.events import Note
from secproxy.frames import (
    CLOSE,
    PING,
    POLICY_VIOLATION,
    SERVICE_RESTART,
    TEXT,
    TRY_AGAIN,
    FrameViolationError,
    Walker,
)
from secproxy.orders import HangUp, Heard, HungUp, Record, Say
from secproxy.plan import Side
from secproxy.quarantine import Quarantine
from secproxy.renewal import Certified, Certify, Renewal
from secproxy.strangers import STRANGER, may_stay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from secproxy.config import Limits
    from secproxy.edge.tls import TlsLeg
    from secproxy.orders import Fact
    from secproxy.station_view import View
    from secproxy.strangers import Guest

AGAIN_SECONDS: Final = 3_600.0  # between two events about one name
TOLD_MOST: Final = 10_000  # names remembered for that; the longest told of are forgotten
INTRODUCTIONS: Final = frozenset({"station.quarantined", "cert.expired_pending"})


class WaitingRoom:
    """The guests of one worker. ``record`` writes a security event, ``certify`` asks the authority for a certificate,
    and has its answer come back through ``Waiting.tell``."""

    def __init__(
        self, limits: Limits, record: Callable[[Note], None], certify: Callable[[Waiting, Certify], None]
    ) -> None:
        self._certify = certify
        self._limits = limits
        self._record = record
        self._guests: set[Waiting] = set()
        self._leaving, self._reason = Soon(self._send_away), ""
        self._late = 0  # of the guests, registered stations with an expired certificate
        self._networks: Counter[str] = Counter()
        self._told: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._guests)

    def has_room(self, guest: Guest) -> bool:
        """Whether one more may wait. Strangers do not take the room of registered stations that come late."""
        if guest.because != STRANGER:
            return self._late < self._limits.guests
        here = self._networks[network_of(host_of(guest.remote))]
        return len(self._guests) - self._late < self._limits.guests and here < self._limits.guests_of_one

    def seat(self, guest: Guest, interval: int, leg: TlsLeg) -> None:
        """Take in a connection whose 101 was written."""
        late = guest.because != STRANGER
        talk = Renewal(guest, interval) if late else Quarantine(guest, interval)
        waiting = Waiting(guest, talk, leg, self._limits, (self._note, self._certify), self._gone)
        self._guests.add(waiting)
        self._late += late
        self._networks[network_of(host_of(guest.remote))] += not late
        waiting.open()

    def judge(self, identities: Iterable[str], view: View) -> None:
        """Let those go, of whom something was learned, that have nothing to wait for any more."""
        known = frozenset(identities)
        for waiting in [each for each in self._guests if each.guest.identity.text in known]:
            if not may_stay(waiting.guest, view, now()):
                waiting.close(SERVICE_RESTART, "what is known of the station has changed")

    def send_away(self, reason: str) -> None:
        """End soon all who are here; whoever may still wait comes back."""
        self._reason = reason
        self._leaving.ask(tuple(self._guests))

    def _send_away(self, waiting: Waiting) -> None:
        waiting.close(SERVICE_RESTART, self._reason)

    def leave(self) -> None:
        """End all, because this worker ends."""
        for waiting in tuple(self._guests):
            waiting.close(SERVICE_RESTART, "the proxy is restarting")

    def _gone(self, waiting: Waiting) -> None:
        network, late = network_of(host_of(waiting.guest.remote)), waiting.guest.because != STRANGER
        self._guests.discard(waiting)
        self._late -= late
        self._networks[network] -= not late
        if not self._networks[network]:
            del self._networks[network]

    def _note(self, note: Note) -> None:
        if note.cause not in INTRODUCTIONS or self._is_news(note.station):
            self._record(note)

    def _is_news(self, name: str) -> bool:
        moment = asyncio.get_running_loop().time()
        if moment - self._told.get(name, -AGAIN_SECONDS) < AGAIN_SECONDS:
            return False
        self._told[name] = moment
        self._told.move_to_end(name)
        while len(self._told) > TOLD_MOST:
            self._told.popitem(last=False)
        return True


class Waiting:
    """One connection in the waiting room."""

    __slots__ = (
        "_certify", "_controls", "_ended", "_leg", "_limits", "_loop", "_partial", "_record", "_talk", "_timer",
        "_walker", "guest",
    )  # fmt: skip

    def __init__(
        self,
        guest: Guest,
        talk: Quarantine | Renewal,
        leg: TlsLeg,
        limits: Limits,
        world: tuple[Callable[[Note], None], Callable[[Waiting, Certify], None]],
        ended: Callable[[Waiting], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.guest, self._talk, self._leg, self._limits = guest, talk, leg, limits
        self._record, self._certify = world
        self._ended: Callable[[Waiting], None] | None = ended
        self._walker = Walker(masked=True, limit=limits.frame_up, fragments=limits.fragments)
        self._controls = Bucket(limits.controls_per_second, limits.controls_burst)
        self._partial: asyncio.TimerHandle | None = None
        self._timer = self._loop.call_later(limits.guest_seconds, self.close, TRY_AGAIN, "come back later")

    def open(self) -> None:
        """Let the bytes flow."""
        self._leg.attach(self._hear, self._lost, lambda: None)

    def close(self, code: int, reason: str) -> None:
        """End it with a close frame."""
        self._leg.write(frames.encode_close(code, reason))
        self._lost()

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The certificates it showed, as they were verified, DER."""
        return self._leg.verified_chain()

    def _hear(self, data: bytes) -> None:
        try:
            for frame in self._walker.feed(data):
                self._take(frame)
                if self._ended is None:
                    return
            self._watch_partial()
        except FrameViolationError as violation:
            self._refuse(violation)
        if self._leg.waiting > self._limits.write_high_water:
            self._refuse(FrameViolationError(POLICY_VIOLATION, "what waited was not read"))

    def _refuse(self, violation: FrameViolationError) -> None:
        self._record(Note("frame.violation", self.guest.identity.text, self.guest.remote, {"says": violation.says}))
        self.close(violation.code, violation.says)

    def _take(self, frame: frames.Frame) -> None:
        if frame.opcode == TEXT:
            self.tell(Heard(Side.STATION, frame.payload))
            return
        if not self._controls.take(self._loop.time()):
            raise FrameViolationError(POLICY_VIOLATION, "more control frames than allowed")
        if frame.opcode == PING:
            self._leg.write(frames.encode(frames.PONG, frame.payload))
        elif frame.opcode == CLOSE:
            self._leg.write(frames.encode(CLOSE, frame.payload))
            self._lost()

    def tell(self, fact: Fact | Certified) -> None:
        """Tell its conversation a fact and carry out its orders."""
        talk = self._talk
        if isinstance(fact, Certified):
            orders = talk.tell(fact, now()) if isinstance(talk, Renewal) else []
        else:
            orders = [*talk.tell(fact, now())]
        for order in orders:
            match order:
                case Say(_, message):
                    self._leg.write(frames.encode(TEXT, message))
                case Record(note):
                    self._record(note)
                case HangUp(code, reason):
                    self.close(code, reason)
                case Certify():
                    self._certify(self, order)
                case _:
                    raise AssertionError(f"a guest has nobody for {order}")

    def _watch_partial(self) -> None:
        """A message that has begun must end in time; another byte of it is no progress."""
        if not self._walker.partial and self._partial is not None:
            self._partial.cancel()
            self._partial = None
        elif self._walker.partial and self._partial is None:
            seconds = self._limits.partial_frame_seconds
            self._partial = self._loop.call_later(seconds, self.close, POLICY_VIOLATION, "a frame that did not end")

    def _lost(self) -> None:
        """Forget it. Safe to call again."""
        if self._ended is None:
            return
        ended, self._ended = self._ended, None
        self._timer.cancel()
        if self._partial is not None:
            self._partial.cancel()
        self.tell(HungUp(Side.STATION))
        self._leg.close()
        ended(self)
