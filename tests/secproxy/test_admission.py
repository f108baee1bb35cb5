"""Who may connect, who may stay, and what a stranger learns from a refusal: nothing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki import password
from pki.errors import RefusedError
from pki.station import CertificateStatus, PasswordForm, SecurityProfile, Station, StationStatus
from secproxy.admission import Admitted, Hello, PasswordQuestion, judge, name_verifier, still_allowed
from secproxy.agreed import Agreed
from secproxy.errors import AdmissionRefused
from tests.play import NOON
from tests.secproxy.scene import (
    PASSWORD,
    REMOTE,
    VERIFIER,
    admitted,
    basic,
    certificate,
    fact,
    hello,
    station,
    view,
)

if TYPE_CHECKING:
    from secproxy.station_view import View

BASIC = station(profile=2, verifier=VERIFIER)


def ask(said: Hello, known: View) -> Admitted:
    """Judge, and answer a password question truthfully."""
    verdict = judge(said, known, NOON)
    if isinstance(verdict, Admitted):
        return verdict
    try:
        password.check(verdict.verifier, verdict.offered, verdict.form)
    except RefusedError:
        return verdict.answered(right=False)
    return verdict.answered(right=True)


def refusal(said: Hello, known: View) -> AdmissionRefused:
    """What ``ask`` raises."""
    with pytest.raises(AdmissionRefused) as refused:
        ask(said, known)
    return refused.value


# -- profile 3 ---------------------------------------------------------------------------------------------------------


def test_tc_a_07_a_station_with_its_own_certificate_is_admitted() -> None:
    """The evidence names station, credential, canonical path and the common versions in the station's order."""
    known = station()
    verdict = ask(hello("/ocpp/CP%2D001", subprotocols=("ocpp1.6", "ocpp0.1", "ocpp2.0.1", "ocpp1.6")), view(known))
    assert verdict.station is known
    assert verdict.subprotocols == ("ocpp1.6", "ocpp2.0.1")
    assert verdict.credential.hex() == certificate().fingerprint
    assert (verdict.target, verdict.remote, verdict.profile) == ("/ocpp/CP-001", REMOTE, SecurityProfile.MUTUAL_TLS)


def test_more_than_the_registered_profile_is_welcome() -> None:
    """A station registered for passwords may come with a certificate: profiles are floors (A05.FR.09)."""
    assert ask(hello(), view(station(profile=1)))


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (hello("/ocpp/CP-002"), "cert.other_station"),
        (hello("/ocpp/CP-003", shown=certificate("SN-CP-003")), "station.unknown"),
        (hello("/ocpp/CP-004", shown=certificate("SN-CP-004")), "station.disabled"),
        (hello("/ocpp/CP-005", shown=certificate("SN-CP-005")), "cert.revoked"),
        (hello(shown=certificate(not_after=NOON - dt.timedelta(days=1))), "cert.expired"),
        (hello(shown=certificate(issuer=b"?" * 32)), "cert.unknown_ca"),
        (dataclasses.replace(hello(), certificate=None), "cert.missing"),
    ],
)
def test_tc_a_08_certificate_refusals_differ_in_the_journal_alone(said: Hello, cause: str) -> None:
    """The wire sees one 403 for all; the event names cause, claimed station, peer and certificate."""
    known = view(
        station(),
        station("CP-002"),
        station("CP-004", status=StationStatus.DISABLED),
        station("CP-005", certificates=(fact(77, CertificateStatus.REVOKED),)),
    )
    refused = refusal(said, known)
    assert (refused.status, refused.challenge, refused.note.cause) == (403, False, cause)
    assert (refused.note.station, refused.note.remote) == (said.target.rpartition("/")[2], REMOTE)
    assert ("certificate_serial" in refused.note.evidence) is (cause != "cert.missing")


