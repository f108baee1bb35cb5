"""Whose transaction is whose, and what was told before: for the messages that cost somebody money.

Rules this file keeps:

* In OCPP 1.6 a transaction is the station's to which the CSMS gave its id; in 2.x it is that of the station that named
  it first, and only a name that no two stations choose by chance says anything.
* Nothing is concluded from an id that is not known: what another worker heard, or this one before it was started, is
  not known here. An id is somebody else's only if it was seen to be, and never seen to be this station's.
* A CSMS that gives one id to two stations whose transactions both run numbers them for each station alone. From then on
  ids of 1.6 say nothing about whose they are, and nothing is concluded from them.
* A repetition is told, never stopped: stations repeat what was not answered, and rightly so. Only what was answered
  comes again for another reason.
* Nothing here grows without end: each station has so many ids and messages, and there are so many stations.
* What is handed on to whoever takes this one's place is whose transaction is whose. What was told is not: a repetition
  is a note alone, and what it is held against would be twenty times as much.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from secproxy.calls import OPEN_LIMIT
from secproxy.plan import SIGNED, Need, Needs, Plan, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

START: Final = b"starttransaction"
STOP: Final = b"stoptransaction"
EVENT: Final = b"transactionevent"
METER: Final = b"metervalues"

STATIONS_LIMIT: Final = 20_000  # stations remembered, those not heard of for longest forgotten; a worker serves 10,000
IDS_LIMIT: Final = 16  # transactions of one station; it has a few connectors, and a queue from when it was offline
TOLD_LIMIT: Final = 16  # messages of one station that a repetition is held against; about 7 KiB when all are full
NAME_LENGTH: Final = 32  # characters from which no two stations choose one name for a transaction: a UUID's digits
ID_LENGTH: Final = 36  # characters; OCPP 2.0.1, 3.51 TransactionType

WATCHED: Final = frozenset({START, STOP, EVENT, METER})
_BITS: Final = 64  # of a digest; who finds two messages of one digest has hidden one repetition from us
_ALWAYS: Final = Needs({START: Need.WHOLE, STOP: Need.WHOLE, EVENT: Need.WHOLE, EVENT + SIGNED: Need.WHOLE})
_ANSWERS: Final = Needs({START: Need.WHOLE, STOP: Need.HEAD, EVENT: Need.HEAD, EVENT + SIGNED: Need.HEAD})


def wish(*, unique: bool) -> Plan:
    """What must be read for this. Meter values, which are many, only where an id that is another's can be refused."""
    calls = _ALWAYS | Needs({METER: Need.WHOLE}) if unique else _ALWAYS
    return Plan({Side.STATION: calls, Side.CSMS: Needs()}, {Side.STATION: Needs(), Side.CSMS: _ANSWERS})


@dataclass(frozen=True, slots=True)
class Said:
    """What a call of a station's says of a transaction. ``owner`` is the station whose it is, empty when it is the
    caller's own or nobody knows; ``repeats`` whether the same was told, and answered, in an earlier session."""

    transaction: str
    owner: str
    repeats: bool
    changed: bool = False
    """Whether what is repeated is not what was told before."""
    key: int = 0
    """What the message is known by when it comes again."""


@dataclass(slots=True)
class _Station:
    runs: dict[str, bool] = field(default_factory=dict)
    """Its transactions, and whether each still runs as far as is known."""
    told: dict[int, int] = field(default_factory=dict)
    """What it told, by key: the session's number, what was said in ``_BITS`` bits, and whether it was answered, packed
    into one number; there are many of them."""


