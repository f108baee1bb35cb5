"""One station's conversation with the CSMS, decided message by message: facts in, orders out.

Rules this file keeps:

* What nothing objects to goes on byte for byte as it came; only a firmware update that the gate cleared is said anew.
* What cannot be read in one way alone is never passed on, whoever sent it.
* A firmware update reaches the station only after the gate cleared it and the authority gave it our download URL.
* An answer goes on only to a call that waits for it, and no second call while its id waits (OCPP-J 4.1.4).
* What the operator's policy forbids is answered in the other side's place; what it only observes is noted and goes on.
* A station or CSMS cannot make us write, ask or compute without end: what a session may have noted is a token bucket.
* After the end nothing is ordered any more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, assert_never

from pki.firmware.gate import Answer
from pki.station import SecurityProfile
from secproxy import boot, envelope, write_only
from secproxy.answers import answer, refuse_by_policy
from secproxy.buckets import Bucket
from secproxy.calls import Calls
from secproxy.envelope import HEAD, Call, Error, Result, ResultError, Send
from secproxy.errors import GateRefused, MessageRefused, PolicyRefused
from secproxy.events import CAUSES, Note, Value
from secproxy.frames import POLICY_VIOLATION
from secproxy.gates import firmware
from secproxy.inspection import TWICE, code_of, evidence
from secproxy.notebook import Notebook
from secproxy.orders import Ask, Declined, Forward, Granted, HangUp, Heard, HungUp, Learn, Record, Say
from secproxy.plan import GATED, OTHER, SIGNED, SIGNED_SUFFIX, Need, Plan, Side, small
from secproxy.policy.carried import may_carry, tie, untie
from secproxy.policy.gauges import Gauges
from secproxy.policy.rulebook import Asked
from secproxy.schemas import LARGE
from secproxy.sealed import open_answer, open_signed, refuse_twice_signed
from secproxy.standard_events import find_standard
from secproxy.transactions import WATCHED

if TYPE_CHECKING:
    import datetime as dt
    import re
    from collections.abc import Callable, Iterable

    from pki.station import Station
    from secproxy.admission import Admitted
    from secproxy.envelope import Message
    from secproxy.inspection import Inspection
    from secproxy.orders import Fact, Order
    from secproxy.policy.rulebook import InForce
    from secproxy.schemas import Fault
    from secproxy.station_view import View
    from secproxy.transactions import Watch

PENDING_LIMIT: Final = (
    8  # firmware updates of one station that wait for their URL; OCPP-J 4.1.1 allows one call at a time
)
BOOT: Final = "bootnotification"
SENDERS: Final = {"ocpp2.1": frozenset({Side.STATION})}
"""Who may say what nobody answers: of the standard's messages NotifyPeriodicEventStream alone is one."""
NOTED_PER_SECOND: Final = 1.0  # messages of one session that are written down or acted on, on average; ours
NOTED_AT_ONCE: Final = 60  # of them at once: a station may have gathered security events while it was offline