# -- profiles 1 and 2 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [1, 2])
def test_tc_a_01_a_station_with_its_password_is_admitted(profile: int) -> None:
    """A00.FR.204; the credential names the verifier, so that a changed password is another credential."""
    known = station(profile=profile, verifier=VERIFIER)
    verdict = ask(hello(profile=profile, authorization=basic("CP-001")), view(known))
    assert verdict.station is known
    assert verdict.credential == hashlib.sha256(VERIFIER.encode()).digest()


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (hello(profile=2, authorization=basic("CP-001", "another-password-x")), "auth.wrong_password"),
        (hello(profile=2, authorization=basic("CP-001", "")), "auth.wrong_password"),
        (hello("/ocpp/CP-009", profile=2, authorization=basic("CP-009")), "station.unknown"),
        (hello("/ocpp/CP-003", profile=2, authorization=basic("CP-003")), "profile.too_low"),
        (hello("/ocpp/CP-003", profile=2, authorization=basic("CP-003", "wrong")), "profile.too_low"),
        (hello(profile=1, authorization=basic("CP-001")), "profile.too_low"),
        (hello("/ocpp/CP-004", profile=2, authorization=basic("CP-004")), "station.disabled"),
        (hello("/ocpp/CP-005", profile=2, authorization=basic("CP-005")), "auth.wrong_password"),
        (hello(profile=2, authorization=basic("CP-002")), "auth.other_station"),
        (hello("/ocpp/CP-002", profile=2, authorization=basic("CP-001")), "auth.other_station"),
        (hello(profile=2, authorization=basic("cp-001")), "auth.other_station"),
        (hello(profile=2), "auth.missing"),
    ],
)
def test_attack_06_password_refusals_differ_in_the_journal_alone(said: Hello, cause: str) -> None:
    """Unknown, disabled, above its profile or wrong password: one 401, one challenge (TC_A_02, TC_A_03, TC_083)."""
    known = view(
        BASIC,
        station("CP-002", profile=2, verifier=VERIFIER),
        station("CP-003", profile=3, verifier=VERIFIER),
        station("CP-004", profile=2, verifier=VERIFIER, status=StationStatus.DISABLED),
        station("CP-005", profile=2),
    )
    refused = refusal(said, known)
    assert (refused.status, refused.challenge, refused.note.cause) == (401, True, cause)


@pytest.mark.parametrize("name", ["CP-001", "CP-003", "CP-009"])
def test_attack_06_every_identity_costs_the_same_work(name: str) -> None:
    """A question is asked for a known, a higher and an unknown station alike, so that time tells nothing."""
    known = view(BASIC, station("CP-003", profile=3))
    question = judge(hello(f"/ocpp/{name}", profile=2, authorization=basic(name)), known, NOON)
    assert isinstance(question, PasswordQuestion)
    assert not question.slow


@pytest.mark.parametrize("name", ["CP-003", "CP-009"])
def test_a_right_answer_cannot_help_who_may_not_connect(name: str) -> None:
    """Even if the check itself were wrong, an unknown station and a downgrade stay out."""
    known = view(station("CP-003", profile=3, verifier=VERIFIER))
    question = judge(hello(f"/ocpp/{name}", profile=2, authorization=basic(name)), known, NOON)
    assert isinstance(question, PasswordQuestion)
    with pytest.raises(AdmissionRefused):
        question.answered(right=True)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic ",
        "Bearer " + basic("CP-001")[6:],
        basic("CP-001")[6:],
        "Basic Q1AtMDAx",
        "Basic Q1AtMDAxOg==?",
        "Basic Q1AtMDAxOg",
        basic("CP-001") + " x",
        basic("CP-001", "x" * 2_000),
        "Basic \xff\xfe",
    ],
)
def test_a_header_that_is_not_basic_is_as_good_as_none(value: str) -> None:
    """RFC 7617, strictly; what is said about it never repeats it."""
    refused = refusal(hello(profile=2, authorization=value), view(BASIC))
    assert (refused.status, refused.note.cause) == (401, "auth.missing")
    assert not value or value[6:] not in str(refused.note.evidence) or len(value) < 8


def test_tc_085_a_password_may_be_any_bytes() -> None:
    """The first colon ends the user name; the rest is offered as it is, colons and bytes outside UTF-8 too."""
    secret = b"\x00\x01:\xff" * 4
    question = judge(hello(profile=2, authorization=basic("CP-001", secret)), view(BASIC), NOON)
    assert isinstance(question, PasswordQuestion)
    assert question.offered == secret


def test_no_secret_stands_in_what_is_printed() -> None:
    """A request, a question and an admission may land in a traceback; password and verifier must not."""
    said = hello(profile=2, authorization=basic("CP-001"))
    question = judge(said, view(BASIC), NOON)
    shown = f"{said!r} {question!r} {ask(said, view(BASIC))!r}"
    assert not any(secret in shown for secret in (PASSWORD, basic("CP-001")[6:], VERIFIER))


# -- both --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offered", [(), ("ocpp0.1",), ("OCPP2.0.1",), ("ocpp2.0",)])
@pytest.mark.parametrize("profile", [2, 3])
def test_tc_b_58_without_a_common_version_there_is_no_upgrade(profile: int, offered: tuple[str, ...]) -> None:
    """A 400 for who proved itself (TC_088); who did not gets the usual 401, and learns nothing of versions."""
    said = hello(profile=profile, authorization=basic("CP-001"), subprotocols=offered)
    refused = refusal(said, view(station(profile=2, verifier=VERIFIER)))
    assert (refused.status, refused.note.cause) == (400, "subprotocol.none")
    stranger = dataclasses.replace(hello(profile=2, authorization=basic("CP-001", "x")), subprotocols=offered)
    assert refusal(stranger, view(BASIC)).note.cause == "auth.wrong_password"


