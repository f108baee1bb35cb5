"""A recording, held against a policy: what would become now of each call that was made then.

Rules this file keeps:

* The messages are told to a session like any other, at the times at which they were said; its orders go nowhere.
* What was decided then is read from the proxy's own answers, or comes of another policy over the same recording.
* What the recording does not hold is told as not known, never as a change.

Judged is what the policy says, not the other gates: of firmware, serial numbers and schemas a recording knows too
little. A recording says what was said under the policy of its time; who is refused may say something else next.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from pki.names import StationIdentity, StationSerial
from pki.station import SecurityProfile, Station
from secproxy.admission import Admitted
from secproxy.agreed import Agreed
from secproxy.answers import is_by_policy
from secproxy.envelope import Call, Error, Result, Send, parse
from secproxy.errors import MessageRefused
from secproxy.orders import HangUp, Heard
from secproxy.plan import OTHER, SIGNED, Side, compile_plan, small
from secproxy.policy.gauges import Gauges
from secproxy.policy.rulebook import InForce
from secproxy.policy.rules import Mode
from secproxy.policy.withheld import ASSUMED, Hindsight
from secproxy.session import Session
from secproxy.station_view import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from secproxy.envelope import Message
    from secproxy.policy.rules import Policy
    from secproxy.recording import Head, Line

LISTED_MOST: Final = 1_000  # changes that are listed; all are counted
GROUPS_MOST: Final = 1_000  # sums; an action's name is the caller's choice
OTHERS: Final = "*"  # stands for the actions that there was no more room for
UNTOLD: Final = "it was signed, and what is left of it no session would hand on to a policy"
ELSEWHERE: Final = "not the policy refused it, but another gate of the proxy's"


class Verdict(StrEnum):
    """What becomes of a call by a policy."""

    PASSES = "passes"
    NOTED = "noted"
    """It goes on, and a rule that observes objects."""
    REFUSED = "refused"
    UNKNOWN = "cannot be judged"


@dataclass(frozen=True, slots=True)
class Word:
    """What a policy says to a call, by which rule, on which clause; the last three may be empty."""

    verdict: Verdict
    rule: str = ""
    clause: str = ""
    says: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """One call, or message that nobody answers: the number of its line, who said it, what became of it and would now.

    ``noting``: whether it was known then what was only observed.
    """

    line: int
    side: Side
    action: str
    then: Word
    now: Word
    noting: bool = False

    @property
    def known(self) -> bool:
        """Whether it can be said if anything changes."""
        return Verdict.UNKNOWN not in {self.then.verdict, self.now.verdict}

    @property
    def changes(self) -> bool:
        """Whether something else would become of it."""
        either = {self.then.verdict, self.now.verdict}
        return self.known and len(either) == 2 and (self.noting or Verdict.REFUSED in either)

    @property
    def newly_refused(self) -> bool:
        """Whether it would be refused, and was not."""
        return self.changes and self.now.verdict is Verdict.REFUSED

    @property
    def because(self) -> Word:
        """The word that has the rule to name: what refuses comes first, what cannot be judged before that."""
        order = (Verdict.UNKNOWN, Verdict.REFUSED, Verdict.NOTED, Verdict.PASSES)
        return min(self.now, self.then, key=lambda word: order.index(word.verdict))


@dataclass(slots=True)
class Group:
    """How many calls alike would change alike, or cannot be judged for the same reason; one of them."""

    example: Compared
    action: str
    calls: int = 0


@dataclass(slots=True)
class Report:
    """What a replay found; bounded, however long the recording is."""

    calls: int = 0
    changed: int = 0
    newly_refused: int = 0
    newly_let: int = 0
    unknown: int = 0
    changes: list[Compared] = field(default_factory=list)
    """The first ``LISTED_MOST``."""
    groups: dict[tuple[object, ...], Group] = field(default_factory=dict)

    def take(self, compared: Compared) -> None:
        """Count one call."""
        self.calls += 1
        self.changed += compared.changes
        self.newly_refused += compared.newly_refused
        self.newly_let += compared.changes and compared.then.verdict is Verdict.REFUSED
        self.unknown += not compared.known
        if compared.changes and len(self.changes) < LISTED_MOST:
            self.changes.append(compared)
        if compared.changes or not compared.known:
            self._sum(compared)

    def _sum(self, compared: Compared) -> None:
        why = compared.because
        alike = (compared.side, compared.then.verdict, compared.now.verdict, why.rule, why.clause)
        action = (
            compared.action if len(self.groups) < GROUPS_MOST or (*alike, compared.action) in self.groups else OTHERS
        )
        group = self.groups.setdefault((*alike, action), Group(compared, action))
        group.calls += 1


def replay(
    head: Head,
    lines: Iterable[tuple[int, Line]],
    policy: Policy,
    against: Policy | None = None,
    *,
    csms_host: str,
    shares: int = 1,
) -> Iterator[Compared]:
    """Tell what a policy says to each call of a recording, and what was said then, or what ``against`` says.

    ``csms_host`` is what ``@csms`` stands for, ``shares`` how many workers share a fleet's rates.
    """
    now = _Replay(head, policy, csms_host, shares)
    other = None if against is None else _Replay(head, against, csms_host, shares)
    for number, line, reply in _with_replies(lines):
        if line.speaker == "proxy":
            continue
        said = _read(line)
        if isinstance(said, Call | Send) or said is None:
            yield _compare(number, line, said, reply, now, other)
        else:
            for each in (now, other):
                if each is not None:
                    each.hear_answer(Side(line.speaker), said, line)


def _compare(
    number: int, line: Line, said: Call | Send | None, reply: Message | None, now: _Replay, other: _Replay | None
) -> Compared:
    side = Side(line.speaker)
    if said is None:
        unread = Word(Verdict.UNKNOWN, says=f"it could not be read: {line.unreadable or 'it is no message'}")
        return Compared(number, side, "", unread, unread)
    by_policy = None if reply is None else is_by_policy(reply, said.action, now.version)
    refused = reply is not None and by_policy is not False
    signed = small(said.action).endswith(SIGNED)
    words = [each.hear(side, line, refused=refused, signed=signed) for each in (now, other) if each is not None]
    for each in (now, other):
        if each is not None and reply is not None:
            each.close(side, said.id)
    if other is not None:
        return Compared(number, side, said.action, words[1], words[0], noting=True)
    if by_policy is False:
        elsewhere = Word(Verdict.REFUSED, says=ELSEWHERE)
        return Compared(number, side, said.action, elsewhere, elsewhere)
    then = _then(said, words[0], refused=refused, sure=by_policy is not None)
    return Compared(number, side, said.action, then, words[0])


def _then(said: Call | Send, now: Word, *, refused: bool, sure: bool) -> Word:
    """What was decided, as far as the proxy's answer says."""
    if isinstance(said, Send) and now.verdict is Verdict.REFUSED:
        return Word(
            Verdict.UNKNOWN, now.rule, now.clause, "nobody answers such a message, so what was decided is not told"
        )
    if refused and not sure and now.verdict is not Verdict.REFUSED:
        return Word(Verdict.UNKNOWN, says="the policy refused it, or the firmware gate did; both say the same")
    return Word(Verdict.REFUSED if refused else Verdict.PASSES)


