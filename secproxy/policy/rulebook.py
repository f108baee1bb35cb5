"""A policy as one session is under it: which rules an action meets, in which order, and what they say to a message.

Rules this file keeps:

* What is not allowed is refused before any rule is asked; rates come last, so that what is refused anyway uses none up.
* A signed message meets the rules of what it signs, and is asked what that says, whoever signed it. One that a
  DataTransfer carries meets the rules of both. Where what is inside cannot be read, a rule that would read it objects.
* Every objection of an observing rule is evidence; the first of an enforcing one is the refusal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, assert_never

from secproxy import jws
from secproxy.errors import PolicyRefused
from secproxy.events import CAUSES, Note
from secproxy.plan import SIGNED, Need, Needs, Plan, Side
from secproxy.policy import carried
from secproxy.policy.actions import ACTIONS, is_known
from secproxy.policy.certificates import Certificates, KeepRoots, Requests
from secproxy.policy.contents import Shape, Vendors
from secproxy.policy.keys import Keys, lowered
from secproxy.policy.rules import Deny, KeepProfile, Mode, Policy, Rate, Rest, Rule, Scope
from secproxy.policy.urls import Urls
from secproxy.reader import UnreadableError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from pki.station import Station
    from secproxy.events import Kind
    from secproxy.policy.gauges import Gauges
    from secproxy.station_view import View

LOOKED_AT: Final = Rate(10, 60, Scope.STATION)
"""Requests for certificates that are judged in one session, which takes milliseconds for each: the largest site asks
for one of each of its EVSEs at once, and a station repeats itself ever more slowly (A02.FR.17)."""
ALLOW: Final = "allow"  # names the table [allow] where a rule's name is due
ALLOW_CLAUSE: Final = "OCPP-J 4.3"


@dataclass(frozen=True, slots=True)
class InForce:
    """What a session is under: a rulebook, the gauges of all the stations that are counted together, and the plan."""

    rulebook: Rulebook
    fleet: Gauges
    plan: Plan
    """Of the rulebook and of all that is needed besides; one for all sessions under it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that one side makes of the other, the station it is about, and what is known besides."""

    side: Side
    action: bytes
    """In small letters."""
    payload: Mapping[str, object]
    """Empty where the rules need no more than the head."""
    station: Station
    view: View
    at: dt.datetime
    carrier: bytes = b""
    """The action of the call that carries this one, in small letters; empty for one that stands by itself."""
    unreadable: str = ""
    """Why nobody can read its payload."""
    signed: bool = False
    """Whether it, or what carries it, was signed; ``action`` and ``payload`` are then what stood inside."""


@dataclass(frozen=True, slots=True)
class Objection:
    """What one rule, or the table ``[allow]``, has against a call. ``tell``: it is to be noted."""

    rule: str
    clause: str
    mode: Mode
    says: str
    cause: str = ""
    tell: bool = True
    left_out: int = 0


class Rulebook:
    """A policy for sessions of one OCPP version. ``csms_host`` is what ``@csms`` stands for."""

    __slots__ = ("_csms_host", "_inside", "_policy", "_rules", "_version", "plan")

    def __init__(self, policy: Policy, version: str, csms_host: str) -> None:
        self._policy, self._version, self._csms_host = policy, version, csms_host
        self._rules = {side: _by_action(policy, {version}, side) for side in Side}
        self._inside = {side: _by_action(policy, {version, carried.VERSION}, side) for side in Side}
        self.plan = Plan({side: self._needs(side) for side in Side})

    @property
    def name(self) -> str:
        """The policy's name."""
        return self._policy.name

    @property
    def mode(self) -> Mode:
        """What becomes of what is not let through."""
        return self._policy.mode

    def rules_for(self, side: Side, action: bytes) -> tuple[Rule, ...]:
        """The rules that a call of this action meets, in the order in which they are asked."""
        return self._rules[side].get(action.removesuffix(SIGNED), ())

    def met(self, parts: Sequence[Asked]) -> list[tuple[Rule, Asked]]:
        """The rules that the parts of a call meet, each with what it is asked of, in the order of asking."""
        found = [(rule, each) for each in parts for rule in self._rules_for(each)]
        return found if len(parts) == 1 else sorted(found, key=lambda each: isinstance(each[0].test, Rate))

    def barred(self, parts: Sequence[Asked]) -> list[Asked]:
        """Of the parts of a call those that are not let through, whatever the rules say."""
        return [each for each in parts if not self._lets(each)]

    def _rules_for(self, asked: Asked) -> tuple[Rule, ...]:
        if asked.carrier:
            return self._inside[asked.side].get(asked.action, ())
        return self.rules_for(asked.side, asked.action)

    def _lets(self, asked: Asked) -> bool:
        return (self._allows_inside if asked.carrier else self.allows)(asked.side, asked.action)

    def allows(self, side: Side, action: bytes) -> bool:
        """Whether an action is let through where no rule objects."""
        allow, plain = self._policy.allow[side], action.removesuffix(SIGNED)
        if allow.rest is Rest.ALL or plain in allow.named:
            return True
        return allow.rest is Rest.KNOWN and is_known(self._version, plain.decode())

    def _allows_inside(self, side: Side, action: bytes) -> bool:
        allow = self._policy.allow[side]
        return allow.rest in {Rest.ALL, Rest.KNOWN} or action in allow.named

    def judge(self, asked: Asked, own: Gauges, fleet: Gauges) -> list[Note]:
        """Return what is to be noted of a call that may go on. Raises ``PolicyRefused``.

        ``own`` are the session's gauges, ``fleet`` those of all the stations that are counted together.
        """
        notes: list[Note] = []
        parts = take_apart(asked)
        for each in self.barred(parts):
            says = "the policy does not let this action through"
            self.object_to(notes, each, Objection(ALLOW, ALLOW_CLAUSE, self._policy.mode, says))
        for rule, each in self.met(parts):
            if rule.window is None or rule.window.holds(each.at):
                objection = self._ask(rule, each, own, fleet)
                if objection is not None:
                    self.object_to(notes, each, objection)
        return notes

    def object_to(self, notes: list[Note], asked: Asked, objection: Objection) -> None:
        """Note an objection. Raises ``PolicyRefused`` where it is one that refuses."""
        refuses = objection.mode is Mode.ENFORCE
        cause = objection.cause or ("policy.refused" if refuses else "policy.observed")
        whose, evidence = asked.station.identity.text, self._evidence(asked, objection)
        note = Note(cause, whose, evidence=evidence, reported=_kind(cause, objection))
        if refuses:
            action = asked.carrier or asked.action
            unknown = objection.rule == ALLOW and not is_known(self._version, action.decode())
            raise PolicyRefused(note, objection.says, notes, unknown=unknown, tell=objection.tell)
        if objection.tell:
            notes.append(note)

    def _evidence(self, asked: Asked, objection: Objection) -> dict[str, str | int]:
        facts = {"policy": self.name, "rule": objection.rule, "clause": objection.clause, "mode": objection.mode.value}
        more: dict[str, str | int] = {"left_out": objection.left_out} if objection.left_out else {}
        more |= {"carried": asked.action.decode()} if asked.carrier else {}
        action = ((asked.carrier or asked.action) + SIGNED * asked.signed).decode()
        return {**facts, "side": asked.side.value, "action": action, "says": objection.says, **more}

    def _ask(self, rule: Rule, asked: Asked, own: Gauges, fleet: Gauges) -> Objection | None:
        if isinstance(rule.test, Rate):
            return self._count(rule, rule.test, asked, own, fleet)
        over = isinstance(rule.test, Requests) and own.take(self.name, rule.name, LOOKED_AT, asked.at.timestamp())
        if over:
            says = "more requests than are looked at; this one was not"
            return Objection(rule.name, rule.clause, rule.mode, says, tell=over.tell, left_out=over.left_out)
        says = self.fault(rule, asked)
        return Objection(rule.name, rule.clause, mode_of(rule, asked), says) if says else None

    def _count(self, rule: Rule, rate: Rate, asked: Asked, own: Gauges, fleet: Gauges) -> Objection | None:
        all_of_them = rate.scope is Scope.FLEET
        over = (fleet if all_of_them else own).take(self.name, rule.name, rate, asked.at.timestamp())
        if over is None:
            return None
        whose = "all stations" if all_of_them else "this station"
        says = f"more than {rate.per_minute:g} a minute, {rate.burst:g} at once, for {whose}"
        cause = "policy.mass_command" if all_of_them else ""
        return Objection(rule.name, rule.clause, rule.mode, says, cause, over.tell, over.left_out)

    def fault(self, rule: Rule, asked: Asked) -> str:
        """Say what a rule that does not count has against a call; empty when nothing."""
        test, payload = rule.test, asked.payload
        if isinstance(test, Deny):
            return "the policy forbids it"
        if asked.unreadable and not isinstance(test, Rate):
            return asked.unreadable
        version = carried.VERSION if asked.carrier else self._version
        match test:
            case Shape() | Vendors():
                return test.fault(payload)
            case Certificates() | KeepRoots():
                return test.fault(payload, asked.view)
            case Requests():
                return test.fault(payload, version, asked.station, asked.view.organisation)
            case Urls():
                return test.fault(payload, self._csms_host)
            case Keys():
                return test.fault(asked.action, payload)
            case KeepProfile():
                return lowered(asked.action, payload, int(asked.station.profile))
            case Rate():
                return ""
            case _:
                assert_never(test)

    def _needs(self, side: Side) -> Needs:
        rest = Need.PASS if self._policy.allow[side].rest is Rest.ALL else Need.HEAD
        actions = {name.lower().encode() for name in ACTIONS[self._version][side]} | self._rules[side].keys()
        actions |= self._policy.allow[side].named
        named = {action: self._need(side, action) for action in actions}
        return Needs({**named, **{action + SIGNED: need for action, need in named.items()}}, rest)

    def _need(self, side: Side, action: bytes) -> Need:
        base = Need.PASS if self.allows(side, action) else Need.HEAD
        inside = Need.WHOLE if action == carried.CARRIER and self._looks_inside(side) else Need.PASS
        return max([base, inside, *(rule.need for rule in self.rules_for(side, action))])

    def _looks_inside(self, side: Side) -> bool:
        """Whether anything is said of what a DataTransfer may carry."""
        if not carried.CALLS.isdisjoint(self._inside[side]):
            return True
        return self.allows(side, carried.CARRIER) and not all(self._allows_inside(side, each) for each in carried.CALLS)