@pytest.mark.parametrize("target", ["/ocpp/CP-001?x", "/ocpp/../CP-001", "/", "/ocpp/a:b"])
def test_attack_16_a_bad_url_is_refused_before_anything_is_looked_up(target: str) -> None:
    """400, whether or not such a station exists."""
    refused = refusal(hello(target), view(station()))
    assert (refused.status, refused.note.cause, refused.note.station) == (400, "http.bad_request", "")


@given(st.text(max_size=40), st.none() | st.text(max_size=40), st.sampled_from([1, 2, 3]), st.booleans())
def test_no_request_makes_admission_stumble(target: str, authorization: str | None, profile: int, root: bool) -> None:
    """Whatever a stranger sends is refused with a status; nobody is admitted by luck."""
    said = hello("/" * root + target, profile=profile, authorization=authorization, shown=certificate("SN-nobody"))
    assert refusal(said, view(BASIC)).status in {400, 401, 403}


# -- still -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "because"),
    [
        (None, "station.unknown"),
        (station(status=StationStatus.DISABLED), "station.disabled"),
        (station(certificates=(fact(77, CertificateStatus.REVOKED),)), "cert.revoked"),
        (station(certificates=()), "cert.invalid"),
        (station(serial="SN-new"), "cert.invalid"),
    ],
)
def test_attack_11_a_change_in_the_ledger_ends_a_live_connection(after: Station | None, because: str) -> None:
    """Removed, disabled, revoked, no longer listed, or given to another device (A00.FR.705)."""
    live = admitted(station(), shown=certificate())
    still_allowed(live, view(station()), NOON)
    with pytest.raises(AdmissionRefused) as refused:
        still_allowed(live, view(*([after] if after else [])), NOON)
    assert refused.value.note.cause == "session.revoked"
    assert refused.value.note.evidence["because"] == because


def test_attack_11_a_certificate_that_ran_out_ends_a_live_connection() -> None:
    """A00.FR.407 holds for as long as the connection does."""
    live = admitted(station(), shown=certificate())
    with pytest.raises(AdmissionRefused) as refused:
        still_allowed(live, view(station()), NOON + dt.timedelta(days=90))
    assert refused.value.note.evidence["because"] == "cert.expired"


@pytest.mark.parametrize(
    ("after", "because"),
    [
        (None, "station.unknown"),
        (dataclasses.replace(BASIC, status=StationStatus.DISABLED), "station.disabled"),
        (dataclasses.replace(BASIC, profile=SecurityProfile.MUTUAL_TLS), "profile.too_low"),
        (dataclasses.replace(BASIC, verifier=""), "auth.wrong_password"),
    ],
)
def test_attack_09_a_raised_profile_or_a_new_password_ends_a_live_connection(
    after: Station | None, because: str
) -> None:
    """A05.FR.09: once the ledger asks for more, what was enough before is not."""
    live = admitted(BASIC, profile=2)
    still_allowed(live, view(BASIC), NOON)
    with pytest.raises(AdmissionRefused) as refused:
        still_allowed(live, view(*([after] if after else [])), NOON)
    assert refused.value.note.evidence["because"] == because


NEWER = password.generate(bytes(range(1, 65)))
NEXT = password.remember(NEWER, b"n" * 16, generated=True)
ROTATING = dataclasses.replace(BASIC, next_verifier=NEXT)


def test_while_a_password_follows_another_both_are_asked_for() -> None:
    """A01: the second question is the first one's, of the other verifier and form; who comes with it is told apart."""
    said = hello(profile=2, authorization=basic("CP-001", NEWER))
    question = judge(said, view(dataclasses.replace(ROTATING, next_form=PasswordForm.HEX)), NOON)
    assert isinstance(question, PasswordQuestion)
    newer = question.newer()
    assert newer is not None
    assert (newer.verifier, newer.form, newer.offered, newer.newer()) == (NEXT, PasswordForm.HEX, NEWER.encode(), None)
    assert question.answered(right=True).newer is False
    assert (newer.answered(right=True).newer, newer.answered(right=True).credential) == (True, name_verifier(NEXT))
    with pytest.raises(AdmissionRefused):
        newer.answered(right=False)


@pytest.mark.parametrize("known", [view(), view(BASIC)])
def test_where_none_follows_there_is_no_second_question(known: View) -> None:
    """For a station without a rotation, and for one that is none."""
    question = judge(hello(profile=2, authorization=basic("CP-001")), known, NOON)
    assert isinstance(question, PasswordQuestion)
    assert question.newer() is None