class _Replay:
    """One policy over one recording."""

    def __init__(self, head: Head, policy: Policy, csms_host: str, shares: int) -> None:
        self.version = head.version
        self._book = Hindsight(policy, head.version, csms_host, shares)
        self._force = InForce(self._book, Gauges(), compile_plan(self._book.plan))
        self._admitted, self._view = _admit(head), View("", csms_host)
        self._session = self._begin()

    def hear(self, side: Side, line: Line, *, refused: bool, signed: bool) -> Word:
        """Have a call judged; ``refused``: it was, then."""
        self._book.begin(refused=refused)
        self._tell(side, line)
        if self._book.asked is None and signed:
            return Word(Verdict.UNKNOWN, says=UNTOLD)
        return self._word()

    def hear_answer(self, side: Side, said: Message, line: Line) -> None:
        """Close the call that is answered; an answer to one that is not known, or was refused now, is nobody's."""
        if isinstance(said, Result | Error) and self._session.calls[OTHER[side]].asked(said.id.encode()) is not None:
            self._tell(side, line)

    def close(self, side: Side, message_id: str) -> None:
        """Take a call for answered: the proxy did so then."""
        self._session.calls[side].answer(message_id.encode())

    def _tell(self, side: Side, line: Line) -> None:
        orders = self._session.tell(Heard(side, _bytes(line)), line.time)
        if any(isinstance(order, HangUp) for order in orders):  # there was too much to be noted; here nothing is
            self._session, calls = self._begin(), self._session.calls
            self._session.calls = calls

    def _begin(self) -> Session:
        return Session(self._admitted, self.version, self._view, self._force.plan, self._force)

    def _word(self) -> Word:
        book = self._book
        refusing = [heard for heard in book.heard if heard.mode is Mode.ENFORCE]
        if refusing and refusing[0].says != ASSUMED:
            return Word(Verdict.REFUSED, refusing[0].rule, refusing[0].clause, refusing[0].says)
        for rule, why in book.blind:
            return Word(Verdict.UNKNOWN, rule.name, rule.clause, why)
        counting = book.counting() if book.refused else None
        if counting is not None:
            says = "it counts what was said before the recording began, or by others"
            return Word(Verdict.UNKNOWN, counting.name, counting.clause, says)
        if book.heard:
            return Word(Verdict.NOTED, book.heard[0].rule, book.heard[0].clause, book.heard[0].says)
        return Word(Verdict.PASSES)


def _admit(head: Head) -> Admitted:
    """The station as it was recorded. What its certificate says is not: as if it had shown none, no serial is held
    against it."""
    station = Station(
        StationIdentity.parse(head.station), StationSerial.parse("recorded"), SecurityProfile(head.profile),
        group=head.group,
    )  # fmt: skip
    return Admitted(station, SecurityProfile.TLS_BASIC, (head.version,), None, b"", "", "", Agreed("", ""))


def _with_replies(lines: Iterable[tuple[int, Line]]) -> Iterator[tuple[int, Line, Message | None]]:
    """Each line, with the proxy's own answer to it: the proxy answers at once or lets a call go on."""
    waiting: tuple[int, Line] | None = None
    for number, line in lines:
        if waiting is not None:
            yield (*waiting, _reply(waiting[1], line))
        waiting = number, line
    if waiting is not None:
        yield (*waiting, None)


def _reply(line: Line, following: Line) -> Message | None:
    if following.speaker != "proxy" or line.speaker == "proxy":
        return None
    said, reply = _read(line), _read(following)
    answers = isinstance(said, Call) and isinstance(reply, Result | Error) and said.id == reply.id
    return reply if answers else None


def _read(line: Line) -> Message | None:
    try:
        return None if line.unreadable else parse(_bytes(line))
    except MessageRefused:
        return None


def _bytes(line: Line) -> bytes:
    return msgspec.json.encode(line.message)
