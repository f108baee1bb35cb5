"""``pki.firmware.gate``: only verified images pass, to the model they are for, while their signer is good."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils

from pki.certificate import key_id
from pki.firmware.gate import Answer, Cleared, GateRefusedError, StationModel, UpdateRequest, examine
from pki.firmware.release import ReleaseClaim
from pki.firmware.signature import read_signature
from pki.firmware.signer import Anchors
from tests.pki.firmware.makers import CLAIM, NOW, make_maker, make_root, make_signer

if TYPE_CHECKING:
    from pki.firmware.release import Release

MAKER = make_maker()
RELEASE = MAKER.release()
STATION = StationModel(CLAIM.vendor, CLAIM.model)
REQUEST = UpdateRequest(base64.b64encode(RELEASE.signature).decode(), MAKER.signer.pem)


def refused(
    request: UpdateRequest = REQUEST,
    station: StationModel = STATION,
    releases: tuple[Release, ...] = (RELEASE,),
    anchors: Anchors = MAKER.anchors,
    now: dt.datetime = NOW,
) -> tuple[str, Answer]:
    """The reason and the answer of a refusal."""
    with pytest.raises(GateRefusedError) as refusal:
        examine(request, station, releases, anchors, now)
    assert refusal.value.code == "firmware.gate"
    return refusal.value.reason.code, refusal.value.answer


def test_a_verified_release_is_cleared_for_its_own_model() -> None:
    """The evidence holds the request, the release and the station."""
    cleared = examine(REQUEST, STATION, (RELEASE,), MAKER.anchors, NOW)
    assert (cleared.request, cleared.release, cleared.station) == (REQUEST, RELEASE, STATION)


def test_nobody_else_can_clear_an_update() -> None:
    """``Cleared`` is proof only because it cannot be made by hand."""
    with pytest.raises(TypeError):
        Cleared(REQUEST, RELEASE, STATION, object())


def test_gate_01_the_signature_of_an_unverified_image_is_refused() -> None:
    """A true signature of the right maker, of bytes that nobody verified here."""
    other = UpdateRequest(MAKER.signer.sign(b"other bytes"), MAKER.signer.pem)
    assert refused(other) == ("sig.bad", Answer.REJECTED)


def test_gate_02_the_signature_of_another_release_does_not_go_with_this_signer() -> None:
    """Signature and certificate must come from one and the same release."""
    second = make_maker()
    anchors = Anchors({CLAIM.vendor: (MAKER.root.certificate, second.root.certificate)})
    mixed = UpdateRequest(REQUEST.signature, second.signer.pem)
    assert refused(mixed, releases=(RELEASE, second.release()), anchors=anchors) == ("sig.bad", Answer.REJECTED)


def test_gate_03_a_signer_from_our_own_hierarchy_is_refused() -> None:
    """Certificates of the operator never vouch for firmware (A00.FR.601)."""
    ours = make_root("Example Charging Root")
    anchors = Anchors(MAKER.anchors.vendors, (ours.certificate,))
    request = UpdateRequest(REQUEST.signature, make_signer(ours).pem)
    assert refused(request, anchors=anchors) == ("signer.hierarchy", Answer.INVALID_CERTIFICATE)


def test_gate_04_an_unknown_signer_is_refused() -> None:
    """No path to a root of this vendor's, no update."""
    request = UpdateRequest(REQUEST.signature, make_signer(make_root("Nobody")).pem)
    assert refused(request) == ("signer.untrusted", Answer.INVALID_CERTIFICATE)


def test_gate_05_the_root_itself_is_no_signer() -> None:
    """An authority signs certificates, not images."""
    assert refused(UpdateRequest(REQUEST.signature, MAKER.root.pem)) == ("signer.is_ca", Answer.INVALID_CERTIFICATE)


def test_gate_06_another_vendors_release_is_refused_for_its_signer() -> None:
    """Both makers are trusted, each for its own stations."""
    anchors = Anchors({**MAKER.anchors.vendors, "Ampere": (make_root("Ampere Root").certificate,)})
    outcome = refused(station=StationModel("Ampere", CLAIM.model), anchors=anchors)
    assert outcome == ("signer.vendor", Answer.INVALID_CERTIFICATE)


def test_gate_07_a_signer_that_expired_since_the_import_is_refused() -> None:
    """What was good then is judged again now."""
    assert refused(now=NOW + dt.timedelta(days=301)) == ("signer.expired", Answer.INVALID_CERTIFICATE)


def test_gate_08_a_clock_set_back_finds_the_signer_not_yet_valid() -> None:
    """A moment before the certificate's beginning is no moment to trust it."""
    assert refused(now=NOW - dt.timedelta(days=11)) == ("signer.not_yet_valid", Answer.INVALID_CERTIFICATE)


def test_gate_09_a_signer_revoked_since_the_import_is_refused_as_revoked() -> None:
    """The CSMS gets the status of its own that the standard has for this."""
    entry = (key_id(MAKER.root.certificate), MAKER.signer.certificate.serial_number)
    with pytest.raises(GateRefusedError) as refusal:
        examine(REQUEST, STATION, (RELEASE,), MAKER.anchors, NOW, frozenset({entry}))
    assert refusal.value.answer is Answer.REVOKED_CERTIFICATE