def test_a_live_connection_with_either_password_stays_until_one_is_dropped() -> None:
    """A01.FR.03: once the new one is the only one, what came with the old one ends."""
    old = admitted(BASIC, profile=2)
    new = dataclasses.replace(old, credential=name_verifier(NEXT))
    settled = dataclasses.replace(BASIC, verifier=NEXT)
    for live in (old, new):
        still_allowed(live, view(ROTATING), NOON)
    still_allowed(new, view(settled), NOON)
    for live, known in ((old, settled), (new, BASIC)):
        with pytest.raises(AdmissionRefused):
            still_allowed(live, view(known), NOON)


def test_a_change_that_does_not_concern_the_credential_ends_nothing() -> None:
    """A new model name, a second certificate, a lower profile: the connection stays."""
    live = admitted(station(), shown=certificate())
    after = dataclasses.replace(station(certificates=(fact(), fact(78))), model="Two", profile=SecurityProfile.BASIC)
    still_allowed(live, view(after), NOON)


# -- old TLS -----------------------------------------------------------------------------------------------------------


def over_old_tls(said: Hello, *stations: str) -> Hello:
    """The same request at a listener of TLS 1.0 and 1.1, which is for these stations."""
    return dataclasses.replace(said, legacy=stations)


def test_over_old_tls_a_station_that_is_named_comes_in_with_ocpp_1_6() -> None:
    """A00.FR.312 of OCPP 1.6; no later version leaves a CSMS this choice."""
    assert ask(over_old_tls(hello(), "CP-001"), view(station())).subprotocols == ("ocpp1.6",)
    newer = refusal(over_old_tls(hello(subprotocols=("ocpp2.0.1",)), "CP-001"), view(station()))
    assert (newer.note.cause, newer.status) == ("subprotocol.none", 400)


def test_over_old_tls_a_station_that_is_not_named_stays_out_whatever_it_proves() -> None:
    """A00.FR.314: right certificate, right password, wrong door; the answer is that of any other refusal."""
    by_certificate = refusal(over_old_tls(hello(), "CP-002"), view(station()))
    said = hello(profile=2, authorization=basic("CP-001"))
    by_password = refusal(over_old_tls(said, "CP-002"), view(BASIC))

    assert (by_certificate.note.cause, by_certificate.status) == ("tls.not_legacy", 403)
    assert (by_password.note.cause, by_password.status, by_password.challenge) == ("tls.not_legacy", 401, True)


def test_being_named_for_old_tls_proves_nothing() -> None:
    """The list widens no other rule."""
    wrong = refusal(over_old_tls(hello(profile=2, authorization=basic("CP-001", "x" * 16)), "CP-001"), view(BASIC))
    assert (wrong.note.cause, wrong.status) == ("auth.wrong_password", 401)


# -- less TLS than before ----------------------------------------------------------------------------------------------


def comes(said: Hello, version: str, *, keeps: bool = True) -> Hello:
    """The same request over another version of TLS, where the settings keep a station to what it could."""
    return dataclasses.replace(said, agreed=Agreed(version, "", ""), keeps_tls=keeps)


@pytest.mark.parametrize(
    ("before", "version", "refused"),
    [
        ("TLSv1.3", "TLSv1.3", False),
        ("TLSv1.3", "TLSv1.2", True),
        ("TLSv1.2", "TLSv1.2", False),
        ("TLSv1.2", "TLSv1.3", False),
        ("TLSv1.2", "TLSv1.1", True),
        ("", "TLSv1.2", False),
        ("", "TLSv1", False),
    ],
)
def test_a_station_that_comes_with_less_tls_than_it_has_used_is_refused_where_that_is_wished(
    before: str, version: str, refused: bool
) -> None:
    """Row 8: somebody in between may be holding it back; by certificate or by password alike."""
    by_certificate = view(dataclasses.replace(station(), tls=before))
    by_password = view(dataclasses.replace(BASIC, tls=before))
    password_said = hello(profile=2, authorization=basic("CP-001"))

    if not refused:
        assert ask(comes(hello(), version), by_certificate)
        assert ask(comes(password_said, version), by_password)
        return
    found = refusal(comes(hello(), version), by_certificate)
    assert (found.note.cause, found.status, found.note.evidence["before"]) == ("tls.downgrade", 403, before)
    found = refusal(comes(password_said, version), by_password)
    assert (found.note.cause, found.status, found.challenge) == ("tls.downgrade", 401, True)


def test_less_tls_is_nobody_s_business_unless_the_settings_say_so() -> None:
    """A fleet may mix firmware; the version is on record with every session all the same."""
    assert ask(comes(hello(), "TLSv1.2", keeps=False), view(dataclasses.replace(station(), tls="TLSv1.3")))
