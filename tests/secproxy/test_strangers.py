"""What becomes of a station that nobody registered, as its listener says; and what no listener can allow."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pki.station import CertificateStatus, Station, StationStatus
from secproxy.admission import Admitted, Hello, PasswordQuestion, judge, still_allowed
from secproxy.config import Unknown
from secproxy.errors import AdmissionRefused
from secproxy.strangers import Guest, judge_stranger, may_stay
from tests.play import NOON
from tests.secproxy.scene import MAKERS, REMOTE, VERIFIER, basic, certificate, fact, hello, station, view

if TYPE_CHECKING:
    from secproxy.binding import ClientCertificate

STRANGE = certificate("SN-9", issuer=MAKERS, organisations=("Acme Works",))


def meet(said: Hello) -> Guest | Admitted:
    """Have a request judged as the edge does."""
    known = view(station(), station("CP-002", profile=2, verifier=VERIFIER))
    try:
        verdict = judge(said, known, NOON)
        assert isinstance(verdict, PasswordQuestion)
        verdict.refuse_stranger()
    except AdmissionRefused as refused:
        return judge_stranger(said, known, NOON, refused)
    raise AssertionError("the station is known")


def by_certificate(unknown: Unknown, shown: ClientCertificate = STRANGE) -> Hello:
    return replace(hello("/ocpp/CP-900", shown=shown), unknown=unknown)


def by_password(unknown: Unknown) -> Hello:
    return replace(hello("/ocpp/CP-900", profile=2, authorization=basic("CP-900")), unknown=unknown)


@pytest.mark.parametrize("said", [by_certificate(Unknown.REFUSE), by_password(Unknown.REFUSE)])
def test_a_stranger_is_refused_unless_a_listener_says_otherwise(said: Hello) -> None:
    """The default is the refusal that every stranger gets."""
    with pytest.raises(AdmissionRefused) as refused:
        meet(said)
    assert refused.value.note.cause == "station.unknown"


@pytest.mark.parametrize(
    ("said", "serial"), [(by_certificate(Unknown.QUARANTINE), "SN-9"), (by_password(Unknown.QUARANTINE), "")]
)
def test_a_stranger_may_wait_in_quarantine(said: Hello, serial: str) -> None:
    """With a certificate of a trusted maker, or with whatever password it has."""
    guest = meet(said)

    assert isinstance(guest, Guest)
    assert (guest.identity.text, guest.remote, guest.serial) == ("CP-900", REMOTE, serial)
    assert guest.subprotocol == said.subprotocols[0]


@pytest.mark.parametrize("said", [by_certificate(Unknown.OBSERVE), by_password(Unknown.OBSERVE)])
def test_a_stranger_may_be_let_through_under_observation(said: Hello) -> None:
    """As evidence of its own kind, which ends when the station is registered and what it showed does not fit."""
    verdict = meet(said)

    assert isinstance(verdict, Admitted)
    assert verdict.observed
    still_allowed(verdict, view(), NOON)
    with pytest.raises(AdmissionRefused):
        still_allowed(verdict, view(station("CP-900", profile=2, verifier=VERIFIER)), NOON)


@pytest.mark.parametrize("unknown", [Unknown.QUARANTINE, Unknown.OBSERVE])
@pytest.mark.parametrize(
    ("shown", "cause"),
    [
        pytest.param(certificate("SN-CP-001", issuer=MAKERS), "cert.other_station", id="names a registered station"),
        pytest.param(certificate("SN-9"), "station.unknown", id="is one of ours, issued to somebody else"),
        pytest.param(replace(STRANGE, issuer_key_id=b"?" * 32), "cert.unknown_ca", id="is nobody's we trust"),
        pytest.param(replace(STRANGE, not_after=NOON - dt.timedelta(days=1)), "cert.expired", id="has ended"),
        pytest.param(replace(STRANGE, organisations=("Other",)), "cert.invalid", id="A00.FR.404"),
        pytest.param(replace(STRANGE, common_names=("SN-9", "SN-10")), "cert.invalid", id="A00.FR.405"),
    ],
)
def test_no_listener_takes_a_certificate_that_is_wrong(unknown: Unknown, shown: ClientCertificate, cause: str) -> None:
    """What speaks against a certificate without any record of it speaks against a stranger's."""
    with pytest.raises(AdmissionRefused) as refused:
        meet(by_certificate(unknown, shown))
    assert (refused.value.note.cause, refused.value.status) == (cause, 403)