def test_gate_13_a_chain_where_one_certificate_is_due_is_refused() -> None:
    """The signer's own, and no other."""
    chain = UpdateRequest(REQUEST.signature, MAKER.signer.pem + MAKER.root.pem)
    assert refused(chain) == ("signer.depth", Answer.INVALID_CERTIFICATE)


def test_gate_21_raw_ecdsa_is_refused_for_its_encoding() -> None:
    """The form is told before the catalogue is searched."""
    r, s = utils.decode_dss_signature(RELEASE.signature)
    raw = base64.b64encode(r.to_bytes(32) + s.to_bytes(32)).decode()
    assert refused(replace(REQUEST, signature=raw)) == ("sig.encoding", Answer.REJECTED)


def test_gate_22_a_mirrored_signature_is_refused_although_it_verifies() -> None:
    """The catalogue knows one signature; its mirror image was made by somebody else."""
    r, s = utils.decode_dss_signature(RELEASE.signature)
    mirror = utils.encode_dss_signature(r, ec.SECP256R1().group_order - s)
    request = replace(REQUEST, signature=base64.b64encode(mirror).decode())
    assert refused(request) == ("sig.encoding", Answer.REJECTED)


def test_gate_23_a_signature_with_line_breaks_is_refused() -> None:
    """The station reads what we read, or nothing."""
    broken = REQUEST.signature[:40] + "\n" + REQUEST.signature[40:]
    assert refused(replace(REQUEST, signature=broken)) == ("sig.encoding", Answer.REJECTED)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(UpdateRequest("A" * 804, MAKER.signer.pem), id="signature"),
        pytest.param(UpdateRequest(REQUEST.signature, MAKER.signer.pem + "\n" * 5500), id="certificate"),
    ],
)
def test_gate_24_a_field_beyond_its_bound_breaks_a_constraint(request_: UpdateRequest) -> None:
    """Too long is a fault of the message, and answered as one."""
    assert refused(request_) == ("field.size", Answer.PROPERTY_CONSTRAINT)


def test_gate_25_carriage_returns_on_the_wire_are_refused() -> None:
    """The very certificate, in a form that another reader may read differently."""
    loose = replace(REQUEST, certificate=REQUEST.certificate.replace("\n", "\r\n"))
    assert refused(loose) == ("cert.encoding", Answer.INVALID_CERTIFICATE)


@pytest.mark.parametrize("half", [replace(REQUEST, certificate=""), replace(REQUEST, signature="")])
def test_gate_26_half_a_proof_is_none(half: UpdateRequest) -> None:
    """Signature and certificate come together or not at all."""
    assert refused(half) == ("field.pair", Answer.REJECTED)


def test_gate_27_an_update_without_any_proof_is_refused() -> None:
    """Unsigned means refused."""
    assert refused(UpdateRequest()) == ("unsigned", Answer.REJECTED)


def test_gate_34_two_images_under_one_version_are_refused() -> None:
    """Even a catalogue gone wrong lets neither through."""
    twin = MAKER.release(b"another image of the same name")
    assert refused(releases=(RELEASE, twin)) == ("version.conflict", Answer.REJECTED)


@pytest.mark.parametrize("model", ["V-23", "v-22", "V-22 ", "V\u201022"])
def test_gate_38_and_39_an_image_for_another_model_is_refused(model: str) -> None:
    """Case, blanks and look-alikes make another model."""
    assert refused(station=StationModel(CLAIM.vendor, model)) == ("target.model", Answer.REJECTED)


@pytest.mark.parametrize("station", [StationModel("", ""), StationModel("Volta", ""), StationModel("", "V-22")])
def test_gate_40_a_station_that_never_booted_through_us_is_refused(station: StationModel) -> None:
    """What is not known cannot match."""
    assert refused(station=station) == ("target.unknown", Answer.REJECTED)


def test_an_empty_catalogue_lets_nothing_through() -> None:
    """Empty means no."""
    assert refused(releases=()) == ("sig.bad", Answer.REJECTED)


def test_the_gravest_reason_is_the_answer_and_all_are_told() -> None:
    """A wrong model does not hide a bad signer."""
    request = UpdateRequest("no base64", make_signer(make_root("Nobody")).pem)
    with pytest.raises(GateRefusedError) as refusal:
        examine(request, STATION, (RELEASE,), MAKER.anchors, NOW)
    assert [finding.code for finding in refusal.value.findings] == ["sig.encoding", "signer.untrusted"]
    assert refusal.value.answer is Answer.INVALID_CERTIFICATE


def test_a_refusal_names_the_image_it_led_to() -> None:
    """The journal can say which image somebody tried to send."""
    with pytest.raises(GateRefusedError) as refusal:
        examine(REQUEST, StationModel(CLAIM.vendor, "other"), (RELEASE,), MAKER.anchors, NOW)
    assert refusal.value.digest == RELEASE.digest


def test_the_right_release_is_found_among_many() -> None:
    """One signer signs many versions."""
    newer = MAKER.release(b"newer", ReleaseClaim(CLAIM.vendor, CLAIM.model, "1.5"))
    assert read_signature(REQUEST.signature) != newer.signature
    assert examine(REQUEST, STATION, (newer, RELEASE), MAKER.anchors, NOW).release is RELEASE