def take_apart(asked: Asked) -> list[Asked]:
    """What is judged of a call: itself, or what it signs, and the call that this carries."""
    said = _unsealed(asked) if asked.action.endswith(SIGNED) else asked
    found = carried.find_carried(said.action, said.payload)
    if found is None:
        return [said]
    inside = replace(said, action=found.action, payload=found.payload, carrier=said.action, unreadable=found.unreadable)
    return [said, inside]


def _unsealed(asked: Asked) -> Asked:
    signs = replace(asked, action=asked.action.removesuffix(SIGNED), payload={}, signed=True)
    try:
        return replace(signs, payload=jws.unseal(asked.payload))
    except UnreadableError as fault:
        return replace(signs, unreadable=f"what the signed message holds cannot be read: {fault.says}")


def mode_of(rule: Rule, asked: Asked) -> Mode:
    """What becomes of a message that a rule objects to; what the rule spells out as unsafe goes on, and is told of."""
    if isinstance(rule.test, Certificates) and rule.test.tolerates(asked.payload):
        return Mode.OBSERVE
    return rule.mode


def _by_action(policy: Policy, versions: set[str], side: Side) -> dict[bytes, tuple[Rule, ...]]:
    """Find the rules that hold for any of these versions."""
    rules = [rule for rule in policy.rules if rule.side is side and (not rule.versions or versions & {*rule.versions})]
    rules.sort(key=lambda rule: isinstance(rule.test, Rate))
    actions = {action for rule in rules for action in rule.actions}
    return {action: tuple(rule for rule in rules if action in rule.actions) for action in actions}


def _kind(cause: str, objection: Objection) -> Kind:
    return replace(CAUSES[cause], clause=objection.clause)
