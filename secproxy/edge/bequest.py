"""What one worker knows of transactions, and of what a fleet may still be told, and how both come to the worker that
takes its place.

Rules this file keeps:

* An upgrade makes nobody's transaction anybody's: whose it is goes from each worker to the one of its number, before
  the first station is let go, and what is learned after that goes as it is learned.
* An upgrade allows no burst anew: of what is left of the fleet's rates half goes to the new worker, and half stays for
  those who are still with the old one.
* What goes over has a form. One that is not known is left alone, and so is a CSMS that no settings name.
* Nobody waits for it. A few stations go at a time, so that neither end is held up by many.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from pki.edge.clock import now
from pki.names import IDENTITY_LENGTH
from secproxy.edge.claim_wire import BEQUEST_FORM, Bequeath
from secproxy.policy.gauges import Level  # noqa: TC001 - msgspec reads annotations at run time
from secproxy.transactions import ID_LENGTH, Transactions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from secproxy.policy.gauges import Gauges

AT_ONCE: Final = 100  # stations in one word: 4 KiB as a rule, 75 KiB when each has as many of the longest ids as it may
HALF: Final = 0.5
PAUSE_SECONDS: Final = 0.005  # between two words: 20,000 stations take the second before the first is let go


Identity = Annotated[str, msgspec.Meta(max_length=IDENTITY_LENGTH)]
Id = Annotated[str, msgspec.Meta(max_length=ID_LENGTH)]


class Owned(msgspec.Struct, frozen=True, tag="owned"):
    """Whose transactions are whose at one CSMS: by station the ids, and whether each still runs. Of form 1."""

    csms: str
    by_station: bool
    stations: dict[Identity, dict[Id, bool]]


class Left(msgspec.Struct, frozen=True, tag="left"):
    """What is left of the rates of a fleet; gauges that are not named held half of their burst ``since`` then, seconds
    since 1970. Of form 1."""

    levels: list[Level]
    since: float


_decoder: Final = msgspec.json.Decoder(Owned | Left)


class Knowledge:
    """What one worker knows of transactions, by CSMS, since each numbers them for itself. ``say`` tells its heir."""

    def __init__(self, say: Callable[[Bequeath], None]) -> None:
        self._say = say
        self._known: dict[str, Transactions] = {}
        self._tells = False

    def at(self, csms: str) -> Transactions:
        """What is known of those at this CSMS."""
        if csms not in self._known:
            self._known[csms] = Transactions()
            self._follow(csms)
        return self._known[csms]

    async def hand_on(self, form: int, fleet: Gauges) -> None:
        """Tell all to the worker that takes this one's place, and from now on all that is learned; in no other form."""
        if form != BEQUEST_FORM:
            return
        moment = now().timestamp()
        fleet.halve(moment)
        self._bequeath(Left(fleet.levels(), moment))
        self._tells = True
        for csms, known in list(self._known.items()):
            self._follow(csms)
            names = known.stations()
            for start in range(0, len(names), AT_ONCE):
                self._tell(csms, *names[start : start + AT_ONCE])
                await asyncio.sleep(PAUSE_SECONDS)

    def take(self, word: Bequeath, names: Collection[str], fleet: Gauges) -> None:
        """Take in what the worker before knew, of a CSMS that is among these. What cannot be read is left alone."""
        if word.form != BEQUEST_FORM:
            return
        try:
            found = _decoder.decode(word.known)
        except ValueError:  # that worker may have been taken over, and this one goes on
            return
        if isinstance(found, Left):
            fleet.take_in(found.levels, HALF, found.since)
        elif found.csms in names:
            known = self.at(found.csms)
            known.by_station = known.by_station or found.by_station
            for identity, runs in found.stations.items():
                known.inherit(identity, runs)

    def _follow(self, csms: str) -> None:
        if self._tells:
            self._known[csms].changed = partial(self._tell, csms)

    def _tell(self, csms: str, *identities: str) -> None:
        known = self._known[csms]
        self._bequeath(Owned(csms, known.by_station, {identity: known.of(identity) for identity in identities}))

    def _bequeath(self, known: Owned | Left) -> None:
        self._say(Bequeath(BEQUEST_FORM, msgspec.Raw(msgspec.json.encode(known))))
