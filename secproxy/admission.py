"""Who may connect: what the station showed, held against what the ledger knows of it.

Rules this file keeps:

* The identity is the last segment of the URL's path, percent-decoded once (OCPP-J 3.1.1); certificate, user name and
  record must all name the same station, and nothing is matched loosely.
* Nobody learns from an answer which stations exist: on password listeners a wrong password, an unknown station, a
  disabled one and one of a higher security profile get the same 401 after the same work; on certificate listeners
  every refusal is the same 403.
* A security profile is a floor: a station may come with more than it is registered with, never with less (A05.FR.09).
* The subprotocol is judged last, so that a stranger learns nothing from it (OCTT TC_B_58, TC_088).
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pki.errors import InputError
from pki.password import DUMMY_VERIFIER, is_slow
from pki.station import PasswordForm, SecurityProfile, Station, StationStatus, best_tls
from secproxy.binding import (
    NO_OBJECTION,
    ClientCertificate,
    Objection,
    certificate_facts,
    objection,
    objection_to_stranger,
)
from secproxy.config import Unknown
from secproxy.errors import AdmissionRefused
from secproxy.events import Note, Value
from secproxy.target import TARGET_LENGTH, Place, read_target

if TYPE_CHECKING:
    import datetime as dt

    from secproxy.agreed import Agreed
    from secproxy.station_view import View

__all__ = [
    "SUBPROTOCOLS",
    "Admitted",
    "ClientCertificate",
    "Hello",
    "PasswordQuestion",
    "common_subprotocols",
    "judge",
    "name_verifier",
    "place_of",
    "still_allowed",
]

SUBPROTOCOLS: Final = ("ocpp2.1", "ocpp2.0.1", "ocpp1.6")
LEGACY_SUBPROTOCOLS: Final = ("ocpp1.6",)  # OCPP 1.6 alone lets a CSMS take TLS below 1.2 (A00.FR.312 of it)
AUTHORIZATION_LENGTH: Final = 1_024  # characters of the header's value; 48 and 64 characters in base64 need 152


@dataclass(frozen=True, slots=True)
class Hello:
    """All that a station said until its upgrade request was complete.

    ``profile`` and ``unknown`` are the listener's, ``remote`` is ``ip:port``, ``target`` is the raw request target,
    ``authorization`` the header's value in Latin-1.
    """

    profile: SecurityProfile
    remote: str
    target: str
    subprotocols: tuple[str, ...]
    authorization: str | None
    certificate: ClientCertificate | None
    agreed: Agreed
    legacy: tuple[str, ...] = ()
    """Where it came to a listener of old TLS: the only stations that are let in there."""
    unknown: Unknown = Unknown.REFUSE
    keeps_tls: bool = False
    """Whether a station must not come with less TLS than it has booted over before."""

    def __repr__(self) -> str:
        return f"Hello({self.profile.name}, {self.remote!r}, {self.target[:TARGET_LENGTH]!r})"


@dataclass(frozen=True, slots=True)
class Admitted:
    """Evidence that a station may connect.

    ``subprotocols`` are those both sides know, in the station's order; ``credential`` names, in 32 bytes, what it
    proved itself with; ``target`` is its request path in canonical form.
    """

    station: Station
    profile: SecurityProfile
    subprotocols: tuple[str, ...]
    certificate: ClientCertificate | None
    credential: bytes
    target: str
    remote: str
    agreed: Agreed
    newer: bool = False
    """It came with the password that was to follow (A01): from now on that one alone counts."""
    observed: bool = False
    """Nobody registered it, and the listener lets such through with an alarm: ``station`` is what it says it is."""

    def opened(self, subprotocol: str, *, assumed: bool = False) -> Note:
        """Tell that the station is connected, with the subprotocol that its CSMS chose; ``assumed``: the station named
        none."""
        facts: dict[str, Value] = {"subprotocol": subprotocol, "listener_profile": int(self.profile)}
        facts |= {"assumed": True} if assumed else {}
        return Note("session.opened", self.station.identity.text, self.remote, facts | self.agreed.facts())

    def __repr__(self) -> str:
        return f"Admitted({self.station.identity.text!r}, {self.profile.name}, {self.remote!r})"


@dataclass(frozen=True, slots=True)
class PasswordQuestion:
    """Is this the password? The edge asks ``pki.password.check`` (in a thread when ``slow``) and tells the answer.

    It is asked for every request with a user name that fits, also when the answer cannot help: then ``verifier`` is one
    that no password fits, or ``refusal`` says what is wrong besides.
    """

    verifier: str
    offered: bytes
    form: PasswordForm
    slow: bool
    _hello: Hello
    _where: Place
    _station: Station | None
    refusal: Note | None
    """What is wrong whatever the password."""
    _newer: bool = False

    @property
    def identity(self) -> str:
        """The name under which it is offered."""
        return self._where.identity.text

    def newer(self) -> PasswordQuestion | None:
        """Ask the same of the password that is to follow, while a rotation is open (A01)."""
        station = self._station
        if self._newer or station is None or not station.next_verifier:
            return None
        slow = is_slow(station.next_verifier)
        return replace(self, verifier=station.next_verifier, form=station.next_form, slow=slow, _newer=True)

    def refuse_stranger(self) -> None:
        """Raise ``AdmissionRefused`` when nobody registered this name: then there is no password to look at."""
        if self._station is None and self.refusal is not None:
            raise AdmissionRefused(self.refusal, 401, challenge=True)

    def answered(self, right: bool) -> Admitted:
        """Admit the station. Raises ``AdmissionRefused`` 401 when the password is wrong or could not help."""
        if self.refusal is not None:
            raise AdmissionRefused(self.refusal, 401, challenge=True)
        if not right or self._station is None:
            note = _note("auth.wrong_password", self._hello, self._where, form=self.form.value)
            raise AdmissionRefused(note, 401, challenge=True)
        admitted = _admit(self._hello, self._where, self._station, name_verifier(self.verifier))
        return replace(admitted, newer=True) if self._newer else admitted

    def __repr__(self) -> str:
        return f"PasswordQuestion({self._where.identity.text!r}, ...)"


def judge(hello: Hello, view: View, now: dt.datetime) -> Admitted | PasswordQuestion:
    """Judge a station's request. Raises ``AdmissionRefused``; a ``PasswordQuestion`` is half a yes."""
    where = place_of(hello)
    if hello.profile is SecurityProfile.MUTUAL_TLS:
        return _by_certificate(hello, where, view, now)
    return _by_password(hello, where, view.stations.get(where.identity.text))