def test_no_listener_takes_a_stranger_without_a_version_we_speak() -> None:
    """OCTT TC_B_58 holds for strangers as well."""
    with pytest.raises(AdmissionRefused) as refused:
        meet(replace(by_certificate(Unknown.QUARANTINE), subprotocols=("ocpp0.1",)))
    assert refused.value.note.cause == "subprotocol.none"


def test_a_registered_station_is_never_a_stranger() -> None:
    """Its wrong password is refused as one, whatever the listener does with strangers."""
    said = replace(hello("/ocpp/CP-002", profile=2, authorization=basic("CP-002")), unknown=Unknown.OBSERVE)
    with pytest.raises(AssertionError, match="known"):
        meet(said)


LATER = NOON + dt.timedelta(days=91)
LISTED = replace(station(), expired_until=LATER + dt.timedelta(days=1))


def late(known: Station, shown: ClientCertificate | None = None, now: dt.datetime = LATER) -> Guest | Admitted:
    """Have an expired certificate judged as the edge does."""
    said = hello(shown=shown or certificate())
    with pytest.raises(AdmissionRefused) as refused:
        judge(said, view(known), now)
    return judge_stranger(said, view(known), now, refused.value)


def test_a_station_that_was_listed_may_renew_what_has_ended() -> None:
    """A00.FR.429: as a guest, whatever the listener does with strangers."""
    guest = late(LISTED)

    assert isinstance(guest, Guest)
    assert (guest.because, guest.identity.text) == ("cert.expired", "CP-001")


@pytest.mark.parametrize(
    ("known", "shown", "now", "cause"),
    [
        pytest.param(station(), None, LATER, "cert.expired", id="it is not listed"),
        pytest.param(LISTED, None, LATER + dt.timedelta(days=2), "cert.expired", id="it was listed until yesterday"),
        pytest.param(replace(LISTED, certificates=()), None, LATER, "cert.invalid", id="the ledger does not know it"),
        pytest.param(
            replace(LISTED, certificates=(fact(77, CertificateStatus.REVOKED),)),
            None,
            LATER,
            "cert.revoked",
            id="revoked",
        ),
        pytest.param(replace(LISTED, status=StationStatus.DISABLED), None, LATER, "station.disabled", id="disabled"),
        pytest.param(
            LISTED, certificate(organisations=("Other",)), LATER, "cert.invalid", id="of another organisation"
        ),
        pytest.param(LISTED, certificate("SN-9"), LATER, "cert.invalid", id="with another serial number"),
    ],
)
def test_only_the_end_may_be_wrong(
    known: Station, shown: ClientCertificate | None, now: dt.datetime, cause: str
) -> None:
    """What else speaks against a certificate speaks against an expired one."""
    with pytest.raises(AdmissionRefused) as refused:
        late(known, shown, now)
    assert refused.value.note.cause == cause


def test_a_stranger_stays_until_it_is_registered() -> None:
    """Then it is no stranger, and comes back as what it is."""
    guest = meet(by_certificate(Unknown.QUARANTINE))
    assert isinstance(guest, Guest)
    assert may_stay(guest, view(station()), NOON)
    assert not may_stay(guest, view(station("CP-900", serial="SN-9")), NOON)


@pytest.mark.parametrize(
    ("known", "stays"),
    [
        (LISTED, True),
        (replace(LISTED, model="Two"), True),
        (None, False),
        (station(), False),
        (replace(LISTED, status=StationStatus.DISABLED), False),
        (replace(LISTED, expired_until=LATER), False),
        (replace(LISTED, certificates=(fact(77, CertificateStatus.REVOKED),)), False),
    ],
)
def test_attack_11_one_that_renews_stays_while_it_may(known: Station | None, stays: bool) -> None:
    """What would have kept it out ends it."""
    guest = late(LISTED)
    assert isinstance(guest, Guest)
    assert may_stay(guest, view(*([known] if known else [])), LATER) is stays
