"""A conversation with a registered station whose certificate has ended: it gets a new one, and nothing else.

A00.FR.429 allows such a station in only where it was listed, only with BootNotification Pending, and only to renew its
certificate at once by use case A02. No CSMS is behind it: an expired certificate is worth nothing to one, which may not
know that it had to answer Pending, and the new one comes from our own authority. Rules this file keeps:

* What is no part of the renewal is answered as in quarantine.
* The station is asked to make a request; what it sends goes to the authority, which judges it like any other.
* At most one request is under way, and few are made: a station in a loop takes no authority's time.
* When the station has taken the new certificate, the connection ends, and it comes back with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from secproxy import boot, envelope
from secproxy.envelope import Call, Error, Result
from secproxy.errors import MessageRefused
from secproxy.events import Note
from secproxy.frames import POLICY_VIOLATION, SERVICE_RESTART
from secproxy.orders import Declined, HangUp, Heard, Record, Say
from secproxy.plan import Side
from secproxy.quarantine import Quarantine

if TYPE_CHECKING:
    import datetime as dt

    from secproxy.events import Value
    from secproxy.orders import Fact, Order
    from secproxy.strangers import Guest

TRIES_MOST: Final = 3  # requests of one connection; one is enough, and a station may have to be told of a mistake
TRIGGER_ID: Final = "bollard-renew"
SIGNED_ID: Final = "bollard-signed"
TRIGGERS: Final = {boot.V16: ("ExtendedTriggerMessage", "SignChargePointCertificate")}
TRIGGER: Final = ("TriggerMessage", "SignChargingStationCertificate")  # of every version from 2.0.1 on


@dataclass(frozen=True, slots=True)
class Certify:
    """Ask the authority to certify this request, PEM, for the station."""

    ticket: int
    csr: str


@dataclass(frozen=True, slots=True)
class Certified:
    """The authority did: the chain, PEM, leaf first, without the root."""

    ticket: int
    chain: str


class Renewal:
    """One station that renews, from the 101 to the end."""

    __slots__ = ("_ended", "_guest", "_quarantine", "_ticket", "_waits")

    def __init__(self, guest: Guest, interval: int) -> None:
        self._guest = guest
        self._quarantine = Quarantine(guest, interval)
        self._ticket = 0
        self._waits = self._ended = False

    def tell(self, fact: Fact | Certified, now: dt.datetime) -> list[Order | Certify]:
        """Tell what happened; hear what is to be done, in this order. ``now`` is aware."""
        if self._ended:
            return []
        match fact:
            case Certified(ticket, chain):
                return self._certified(ticket, chain)
            case Declined(ticket, cause):
                return self._declined(ticket, cause)
            case Heard(_, message):
                return self._heard(fact, message, now)
            case _:
                return [*self._quarantine.tell(fact, now)]

    def _heard(self, fact: Heard, message: bytes, now: dt.datetime) -> list[Order | Certify]:
        """Let the quarantine count and answer first; what it answered to a request for a certificate is said anew."""
        orders: list[Order | Certify] = [*self._quarantine.tell(fact, now)]
        try:
            said = envelope.parse(message)
        except MessageRefused:
            return orders
        if any(isinstance(order, HangUp) for order in orders):
            return orders
        if isinstance(said, Result | Error):
            return self._answered(said)
        if isinstance(said, Call) and said.action == "BootNotification":
            return [*orders, self._trigger()]
        if isinstance(said, Call) and said.action == "SignCertificate":
            return self._asked(said)
        return orders

    def _trigger(self) -> Say:
        action, wanted = TRIGGERS.get(self._guest.subprotocol, TRIGGER)
        return Say(Side.STATION, envelope.call_bytes(Call(TRIGGER_ID, action, {"requestedMessage": wanted})))

    def _asked(self, call: Call) -> list[Order | Certify]:
        """A02.FR.03: take the request, or not; a second one waits for the first."""
        csr = call.payload.get("csr")
        taken = isinstance(csr, str) and not self._waits and self._ticket < TRIES_MOST
        answer: dict[str, object] = {"status": "Accepted" if taken else "Rejected"}
        orders: list[Order | Certify] = [Say(Side.STATION, envelope.result_bytes(call.id, answer))]
        if not taken:
            return orders
        self._ticket, self._waits = self._ticket + 1, True
        return [*orders, Certify(self._ticket, str(csr))]

    def _certified(self, ticket: int, chain: str) -> list[Order | Certify]:
        if ticket != self._ticket or not self._waits:
            return []
        self._waits = False
        signed: dict[str, object] = {"certificateChain": chain}
        if self._guest.subprotocol != boot.V16:
            signed["certificateType"] = "ChargingStationCertificate"
        return [Say(Side.STATION, envelope.call_bytes(Call(SIGNED_ID, "CertificateSigned", signed)))]

    def _declined(self, ticket: int, cause: str) -> list[Order | Certify]:
        if ticket != self._ticket or not self._waits:
            return []
        self._waits = False
        return [self._note("cert.not_renewed", because=cause)]

    def _answered(self, said: Result | Error) -> list[Order | Certify]:
        """Hear what the station made of the new certificate (A02.FR.06, .07)."""
        if said.id != SIGNED_ID:
            return []
        status = said.payload.get("status") if isinstance(said, Result) else said.code
        if status == "Accepted":
            self._ended = True
            return [self._note("cert.renewed"), HangUp(SERVICE_RESTART, "come back with the new certificate")]
        self._ended = True
        refused = self._note("cert.not_renewed", because=f"the station answered {str(status)[:40]}")
        return [refused, HangUp(POLICY_VIOLATION, "the new certificate was not taken")]

    def _note(self, cause: str, **evidence: Value) -> Record:
        facts = {**self._guest.facts(), **evidence}
        return Record(Note(cause, self._guest.identity.text, self._guest.remote, facts))
