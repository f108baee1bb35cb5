"""Keeps the door for those who ask for certificates: each refusal is an event, and too many of them make a peer wait.

Tokens cannot be guessed and certificates cannot be forged; what is bounded here is the work and the noise that one
network can make. Refusals are counted, successes are not: a site whose stations all enrol at once is no nuisance.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from secproxy.buckets import Bucket
from secproxy.edge.listener import network_of
from secproxy.events import Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from pki.errors import BollardError

RATE: Final = 0.2  # refusals a second that one network may go on with: twelve a minute, 17,000 a day
BURST: Final = 30  # refusals at once; a site's installer who has one thing wrong in thirty stations
NETWORKS_MOST: Final = 10_000  # networks counted at once; the longest unheard of is forgotten


@dataclass(slots=True)
class _Peer:
    bucket: Bucket = field(default_factory=lambda: Bucket(RATE, BURST))
    waits_until: float = 0.0


class Doorkeeper:
    """Counts refusals by network (an IPv4 address, the /64 of an IPv6 one) and writes each down as an event."""

    def __init__(self, record: Callable[[Note], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._record = record
        self._clock = clock
        self._peers: OrderedDict[str, _Peer] = OrderedDict()

    def may_try(self, remote: str) -> bool:
        """Tell whether a peer may try now; ``remote`` is its IP address."""
        peer = self._peers.get(network_of(remote))
        return peer is None or peer.waits_until <= self._clock()

    def failed(self, remote: str, user: str, problem: BollardError) -> None:
        """Take note of a refusal. The event names our code; what the stranger sent is not in it, save the user name."""
        self._record(Note("est.refused", user, remote, {"code": problem.code}))
        now = self._clock()
        peer = self._peers.setdefault(network_of(remote), _Peer())
        self._peers.move_to_end(network_of(remote))
        if not peer.bucket.take(now):
            peer.waits_until = now + 1 / RATE
        while len(self._peers) > NETWORKS_MOST:
            self._peers.popitem(last=False)
