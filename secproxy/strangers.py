"""Those nobody registered, turned away, kept waiting without a CSMS, or let through with an alarm; and those who come
late, with a certificate that has ended.

Rules this file keeps:

* Turning away is what happens unless a listener says otherwise, and it says so in the words of any other refusal.
* A stranger is nobody's certificate copied: one that names a registered station, or that one of our own authorities
  issued, was refused before and stays refused, whatever the listener says.
* Who waits in quarantine has proved nothing but its maker: no CSMS hears of it, and no station's place is taken.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pki.names import StationSerial
from pki.station import SecurityProfile, Station, StationStatus
from secproxy.admission import Admitted, Hello, common_subprotocols, place_of
from secproxy.binding import NO_OBJECTION, certificate_facts, objection_besides_end, objection_to_stranger
from secproxy.config import Unknown
from secproxy.errors import AdmissionRefused
from secproxy.events import Note

if TYPE_CHECKING:
    import datetime as dt

    from pki.names import StationIdentity
    from secproxy.binding import ClientCertificate
    from secproxy.events import Value
    from secproxy.station_view import View

LATE: Final = "cert.expired"  # the cause that a station's record may have another answer to (A00.FR.429)
STRANGER: Final = "station.unknown"  # the cause that a listener may have another answer to than a refusal


@dataclass(frozen=True, slots=True)
class Guest:
    """Evidence that somebody may wait in quarantine. ``subprotocol`` is the one that will be spoken."""

    identity: StationIdentity
    profile: SecurityProfile
    subprotocol: str
    certificate: ClientCertificate | None
    remote: str
    because: str = STRANGER
    """Why it may not come in: nobody registered it, or its certificate has ended and it may renew it."""

    @property
    def serial(self) -> str:
        """The serial number that its certificate names; empty without one."""
        return self.certificate.common_names[0] if self.certificate else ""

    def facts(self) -> dict[str, Value]:
        """What an event says of it."""
        shown = certificate_facts(self.certificate) if self.certificate else {}
        return {**shown, "listener_profile": int(self.profile), "protocol": self.subprotocol}

    def __repr__(self) -> str:
        return f"Guest({self.identity.text!r}, {self.profile.name}, {self.remote!r})"


def judge_stranger(hello: Hello, view: View, now: dt.datetime, refused: AdmissionRefused) -> Guest | Admitted:
    """Have the answer of the listener, or of the station's record, to one who was ``refused`` for being unknown, or
    late. Raises ``AdmissionRefused``."""
    if refused.note.cause == LATE:
        return _judge_late(hello, view, now, refused)
    if hello.unknown is Unknown.REFUSE or refused.note.cause != STRANGER:
        raise refused
    _examine(hello, view, now, refused)
    where, common = place_of(hello), common_subprotocols(hello)
    if hello.unknown is Unknown.QUARANTINE:
        return Guest(where.identity, hello.profile, common[0], hello.certificate, hello.remote)
    names = hello.certificate.common_names if hello.certificate else (where.identity.text,)
    station = Station(where.identity, StationSerial(names[0]), hello.profile)
    shown = hello.certificate, _credential(hello)
    return Admitted(station, hello.profile, common, *shown, where.target, hello.remote, hello.agreed, observed=True)


def may_stay(guest: Guest, view: View, now: dt.datetime) -> bool:
    """Judge one who waits again, after the view changed: a stranger until it is registered, one that renews while it is
    listed for that and nothing else speaks against it."""
    station = view.stations.get(guest.identity.text)
    if guest.because == STRANGER or station is None or guest.certificate is None:
        return guest.because == STRANGER and station is None
    listed = station.expired_until is not None and station.expired_until > now
    content = guest.certificate.issuer_key_id in view.trusts and objection_besides_end(guest.certificate, station, view)
    return listed and station.status is StationStatus.ACTIVE and content == NO_OBJECTION


def _judge_late(hello: Hello, view: View, now: dt.datetime, refused: AdmissionRefused) -> Guest:
    """Let a station renew its expired certificate, where it was listed for that and nothing else is wrong."""
    where, certificate = place_of(hello), hello.certificate
    station = view.stations.get(where.identity.text)
    if certificate is None or station is None or station.expired_until is None or station.expired_until <= now:
        raise refused
    cause, facts = objection_besides_end(certificate, station, view)
    if cause:
        raise AdmissionRefused(replace(refused.note, cause=cause, evidence={**refused.note.evidence, **facts}), 403)
    version = common_subprotocols(hello)[0]
    return Guest(where.identity, hello.profile, version, certificate, hello.remote, LATE)


def _examine(hello: Hello, view: View, now: dt.datetime, refused: AdmissionRefused) -> None:
    """Hold a stranger's certificate against all that needs no record of it (A00.FR.403, .404, .405)."""
    if hello.certificate is None:
        if hello.profile is SecurityProfile.MUTUAL_TLS:
            raise refused
        return
    cause, facts = objection_to_stranger(hello.certificate, view, now)
    if cause:
        evidence = {**refused.note.evidence, **facts}
        raise AdmissionRefused(Note(cause, refused.note.station, hello.remote, evidence), refused.status)


def _credential(hello: Hello) -> bytes:
    """Name what it showed, so that a second one under the same name is told apart."""
    if hello.certificate is not None:
        return bytes.fromhex(hello.certificate.fingerprint)
    return hashlib.sha256((hello.authorization or "").encode()).digest()