class Transactions:
    """What one worker knows of transactions; shared by its sessions."""

    def __init__(self) -> None:
        self.changed: Callable[[str], None] | None = None
        """Called with each station of which something was learned that ``of`` tells."""
        self.by_station = False
        """Whether the CSMS was seen to number the transactions of each station for itself."""
        self._stations: dict[str, _Station] = {}
        self._owners: dict[str, str] = {}
        self._sessions = 0

    def open_session(self) -> int:
        """Give a session its number."""
        self._sessions += 1
        return self._sessions

    def hear(self, identity: str, session: int, action: bytes, payload: Mapping[str, object]) -> Said:
        """Hear a call of a station's. ``action`` is in small letters; the payload may be anything that JSON can say."""
        station = self._station(identity)
        name = _name(action, payload)
        owner = self._owner(identity, station, name, action)
        if owner:
            return Said(name, owner, repeats=False)
        if action == EVENT and len(name) >= NAME_LENGTH:
            self._give(identity, station, name)
        if action == STOP and station.runs.get(name):
            station.runs[name] = False
            self._tell(identity)
        if action == METER:
            return Said(name, "", repeats=False)
        return self._repeated(station, session, name, _key(action, name, payload), _digest(payload))

    def answered(self, identity: str, key: int) -> None:
        """The CSMS has answered what is known by this key: whoever tells it again in another session had no need to."""
        told = self._station(identity).told
        if key in told:
            told[key] |= 1

    def given(self, identity: str, answer: Mapping[str, object]) -> str:
        """The CSMS has answered a StartTransaction; return the station that has the same id in use, or nothing."""
        number = answer.get("transactionId")
        if type(number) is not int:
            return ""
        name, station = str(number), self._station(identity)
        other = self._owners.get(name, identity)
        clash = other != identity and self._stations[other].runs[name]
        first = clash and not self.by_station
        self.by_station = self.by_station or clash
        self._give(identity, station, name)
        return other if first else ""

    def stations(self) -> list[str]:
        """Those that have transactions, the one heard of last first."""
        return [identity for identity, station in reversed(self._stations.items()) if station.runs]

    def of(self, identity: str) -> dict[str, bool]:
        """A station's transactions by id, and whether each still runs as far as is known."""
        station = self._stations.get(identity)
        return dict(station.runs) if station else {}

    def inherit(self, identity: str, runs: Mapping[str, bool]) -> None:
        """Take in what another knew of a station, in the bounds there are; nothing is forgotten for it.

        It is the older knowledge. So a name of 2.x that two stations have is from now on the one's that is told of; a
        number of 1.6 stays with whom it was given last, and runs for both where the CSMS numbers for each.
        """
        if identity not in self._stations and len(self._stations) >= STATIONS_LIMIT:
            return
        station = self._stations.setdefault(identity, _Station())
        for name, still in runs.items():
            if name in station.runs:
                station.runs[name] = station.runs[name] and still
            elif len(station.runs) < IDS_LIMIT and len(name) <= ID_LENGTH:
                self._inherit(identity, name, still)
                station.runs[name] = still

    def _inherit(self, identity: str, name: str, still: bool) -> None:
        other = self._owners.get(name)
        if other is None:
            self._owners[name] = identity
        elif len(name) >= NAME_LENGTH:
            del self._stations[other].runs[name]
            self._owners[name] = identity
        else:
            self.by_station = self.by_station or (still and self._stations[other].runs[name])

    def _owner(self, identity: str, station: _Station, name: str, action: bytes) -> str:
        if not name or name in station.runs or (action == EVENT and len(name) < NAME_LENGTH):
            return ""
        if self.by_station and action != EVENT:
            return ""
        owner = self._owners.get(name, identity)
        return "" if owner == identity else owner

    def _give(self, identity: str, station: _Station, name: str) -> None:
        if name not in station.runs and len(station.runs) >= IDS_LIMIT:
            self._forget(identity, next(iter(station.runs)), station)
        news = not station.runs.get(name) or self._owners.get(name) != identity
        station.runs[name] = True
        self._owners[name] = identity
        if news:
            self._tell(identity)

    def _tell(self, identity: str) -> None:
        if self.changed is not None:
            self.changed(identity)

    def _forget(self, identity: str, name: str, station: _Station) -> None:
        del station.runs[name]
        if self._owners.get(name) == identity:
            del self._owners[name]

    def _repeated(self, station: _Station, session: int, name: str, key: int, digest: int) -> Said:
        told = station.told
        before = told.pop(key, 0)
        if not before and len(told) >= TOLD_LIMIT:
            del told[next(iter(told))]
        now = (session << _BITS | digest) << 1
        repeats = bool(before & 1) and before >> _BITS + 1 != session
        told[key] = now
        return Said(name, "", repeats, repeats and (before ^ now) >> 1 & (1 << _BITS) - 1 != 0, key)

    def _station(self, identity: str) -> _Station:
        station = self._stations.pop(identity, None) or _Station()
        self._stations[identity] = station  # the one heard of last stands last
        if len(self._stations) > STATIONS_LIMIT:
            self._drop(next(iter(self._stations)))
        return station

    def _drop(self, identity: str) -> None:
        station = self._stations.pop(identity)
        for name in station.runs:
            if self._owners.get(name) == identity:
                del self._owners[name]


class Watch:
    """One session's view of it. ``refuses`` says whether what is another's must not reach the CSMS."""

    __slots__ = ("_asked", "_identity", "_session", "_transactions", "refuses")

    def __init__(self, transactions: Transactions, identity: str, *, refuses: bool) -> None:
        self.refuses = refuses
        self._transactions, self._identity = transactions, identity
        self._session = transactions.open_session()
        self._asked: dict[str, int] = {}

    def hear(self, id: str, action: bytes, payload: Mapping[str, object]) -> Said:  # noqa: A002 - OCPP's own word
        """Hear a call of the station's; its answer is told by the same id."""
        said = self._transactions.hear(self._identity, self._session, action, payload)
        if len(self._asked) >= OPEN_LIMIT:
            del self._asked[next(iter(self._asked))]
        self._asked[id] = said.key
        return said

    def answered(self, id: str, action: bytes, payload: Mapping[str, object]) -> str:  # noqa: A002 - as above
        """Hear the CSMS's answer; return the other station that has the id in use which it gave, or nothing."""
        self._transactions.answered(self._identity, self._asked.pop(id, 0))
        return self._transactions.given(self._identity, payload) if action == START else ""


def _name(action: bytes, payload: Mapping[str, object]) -> str:
    """The id of the transaction a call is about; empty when it names none, or none that could be one."""
    if action == EVENT:
        info = payload.get("transactionInfo")
        name = info.get("transactionId") if isinstance(info, dict) else None
        return name if isinstance(name, str) and len(name) <= ID_LENGTH else ""
    number = payload.get("transactionId")
    return str(number) if type(number) is int and action != START else ""


def _key(action: bytes, name: str, payload: Mapping[str, object]) -> int:
    """What a message is known by when it comes again: a start by all it says, others by where in what they stand."""
    return _digest([action.decode(), name, payload.get("seqNo")] if name else [action.decode(), payload])


def _digest(said: object) -> int:
    return int.from_bytes(hashlib.sha256(json.dumps(said).encode()).digest()[: _BITS // 8])
