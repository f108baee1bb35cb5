"""Connects each station with its CSMS: the first URL that can be reached, and what is known of each of them.

Rules this file keeps:

* A station waits no longer than ``upstream_seconds``, however many URLs there are; only where outages are held may it
  wait for a CSMS to come back, ``hold_seconds`` at most.
* A URL that cannot be reached is left alone until a look of ours finds it again; each change is one event.
* What is known here is this worker's own; workers find out one by one.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pki.edge.clock import now
from pki.errors import BollardError
from secproxy import assertion, handover, proxy_protocol
from secproxy.config import Outage
from secproxy.edge.clear import NO_TLS
from secproxy.edge.csms_tls import CsmsTls
from secproxy.edge.effective import url_of
from secproxy.edge.upstream import UnreachedError, UpstreamError, Way, Wish, ask, reach
from secproxy.events import Note
from secproxy.reachability import Fact, Standing, State, after, order, share, spread
from secproxy.routing import Route, RoutingError, choose, path_there
from secproxy.tally import Tally

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from secproxy.admission import Admitted
    from secproxy.config import Config, Limits
    from secproxy.edge.upstream import UpstreamLeg
    from secproxy.proxy_protocol import Address
    from secproxy.upstreams import Upstream, UpstreamConfig

UNKNOWN: Final = "unknown"  # how a URL stands that nobody has tried
KNOCK_SECONDS: Final = 3.0  # how long a look at a URL that is down may take

_draw = random.SystemRandom().random  # jitter alone; this one needs no seed and is shared by nobody


class NoCsmsError(Exception):
    """No CSMS takes the station; ``note`` is the event."""

    def __init__(self, note: Note) -> None:
        super().__init__(note.cause)
        self.note = note


@dataclass(frozen=True, slots=True)
class Visit:
    """A station that wants to be connected: what was admitted, and what its connection to us is like.

    ``authorization`` is its header's value, ``local`` where it reached us, ``certificate`` gives its DER, or nothing;
    ``traceparent`` names the trace of this arrival, where there is one.
    """

    admitted: Admitted
    authorization: str | None
    tls_version: str
    local: Address
    certificate: Callable[[], bytes]
    traceparent: str = ""


@dataclass(slots=True)
class _Line:
    """What is known of one CSMS."""

    upstream: Upstream
    tls: CsmsTls
    standings: list[Standing]
    tried: set[int] = field(default_factory=set)
    held: int = 0
    back: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced, whenever a URL can be reached again."""


def _line(upstream: Upstream) -> _Line:
    return _Line(upstream, CsmsTls(upstream), [Standing()] * len(upstream.urls))


