"""A conversation with one who may not come in yet: there is no CSMS behind it, and every answer is ours.

It is told facts and gives orders in the words of ``secproxy.orders``. Rules this file keeps:

* A BootNotification is answered Pending (B02.FR.01): come back in ``interval`` seconds, and say nothing unasked.
* What a pending station may still say is taken and goes nowhere; whatever else it asks is a SecurityError (B02.FR.09).
* What it says of itself is told once, in an event with the command that would let it in.
* It can make us write and answer no more than any session, and it is ended after a while.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final, assert_never

from pki.errors import InputError
from pki.names import StationSerial
from secproxy import boot, envelope
from secproxy.buckets import Bucket
from secproxy.envelope import Call
from secproxy.errors import MessageRefused
from secproxy.events import Note
from secproxy.frames import POLICY_VIOLATION
from secproxy.orders import Declined, Granted, HangUp, Heard, HungUp, Record, Say
from secproxy.plan import Side
from secproxy.strangers import STRANGER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secproxy.events import Value
    from secproxy.orders import Fact, Order
    from secproxy.strangers import Guest

HEARD_PER_SECOND: Final = 1.0  # messages of one guest, on average: a pending station has little to say
HEARD_AT_ONCE: Final = 60  # of them at once: a station with many connectors tells the status of each when it boots

_PLAIN = re.compile(r"[A-Za-z0-9._@=+/-]+")  # what a shell takes as it is

TAKEN: Final[Mapping[str, Mapping[str, object]]] = {
    "StatusNotification": {},
    "NotifyReport": {},
    "SecurityEventNotification": {},
    "SignCertificate": {"status": "Rejected"},
}
"""What a pending station may say (B02; A02, A04) and the answer to each, the same in every version of OCPP."""


class Quarantine:
    """One guest, from the 101 to the end. ``interval`` is how many seconds it is told to wait before it boots again."""

    __slots__ = ("_budget", "_ended", "_guest", "_interval", "_told")

    def __init__(self, guest: Guest, interval: int) -> None:
        self._guest = guest
        self._interval = interval
        self._budget = Bucket(HEARD_PER_SECOND, HEARD_AT_ONCE)
        self._told = self._ended = False

    def tell(self, fact: Fact, now: dt.datetime) -> list[Order]:
        """Tell what happened; hear what is to be done, in this order. ``now`` is aware."""
        if self._ended:
            return []
        match fact:
            case Heard(_, message):
                return self._heard(message, now)
            case HungUp():
                return self._end([] if self._told else [self._introduce({})])
            case Granted() | Declined():
                return []  # nobody is asked for anything on behalf of a guest
            case _:
                assert_never(fact)

    def _heard(self, message: bytes, now: dt.datetime) -> list[Order]:
        if not self._budget.take(now.timestamp()):
            note = self._note("message.flood", side=Side.STATION.value)
            return self._end([note, HangUp(POLICY_VIOLATION, "too many messages")])
        try:
            said = envelope.parse(message)
        except MessageRefused as refused:
            return self._end([Record(_of(self._guest, refused.note)), HangUp(POLICY_VIOLATION, "no OCPP message")])
        if not isinstance(said, Call):
            return []  # an answer to nothing we asked
        if said.action == "BootNotification":
            return self._booted(said, now)
        if said.action in TAKEN:
            return [Say(Side.STATION, envelope.result_bytes(said.id, dict(TAKEN[said.action])))]
        return [Say(Side.STATION, envelope.error_bytes(said.id, "SecurityError", "the station is not accepted yet"))]

    def _booted(self, call: Call, now: dt.datetime) -> list[Order]:
        moment = now.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        answer = {"currentTime": moment, "interval": self._interval, "status": "Pending"}
        pending = Say(Side.STATION, envelope.result_bytes(call.id, answer))
        if self._told:
            return [pending]
        return [self._introduce(call.payload), pending]

    def _introduce(self, payload: Mapping[str, object]) -> Record:
        """Tell who waits, by what it says and by what it proved, and how it would be let in."""
        self._told = True
        if self._guest.because != STRANGER:
            return self._note("cert.expired_pending", serial=self._guest.serial)
        told = boot.read_boot(payload, self._guest.subprotocol)
        serial = self._guest.serial or told.serial
        said = {"vendor": told.vendor, "model": told.model, "serial": told.serial, "firmware": told.firmware_version}
        return self._note("station.quarantined", **said, admit=self._command(serial))

    def _command(self, serial: str) -> str:
        """The command that registers this station; where no serial number can be had, a place is left for it."""
        try:
            known = _quoted(StationSerial.parse(serial).text)
        except InputError:
            known = "SERIAL"
        identity = _quoted(self._guest.identity.text)
        words = f"--serial {known} --profile {self._guest.profile:d}"
        if identity.startswith("-"):  # no name of an option's becomes one
            return f"bollard station add {words} -- {identity}"
        return f"bollard station add {identity} {words}"

    def _note(self, cause: str, **evidence: Value) -> Record:
        return Record(_of(self._guest, Note(cause, evidence={**self._guest.facts(), **evidence})))

    def _end(self, orders: list[Order]) -> list[Order]:
        self._ended = True
        return orders


def _of(guest: Guest, note: Note) -> Note:
    return Note(note.cause, guest.identity.text, guest.remote, note.evidence)


def _quoted(name: str) -> str:
    """Write an identity or a serial number for a shell; neither can hold a quote."""
    return name if _PLAIN.fullmatch(name) else f"'{name}'"