def still_allowed(admitted: Admitted, view: View, now: dt.datetime) -> None:
    """Judge a live connection again after the view changed. Raises ``AdmissionRefused`` with ``session.revoked``; the
    evidence's ``because`` is the cause a new connection would be refused with (A00.FR.705, A05.FR.09)."""
    because, facts = _objection_to_live(admitted, view, now)
    if because:
        evidence: dict[str, Value] = {"because": because, **facts}
        note = Note("session.revoked", admitted.station.identity.text, admitted.remote, evidence)
        raise AdmissionRefused(note, 403)


def name_verifier(verifier: str) -> bytes:
    """Name a password by what it is checked against; 32 bytes. It holds a random salt, so nobody guesses it."""
    return hashlib.sha256(verifier.encode()).digest()


# -- the request -------------------------------------------------------------------------------------------------------


def place_of(hello: Hello) -> Place:
    """Read where a station wants to go. Raises ``AdmissionRefused`` 400."""
    try:
        return read_target(hello.target)
    except InputError as refused:
        evidence: dict[str, Value] = {"says": refused.cause, "target": hello.target}
        raise AdmissionRefused(Note("http.bad_request", "", hello.remote, evidence), 400) from None


def common_subprotocols(hello: Hello) -> tuple[str, ...]:
    """Pick those both sides know, in the station's order. Raises ``AdmissionRefused`` 400 when there are none."""
    spoken = LEGACY_SUBPROTOCOLS if hello.legacy else SUBPROTOCOLS
    common = tuple(dict.fromkeys(name for name in hello.subprotocols if name in spoken))
    if not common:
        offered = ", ".join(hello.subprotocols)
        raise AdmissionRefused(_note("subprotocol.none", hello, place_of(hello), offered=offered), 400)
    return common


def _admit(hello: Hello, where: Place, station: Station, credential: bytes) -> Admitted:
    common, shown = common_subprotocols(hello), (hello.certificate, credential)
    return Admitted(station, hello.profile, common, *shown, where.target, hello.remote, hello.agreed)


def _note(cause: str, hello: Hello, where: Place, **evidence: Value) -> Note:
    facts: dict[str, Value] = dict(evidence)
    if hello.certificate is not None:
        facts |= certificate_facts(hello.certificate)
    facts |= {"listener_profile": int(hello.profile), **hello.agreed.facts()}
    return Note(cause, where.identity.text, hello.remote, facts)