class Switchboard:
    """The CSMSs of one worker. ``signer`` is the key for assertions, set before the first station comes; ``tally`` is
    counted into.

    ``InputError("upstream.file")`` when a file that a CSMS is reached with cannot be used; ``record`` writes an event,
    ``alarm`` hears of files that went bad later.
    """

    def __init__(self, config: Config, record: Callable[[Note], None], alarm: Callable[[BollardError], None]) -> None:
        self._config, self._limits = config, config.limits
        self._record, self._alarm = record, alarm
        self._lines = {each.name: _line(each) for each in config.upstreams}
        self._looks: set[asyncio.Task[None]] = set()
        self.signer: assertion.Signer | None = None
        self.tally = Tally()

    def reload(self, config: Config) -> None:
        """Go on by other settings. What is known of a CSMS that stays as it was stays; connections are not touched.

        ``InputError("upstream.file")``, and nothing done, when a file that a CSMS is reached with cannot be used.
        """
        known = {line.upstream: line for line in self._lines.values()}
        made = [known.get(each) or _line(each) for each in config.upstreams]
        self._config, self._limits = config, config.limits
        self._lines = {line.upstream.name: line for line in made}

    def close(self) -> None:
        """Look no more."""
        for look in self._looks:
            look.cancel()

    def standings(self) -> list[tuple[str, int, str]]:
        """Tell of each URL, by its CSMS and its place: up, down, or unknown while nobody has tried it."""
        return [
            (name, number, standing.state.value if number in line.tried else UNKNOWN)
            for name, line in self._lines.items()
            for number, standing in enumerate(line.standings)
        ]

    async def connect(self, visit: Visit) -> UpstreamLeg:
        """Open a WebSocket to the CSMS of a station. Raises ``NoCsmsError``."""
        admitted, began = visit.admitted, time.monotonic()  # the loop's own clock knows whole milliseconds alone
        try:
            route = choose(self._config.upstreams, admitted)
        except RoutingError as nowhere:
            raise _nowhere("upstream.none", admitted, {"says": nowhere.says}) from None
        try:
            reached = await self._reach(route, visit)
        except UpstreamError as away:
            evidence = {"says": away.says, "upstream": route.upstream.name, "because": route.because}
            raise _nowhere("upstream.unreachable", admitted, evidence) from None
        reached.csms = route.upstream.name
        self.tally.observe("upstream_dial_seconds", time.monotonic() - began, reached.csms)
        return reached

    async def _reach(self, route: Route, visit: Visit) -> UpstreamLeg:
        """Try once, or, where outages are held, as often as the CSMS comes back while the station waits."""
        line, loop = self._lines[route.upstream.name], asyncio.get_running_loop()
        until = loop.time() + self._limits.hold_seconds if self._config.outage is Outage.HOLD else 0.0
        while True:
            back = line.back
            try:
                return await self._try_all(line, visit, self._headers(route.upstream, visit))
            except UpstreamError:
                away = all(standing.state is State.DOWN for standing in line.standings)
                if not away or loop.time() >= until or not await self._hold(line, back, until - loop.time()):
                    raise

    async def _hold(self, line: _Line, back: asyncio.Event, seconds: float) -> bool:
        """Wait for a URL to come back; those who waited go on one after the other, not all at once."""
        line.held += 1
        held = line.held
        try:
            async with asyncio.timeout(seconds):
                await back.wait()
                await asyncio.sleep(_draw() * spread(held, self._limits))
        except TimeoutError:
            return False
        finally:
            line.held -= 1
        return True

    async def _try_all(self, line: _Line, visit: Visit, headers: list[tuple[str, str]]) -> UpstreamLeg:
        until = asyncio.get_running_loop().time() + self._limits.upstream_seconds
        numbers = order(line.standings, line.upstream.weights, _draw)
        failure = UpstreamError(_all_down(line))
        for place, number in enumerate(numbers):
            seconds = share(until - asyncio.get_running_loop().time(), len(numbers) - place)
            try:
                return await self._try(line, number, visit, headers, seconds)
            except UpstreamError as missed:
                failure = missed
                if missed.final:
                    break
        raise failure

    async def _try(
        self, line: _Line, number: int, visit: Visit, headers: list[tuple[str, str]], seconds: float
    ) -> UpstreamLeg:
        url, admitted = line.upstream.urls[number], visit.admitted
        wish = Wish(path_there(line.upstream.preset, url, admitted), admitted.subprotocols, headers)
        reached: UpstreamLeg | None = None
        try:
            async with asyncio.timeout(seconds):
                reached = await reach(self._way(line, url, _preamble(line.upstream, visit)), self._limits)
                self._learn(line, number, Fact.REACHED)
                await ask(reached, url, wish)
        except TimeoutError:
            if reached is None:
                self._learn(line, number, Fact.MISSED, "no connection in time")
            raise UpstreamError(f"the CSMS did not answer within {seconds:.1f} s") from None
        except UnreachedError as missed:
            self._learn(line, number, Fact.MISSED, missed.says)
            raise
        return reached

    def _headers(self, upstream: Upstream, visit: Visit) -> list[tuple[str, str]]:
        certificate = visit.certificate() if handover.wants_certificate(upstream.preset) else b""
        signed = self._assert(upstream, visit.admitted) if upstream.assertion else ""
        shown = visit.authorization, certificate, signed, visit.traceparent
        return handover.headers(upstream.preset, visit.admitted, *shown)

    def _assert(self, upstream: Upstream, admitted: Admitted) -> str:
        if self.signer is None:
            raise UpstreamError("there is no key for assertions yet", final=True)
        nonce, host = os.urandom(assertion.NONCE_BYTES), self._config.csms_host.text
        return self.signer.sign(assertion.claims(host, upstream.name, admitted, now(), nonce))

    def _way(self, line: _Line, url: UpstreamConfig, preamble: bytes) -> Way:
        return Way(url, self._tls(line) if url.secure else None, preamble)

    def _tls(self, line: _Line) -> ssl.SSLContext | None:
        try:
            return line.tls.current()
        except BollardError as problem:
            self._alarm(problem)
            return line.tls.current()

    # -- what is known of each URL ---------------------------------------------------------------------------------

    def _learn(self, line: _Line, number: int, fact: Fact, says: str = "") -> None:
        line.tried.add(number)
        former, moment = line.standings[number], asyncio.get_running_loop().time()
        standing = line.standings[number] = after(former, fact, moment, _draw(), self._limits)
        if not standing.changed:
            return
        url = url_of(line.upstream.urls[number])
        if standing.state is State.DOWN:
            self._record(Note("upstream.down", evidence={"upstream": line.upstream.name, "url": url, "says": says}))
            look = asyncio.ensure_future(self._look_until_up(line, number))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)
            return
        seconds = round(moment - former.since, 1)
        self._record(Note("upstream.up", evidence={"upstream": line.upstream.name, "url": url, "seconds": seconds}))
        line.back.set()
        line.back = asyncio.Event()

    async def _look_until_up(self, line: _Line, number: int) -> None:
        url, loop = line.upstream.urls[number], asyncio.get_running_loop()
        preamble = proxy_protocol.LOCAL if line.upstream.proxy_protocol else b""
        while line.standings[number].state is State.DOWN and self._lines.get(line.upstream.name) is line:
            await asyncio.sleep(line.standings[number].look_at - loop.time())
            missed = await knock(self._way(line, url, preamble), self._limits)
            if line.standings[number].state is State.DOWN:
                self._learn(line, number, Fact.MISSED if missed else Fact.REACHED)


async def knock(way: Way, limits: Limits) -> str:
    """Connect as for a station, TLS included, and hang up; return what is wrong, or nothing."""
    try:
        async with asyncio.timeout(KNOCK_SECONDS):
            leg = await reach(way, limits)
    except TimeoutError:
        return f"it does not answer within {KNOCK_SECONDS:.0f} seconds"
    except UnreachedError as missed:
        return missed.says
    leg.abort()
    return ""


def _preamble(upstream: Upstream, visit: Visit) -> bytes:
    if not upstream.proxy_protocol:
        return b""
    admitted = visit.admitted
    host, _, port = admitted.remote.rpartition(":")
    shown = admitted.certificate
    caller = proxy_protocol.Caller(
        "" if visit.tls_version == NO_TLS else visit.tls_version,
        admitted.station.identity.text,
        shown.common_names[0] if shown else "",
    )
    return proxy_protocol.write((host.strip("[]"), int(port)), visit.local, caller)


def _all_down(line: _Line) -> str:
    return f"no URL of {line.upstream.name} can be reached; stations are not sent there until one can"


def _nowhere(cause: str, admitted: Admitted, evidence: dict[str, str]) -> NoCsmsError:
    return NoCsmsError(Note(cause, admitted.station.identity.text, admitted.remote, {**evidence}))