class Session:
    """One admitted station and its CSMS, from the 101 to the end. ``version`` is the subprotocol both agreed on.

    ``calls`` are each side's calls that wait. Whoever passes a dull message on without telling it keeps them too.
    ``plan`` includes what the ``policy`` needs, where there is one, and what the ``watch`` over transactions does.
    """

    __slots__ = (
        "_admitted", "_budget", "_ended", "_gauges", "_left_out", "_notebook", "_policy", "_remarks", "_version",
        "_view", "_watch", "calls", "inspection", "plan", "senders",
    )  # fmt: skip

    def __init__(
        self,
        admitted: Admitted,
        version: str,
        view: View,
        plan: Plan,
        policy: InForce | None = None,
        inspection: Inspection | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.plan = plan
        self._watch = watch
        self.inspection = inspection
        self.senders = SENDERS.get(version, frozenset())
        self._policy = policy
        self.calls = {side: Calls(objects=version in SENDERS) for side in Side}
        self._admitted = admitted
        self._version = version
        self._view = view
        self._notebook: Notebook | None = None
        self._gauges: Gauges | None = None
        self._budget: Bucket | None = None
        self._remarks: Bucket | None = None
        self._left_out = 0
        self._ended = False

    def tell(self, fact: Fact, now: dt.datetime) -> list[Order]:
        """Tell what happened; hear what is to be done, in this order. ``now`` is aware."""
        if self._ended:
            return []
        match fact:
            case Heard(side, message):
                return self._heard(side, message, now)
            case Granted(ticket, url):
                return self._granted(ticket, url)
            case Declined(ticket, cause):
                return self._declined(ticket, cause)
            case HungUp():
                return self._end([])
            case _:
                assert_never(fact)

    def _heard(self, side: Side, message: bytes, now: dt.datetime) -> list[Order]:
        try:
            said = self._read(side, message)
        except MessageRefused as refused:
            anew = self._anew(side, message, now) if refused.fault == "duplicate" else []
            if anew:
                return anew
            return self._refuse_malformed(side, message, refused) if self._may_note(now) else self._cut_off(side)
        if isinstance(said, Result | Error):
            return self._answered(side, said, len(message), now)
        if isinstance(said, Call) and not self._asked(side, said, now):
            return self._refuse_reuse(side, said) if self._may_note(now) else self._cut_off(side)
        if isinstance(said, ResultError | Send):
            misplaced = self._misplaced(side, said)
            if misplaced:
                return self._drop(side, said, misplaced) if self._may_note(now) else self._cut_off(side)
        if isinstance(said, ResultError):
            return [Forward()]
        try:
            observed = self._observe(side, said, now)
        except PolicyRefused as refused:
            return self._forbid(side, said, refused, now)
        if side is Side.CSMS and small(said.action) in GATED[side]:  # the gate's own words come first
            return [*observed, *self._go_on(side, said, now)]
        action = small(said.action)
        return [
            *observed,
            *self._find_told(side, action, said, now),
            *self._held(side, said, action, len(message), now),
        ]

    def _anew(self, side: Side, message: bytes, now: dt.datetime) -> list[Order]:
        """Judge a message as it can be read in one way alone, and say that where it may go on; empty if it cannot."""
        if self.inspection is None or not self.inspection.canonical:
            return []
        try:
            text = envelope.canonical(message)
        except MessageRefused:
            return []
        notes = [self._record("message.said_anew", side=side.value) for _ in self._notes.news(side, "", (TWICE,))]
        orders = self._heard(side, text, now)
        return [*notes, *(Say(OTHER[side], text) if isinstance(order, Forward) else order for order in orders)]

    def _go_on(self, side: Side, said: Call | Send | Result, now: dt.datetime) -> list[Order]:
        """What becomes of a message that may be."""
        if not isinstance(said, Call):  # what is gated and sent was misplaced already
            return [Forward()]
        action = small(said.action)
        watched = self._watch is not None and side is Side.STATION and action.removesuffix(SIGNED) in WATCHED
        if not watched and action not in GATED[side]:
            return [Forward()]
        opened = open_signed(said) if side is Side.STATION else said
        if watched:
            return self._on_transaction(opened, now) if small(opened.action) in WATCHED else [Forward()]
        if not self._may_note(now):
            return self._unnoted(side, opened)
        if side is Side.CSMS:
            return self._on_firmware(said, now)
        return self._on_boot(opened) if opened.action.lower() == BOOT else self._on_security_event(opened)

    def _read(self, side: Side, message: bytes) -> Message:
        """Read as far as the plan says; where it says nothing, or the head can be read in two ways, all of it."""
        head = HEAD.match(message)
        need = Need.WHOLE if head is None or self._observes(side) else self._need(side, head, message)
        said = envelope.glance(head) if head is not None and need is Need.HEAD else envelope.parse(message)
        if need >= Need.WHOLE:
            self._look_inside(side, said)
        refuse_twice_signed(said)
        return said

    def _look_inside(self, side: Side, said: Message) -> None:
        """What is inside and cannot be read goes nowhere. Raises ``MessageRefused``."""
        if isinstance(said, Result):
            open_answer(said, self.calls[OTHER[side]].asked(said.id.encode()) or b"")
        else:
            open_signed(said)

    def _need(self, side: Side, head: re.Match[bytes], message: bytes) -> Need:
        """The plan's word, but for a call that may carry one whose answer the other side is held to."""
        kind, _, message_id, action = head.groups()
        if kind in {b"2", b"6"}:
            named = action.lower()
            ties = self._ties and may_carry(named, message)
            return Need.WHOLE if ties else self.plan.calls[side].of(named)
        asked = self.calls[OTHER[side]].asked(message_id) if kind in {b"3", b"4"} else None
        return Need.PASS if asked is None else self.plan.answers[side].of(untie(asked)[0])

    def _asked(self, side: Side, call: Call, now: dt.datetime) -> bool:
        action = small(call.action)
        return self.calls[side].ask(
            call.id.encode(), tie(action, call.payload) if self._ties else action, now.timestamp()
        )

    @property
    def _ties(self) -> bool:
        """Whether it must be known of an answer what its call carried: somebody is held against the schemas."""
        return self.inspection is not None and bool(self.inspection.sides)

    def _answered(self, side: Side, said: Result | Error, size: int, now: dt.datetime) -> list[Order]:
        calls = self.calls[OTHER[side]]
        asked = (calls.answer if isinstance(said, Error) else calls.result)(said.id.encode())
        if asked is not None:
            return [Forward()] if isinstance(said, Error) else self._answers(side, said, asked, size, now)
        if not self._may_note(now):
            return self._cut_off(side)
        return [self._record("message.unasked", side=side.value, message_id=said.id)]

    def _answers(self, side: Side, said: Result, asked: bytes, size: int, now: dt.datetime) -> list[Order]:
        learned = self._settled(asked, said, now) if side is Side.CSMS else []
        return [*learned, *self._find_told(side, asked, said, now), *self._held(side, said, asked, size, now)]

    def _misplaced(self, side: Side, said: ResultError | Send) -> str:
        """Say why a message of a kind that only OCPP 2.1 has cannot be; empty when it can."""
        if self._version not in SENDERS:
            return "type 5 and 6 are of OCPP 2.1"
        if isinstance(said, ResultError):
            return "" if self.calls[side].object_to(said.id.encode()) else "it objects to a result that there was not"
        if side not in self.senders:
            return "nothing that a CSMS says goes unanswered"
        calls = GATED[side] | write_only.CALLS | (self.inspection.book.actions if self.inspection else frozenset())
        plain = small(said.action).removesuffix(SIGNED)
        return f"{said.action} is a call" if {plain, small(said.action)} & calls else ""

    def _drop(self, side: Side, said: ResultError | Send, says: str) -> list[Order]:
        """Pass nothing on, and answer nothing: neither kind has an answer (OCPP-J 2.1, 4.1)."""
        fault = "send" if isinstance(said, Send) else "result_error"
        return [self._record("message.malformed", side=side.value, fault=fault, says=says, message_id=said.id)]

    def _refuse_reuse(self, side: Side, call: Call) -> list[Order]:
        note = self._record("message.id_reused", side=side.value, action=call.action, message_id=call.id)
        return [note, Say(side, envelope.error_bytes(call.id, self._malformed_code, "the id of a call that waits"))]

    # -- the schemas ------------------------------------------------------------------------------------------------

    def _observes(self, side: Side) -> bool:
        return self.inspection is not None and side in self.inspection.sides

    def _held(self, side: Side, said: Call | Send | Result, action: bytes, size: int, now: dt.datetime) -> list[Order]:
        """Hold a message, and what it carries, against its schema; one that does not fit is refused where the plan
        says so, else told."""
        notes: list[Order] = []
        for held in self.inspection.hold(said, action) if self.inspection else ():
            enforced = held.search is not None and self._must_fit(side, said, held.action)
            if held.search is None or not (enforced or self._observes(side)):
                continue
            if enforced and not self._may_note(now):
                return [*notes, *self._cut_off(side)]
            if enforced:
                return [*notes, *self._refuse_unfit(side, said, held.named, held.search(size))]
            faults = held.search(size) if self._notes.may_look(now.timestamp()) else ()
            news = self._notes.news(side, held.named.decode(), faults)
            notes += [self._record("message.schema", **evidence(side, said, held.named, fault)) for fault in news]
        return [*notes, *self._go_on(side, said, now)]

    def _must_fit(self, side: Side, said: Call | Send | Result, action: bytes) -> bool:
        demands = Plan() if self.inspection is None else self.inspection.demands
        plans = (demands, self.plan)
        needs = [each.answers if isinstance(said, Result) else each.calls for each in plans]
        return Need.SCHEMA in {each[side].of(action) for each in needs}

    def _refuse_unfit(
        self, side: Side, said: Call | Send | Result, action: bytes, faults: tuple[Fault, ...]
    ) -> list[Order]:
        """Answer with an error: the caller, or, where it is an answer that does not fit, whoever waits for it."""
        note = self._record("message.schema_refused", **evidence(side, said, action, faults[0]))
        if isinstance(said, Send):
            return [note]
        if isinstance(said, Call):
            self.calls[side].answer(said.id.encode())
        asker = side if isinstance(said, Call) else OTHER[side]
        says = f"{faults[0].path}: {faults[0].says}"
        return [note, Say(asker, envelope.error_bytes(said.id, code_of(faults[0], self._version), says))]

    # -- the policy ------------------------------------------------------------------------------------------------

    def obey(self, find: Callable[[Station, str], InForce]) -> None:
        """Go on under the policy that is in force for the station now; what its own rates have counted stays."""
        self._policy = find(self._station, self._version)
        self.plan = self._policy.plan

    def _observe(self, side: Side, said: Call | Send, now: dt.datetime) -> list[Order]:
        """Judge by the policy, and note what it only observes. Raises ``PolicyRefused``."""
        if self._policy is None:
            return []
        self._gauges = self._gauges or Gauges()
        asked = Asked(side, small(said.action), said.payload, self._station, self._view, now)
        notes = self._policy.rulebook.judge(asked, self._gauges, self._policy.fleet)
        return self._noted(notes, said, now)

    def _forbid(self, side: Side, said: Call | Send, refused: PolicyRefused, now: dt.datetime) -> list[Order]:
        """Answer in the other side's place, which never hears of it; what nobody answers goes nowhere."""
        notes = [*refused.notes, *([refused.note] if refused.tell else [])]
        orders = self._noted(notes, said, now)
        if isinstance(said, Send):
            return orders
        self.calls[side].answer(said.id.encode())
        return [*orders, Say(side, refuse_by_policy(said, self._version, unknown=refused.unknown))]

    def _noted(self, notes: Iterable[Note], said: Call | Send, now: dt.datetime) -> list[Order]:
        """Write notes down as far as the session may still have any written; the others are counted. What they are
        about goes on or was answered: it uses up nothing of what ends a connection."""
        orders: list[Order] = []
        for note in notes:
            self._remarks = self._remarks or Bucket(NOTED_PER_SECOND, NOTED_AT_ONCE)
            if self._remarks.take(now.timestamp()):
                record = self._record(note.cause, **{**note.evidence, "action": said.action, "message_id": said.id})
                orders.append(Record(replace(record.note, reported=note.reported)))
            else:
                self._left_out += 1
        return orders

    # -- from the station ------------------------------------------------------------------------------------------

    def _on_boot(self, call: Call) -> list[Order]:
        """Compare the serial number with the certificate's (B01.FR.11, .12), then learn what the station is."""
        told = boot.read_boot(call.payload, self._version)
        proved = self._station.serial.text
        if self._admitted.profile is SecurityProfile.MUTUAL_TLS and told.serials and proved not in told.serials:
            note = self._record("cert.serial", reported=", ".join(told.serials), certificate=proved)
            return self._end([note, HangUp(POLICY_VIOLATION, "the serial number is not the certificate's")])
        if not (told.vendor and told.model):
            return [Forward()]
        return [Learn(told.vendor, told.model, told.serial, told.firmware_version, self._version), Forward()]

    def _on_security_event(self, call: Call) -> list[Order]:
        """Keep a copy of what the station reports (A04.FR.01), under the standard's name where it is one."""
        name, info = boot.text(call.payload.get("type")), boot.text(call.payload.get("techInfo"))
        known = find_standard(self._version, name)
        if known is None:
            return [self._record("station.event", type=name, tech_info=info), Forward()]
        record = self._record("station.event", type=name, tech_info=info, critical=known.critical)
        return [Record(replace(record.note, reported=known.kind)), Forward()]

    def _find_told(self, side: Side, action: bytes, said: Call | Send | Result, now: dt.datetime) -> list[Order]:
        """Tell once of a session that the station gives away what nobody may read; never what it is."""
        plain = action.removesuffix(SIGNED)
        if side is Side.CSMS or plain not in (write_only.ANSWERS if isinstance(said, Result) else write_only.CALLS):
            return []
        opened = open_answer(said, action) if isinstance(said, Result) else open_signed(said)
        told = write_only.find_told(plain, opened.payload)
        news = [name for name in told if name not in self._notes.secrets]
        if not news or not self._may_note(now):
            return []
        self._notes.secrets.update(news)
        return [self._record("station.secret_told", action=action.decode(), names=", ".join(news), message_id=said.id)]

    def _on_transaction(self, call: Call, now: dt.datetime) -> list[Order]:
        """Tell of what is another station's, or was told before; refuse the former where ids are known to be unique."""
        said = self._watch.hear(call.id, small(call.action), call.payload) if self._watch else None
        if self._watch is None or said is None or not (said.owner or said.repeats):
            return [Forward()]
        refused = bool(said.owner) and self._watch.refuses
        if not self._may_note(now):
            self._left_out += not refused
            return self._cut_off(Side.STATION) if refused else [Forward()]
        about: dict[str, Value] = {"action": call.action, "transaction": said.transaction}
        if not said.owner:
            return [self._record("transaction.repeated", **about, changed=said.changed), Forward()]
        note = self._record("transaction.foreign", **about, owner=said.owner, refused=refused)
        if not refused:
            return [note, Forward()]
        self.calls[Side.STATION].answer(call.id.encode())
        return [note, Say(Side.STATION, envelope.error_bytes(call.id, "SecurityError", "another's transaction"))]

    def _settled(self, asked: bytes, said: Result, now: dt.datetime) -> list[Order]:
        """Learn from the CSMS's answer whose transaction is whose."""
        action = asked.removesuffix(SIGNED)
        if self._watch is None or action not in WATCHED:
            return []
        other = self._watch.answered(said.id, action, said.payload)
        return [self._record("transaction.shared_id", other=other)] if other and self._may_note(now) else []

    # -- from the CSMS ---------------------------------------------------------------------------------------------

    def _on_firmware(self, call: Call, now: dt.datetime) -> list[Order]:
        """Let only verified firmware through (A00.FR.707)."""
        if call.action.endswith(SIGNED_SUFFIX):
            return self._refuse_firmware(call, "firmware.sealed", Answer.NOT_SUPPORTED)
        try:
            cleared = firmware.judge(call, self._version, self._station, self._view, now)
        except GateRefused as refused:
            note = Record(replace(refused.note, remote=self._admitted.remote))
            return [note, *self._answer_csms(call, refused.answer)]
        unfit = self._unfit_update(call)
        if unfit:
            return self._refuse_unfit(Side.CSMS, call, small(call.action), unfit)
        if len(self._notes.pending) >= PENDING_LIMIT:
            return self._refuse_firmware(call, "firmware.busy", Answer.REJECTED)
        return [Ask(self._notes.await_url(call, cleared), cleared.release.digest, call.id)]

    def _unfit_update(self, call: Call) -> tuple[Fault, ...]:
        """The faults of an update that must fit its schema; the gate has read what it needs of it alone."""
        if self.inspection is None or not self._must_fit(Side.CSMS, call, small(call.action)):
            return ()
        search = self.inspection.unfit(call, b"")
        return () if search is None else search(LARGE + 1)

    def _granted(self, ticket: int, url: str) -> list[Order]:
        if ticket not in self._notes.pending:
            return []
        call, cleared = self._notes.pending.pop(ticket)
        try:
            payload = firmware.rewrite(call, cleared, url)
        except ValueError as unfit:
            return self._refuse_firmware(call, "firmware.declined", Answer.REJECTED, because=str(unfit))
        note = self._record("firmware.cleared", digest=cleared.release.digest, message_id=call.id)
        return [note, Say(Side.STATION, envelope.call_bytes(Call(call.id, call.action, payload)))]

    def _declined(self, ticket: int, cause: str) -> list[Order]:
        if ticket not in self._notes.pending:
            return []
        call, _ = self._notes.pending.pop(ticket)
        return self._refuse_firmware(call, "firmware.declined", Answer.REJECTED, because=cause)

    def _refuse_firmware(self, call: Call, cause: str, status: Answer, **evidence: Value) -> list[Order]:
        """Answer an update that the gate did not refuse, but that cannot go on."""
        says, reason = CAUSES[cause].says, cause.removeprefix("firmware.")
        said = answer(call, self._version, status.value, reason, says)
        note = self._record(cause, action=call.action, message_id=call.id, **evidence)
        return [note, *self._answer_csms(call, said)]

    def _answer_csms(self, call: Call, answer: bytes) -> list[Order]:
        """Answer in the station's place, which never hears of the call."""
        self.calls[Side.CSMS].answer(call.id.encode())
        return [Say(Side.CSMS, answer)]

    # -- either side -----------------------------------------------------------------------------------------------

    @property
    def _notes(self) -> Notebook:
        if self._notebook is None:
            self._notebook = Notebook()
        return self._notebook

    def _may_note(self, now: dt.datetime) -> bool:
        if self._budget is None:
            self._budget = Bucket(NOTED_PER_SECOND, NOTED_AT_ONCE)
        return self._budget.take(now.timestamp())

    def _unnoted(self, side: Side, said: Call | Send) -> list[Order]:
        """Go on without a word where that is safe: what a station reports needs no copy of ours to be passed on."""
        if said.action != "SecurityEventNotification" or isinstance(said, Send):
            return self._cut_off(side)
        self._left_out += 1
        return [Forward()]

    def _cut_off(self, side: Side) -> list[Order]:
        note = self._record("message.flood", side=side.value)
        return self._end([note, HangUp(POLICY_VIOLATION, "too many messages that need attention")])

    @property
    def _station(self) -> Station:
        """The station as the ledger has it now; as it was admitted, when it is just being removed."""
        admitted = self._admitted.station
        return self._view.stations.get(admitted.identity.text, admitted)

    def _refuse_malformed(self, side: Side, message: bytes, refused: MessageRefused) -> list[Order]:
        """Answer a call that cannot be read; in OCPP 2.x also where not even its id can (OCPP-J 4.2.3)."""
        note = self._record(refused.note.cause, side=side.value, **refused.note.evidence)
        if refused.message_id:
            return [note, Say(side, envelope.error_bytes(refused.message_id, self._malformed_code, refused.fault))]
        if envelope.asks_nothing(message):
            return [note, *self._give_up(side, message, refused.fault)]
        if self._version == boot.V16:
            return [note]
        code = "MessageTypeNotSupported" if refused.fault == "type" else self._malformed_code
        return [note, Say(side, envelope.error_bytes(envelope.NO_ID, code, refused.fault))]

    def _give_up(self, side: Side, message: bytes, fault: str) -> list[Order]:
        """Tell whoever waits for an answer that cannot be read, if its head says which; he would wait in vain."""
        head = HEAD.match(message)
        if head is None or head["type"] not in {b"3", b"4"} or self.calls[OTHER[side]].answer(head["id"]) is None:
            return []
        return [Say(OTHER[side], envelope.error_bytes(head["id"].decode(), "GenericError", f"no answer: {fault}"))]

    @property
    def _malformed_code(self) -> str:
        """What a message that cannot be is called in this version (OCPP-J 4.3)."""
        return "FormationViolation" if self._version == "ocpp1.6" else "RpcFrameworkError"

    def _record(self, cause: str, **evidence: Value) -> Record:
        if self._left_out:
            evidence, self._left_out = {**evidence, "left_out": self._left_out}, 0
        return Record(Note(cause, self._admitted.station.identity.text, self._admitted.remote, evidence))

    def _end(self, orders: list[Order]) -> list[Order]:
        self._ended = True
        self._notebook = None
        return orders