def _objection_to_tls(hello: Hello, station: Station) -> Objection:
    """Old TLS is for the stations that can do no better; and, where that is wished, what a station could it can."""
    if hello.legacy and station.identity.text not in hello.legacy:
        return "tls.not_legacy", {}
    if hello.keeps_tls and best_tls(hello.agreed.version, station.tls) != hello.agreed.version:
        return "tls.downgrade", {"before": station.tls}
    return NO_OBJECTION


# -- by certificate (profile 3) ----------------------------------------------------------------------------------------


def _by_certificate(hello: Hello, where: Place, view: View, now: dt.datetime) -> Admitted:
    certificate = hello.certificate
    if certificate is None:
        raise AdmissionRefused(_note("cert.missing", hello, where), 403)
    station = view.stations.get(where.identity.text)
    cause, facts = objection(certificate, station, view, now)
    if not cause and station is not None:
        cause, facts = _objection_to_tls(hello, station)
    if cause or station is None:
        raise AdmissionRefused(_note(cause, hello, where, **facts), 403)
    return _admit(hello, where, station, bytes.fromhex(certificate.fingerprint))


# -- by password (profiles 1 and 2) ------------------------------------------------------------------------------------


def _by_password(hello: Hello, where: Place, station: Station | None) -> PasswordQuestion:
    """Ask for every well-formed request, so that time tells a stranger nothing."""
    user, offered = _basic(hello, where)
    if user != where.identity.text.encode():  # A00.FR.204, .207; OCTT TC_A_02
        shown = user.decode(errors="replace")
        raise AdmissionRefused(_note("auth.other_station", hello, where, user=shown), 401, challenge=True)
    verifier = (station.verifier if station else "") or DUMMY_VERIFIER
    form = station.password_form if station else PasswordForm.ANY
    refusal = _refusal_besides(hello, where, station)
    return PasswordQuestion(verifier, offered, form, is_slow(verifier), hello, where, station, refusal)


def _refusal_besides(hello: Hello, where: Place, station: Station | None) -> Note | None:
    """What is wrong whatever the password."""
    if station is None:
        return _note("station.unknown", hello, where)
    if hello.profile < station.profile:  # A00.FR.002, A05.FR.09; OCTT TC_083
        return _note("profile.too_low", hello, where, station_profile=int(station.profile))
    if station.status is not StationStatus.ACTIVE:
        return _note("station.disabled", hello, where)
    cause, facts = _objection_to_tls(hello, station)
    if cause:
        return _note(cause, hello, where, **facts)
    return None if station.verifier else _note("auth.wrong_password", hello, where, says="the station has no password")


def _basic(hello: Hello, where: Place) -> tuple[bytes, bytes]:
    """Read user name and password (RFC 7617): the first colon parts them; the password may be any bytes (TC_085)."""
    value = hello.authorization
    if value is None:
        raise _unreadable(hello, where, "there is no Authorization header")
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "basic" or len(value) > AUTHORIZATION_LENGTH:
        raise _unreadable(hello, where, "the scheme is not Basic, or the header is too long")
    try:
        user, colon, password = base64.b64decode(token.strip(" "), validate=True).partition(b":")
    except ValueError:
        raise _unreadable(hello, where, "it is not base64") from None
    if not colon:
        raise _unreadable(hello, where, "there is no colon between name and password")
    return user, password


def _unreadable(hello: Hello, where: Place, says: str) -> AdmissionRefused:
    return AdmissionRefused(_note("auth.missing", hello, where, says=says), 401, challenge=True)


# -- again -------------------------------------------------------------------------------------------------------------


def _objection_to_live(admitted: Admitted, view: View, now: dt.datetime) -> Objection:
    station = view.stations.get(admitted.station.identity.text)
    if admitted.observed and station is None:
        return objection_to_stranger(admitted.certificate, view, now) if admitted.certificate else NO_OBJECTION
    if admitted.certificate is not None:
        return objection(admitted.certificate, station, view, now)
    if station is None:
        return "station.unknown", {}
    if station.status is not StationStatus.ACTIVE:
        return "station.disabled", {}
    if admitted.profile < station.profile:
        return "profile.too_low", {"station_profile": int(station.profile)}
    if admitted.credential not in {name_verifier(each) for each in (station.verifier, station.next_verifier) if each}:
        return "auth.wrong_password", {"says": "the password was changed"}
    return NO_OBJECTION
