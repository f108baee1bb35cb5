"""``secproxy.gates.firmware``: update requests, refused with the exact answer or sent on with our URL."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from pki.names import StationIdentity, StationSerial
from pki.station import SecurityProfile, Station
from secproxy.envelope import Call
from secproxy.errors import GateRefused
from secproxy.gates.firmware import judge, rewrite
from secproxy.station_view import View
from tests.pki.firmware.makers import CLAIM, NOW, make_maker, make_root, make_signer

if TYPE_CHECKING:
    from pki.firmware.gate import Cleared

MAKER = make_maker()
RELEASE = MAKER.release()
VIEW = View("Example Charging", "csms.example.org", anchors=MAKER.anchors, releases=(RELEASE,))
STATION = Station(
    StationIdentity.parse("CP-001"),
    StationSerial.parse("SN-1"),
    SecurityProfile.MUTUAL_TLS,
    vendor=CLAIM.vendor,
    model=CLAIM.model,
)
URL = "https://csms.example.org:8440/f/0123456789abcdefABCDEF/0011223344556677.bin"
ACTIONS = {"ocpp1.6": "SignedUpdateFirmware", "ocpp2.0.1": "UpdateFirmware", "ocpp2.1": "UpdateFirmware"}
EVERY = pytest.mark.parametrize("version", list(ACTIONS))
NEWER = pytest.mark.parametrize("version", ["ocpp2.0.1", "ocpp2.1"])


def image(**changes: object) -> dict[str, object]:
    """The firmware part of an honest request; a field set to None is left out."""
    fields: dict[str, object] = {
        "location": "https://vendor.example/fw.bin",
        "retrieveDateTime": "2026-06-01T12:00:00Z",
        "signingCertificate": MAKER.signer.pem,
        "signature": base64.b64encode(RELEASE.signature).decode(),
    }
    return {key: value for key, value in {**fields, **changes}.items() if value is not None}


def update(version: str, firmware: dict[str, object] | None = None, **changes: object) -> Call:
    """An honest request, with changes."""
    payload = {"requestId": 7, "retries": 3, "retryInterval": 60, "firmware": firmware or image(), **changes}
    return Call("m-1", ACTIONS[version], payload)


def cleared(call: Call, version: str) -> Cleared:
    """The gate's verdict on an honest call."""
    return judge(call, version, STATION, VIEW, NOW)


def refused(call: Call, version: str, station: Station = STATION) -> tuple[GateRefused, list[Any]]:
    """The refusal and the answer it sends, as JSON."""
    with pytest.raises(GateRefused) as refusal:
        judge(call, version, station, VIEW, NOW)
    answer = json.loads(refusal.value.answer)
    assert answer[1] == call.id
    return refusal.value, answer


def status(answer: list[Any]) -> tuple[str, str]:
    """Status and reason of a CALLRESULT."""
    assert answer[0] == 3
    return answer[2]["status"], answer[2].get("statusInfo", {}).get("reasonCode", "")


@EVERY
def test_gate_45_only_the_location_of_a_cleared_request_changes(version: str) -> None:
    """The origin's URL, which may serve other bytes by now, never reaches the station."""
    call = update(version)
    payload = rewrite(call, cleared(call, version), URL)
    assert payload == {**call.payload, "firmware": {**image(), "location": URL}}
    assert call.payload["firmware"] == image(), "the request as received is left alone"


@EVERY
@pytest.mark.parametrize(
    "location", ["https://x/a;touch${IFS}/tmp/x", "file:///etc/passwd", "C:\\fw.bin", "a b\r\nc", ""]
)
def test_gate_49_whatever_the_location_says_ours_is_sent(version: str, location: str) -> None:
    """Shell characters, other schemes and line breaks end here."""
    call = update(version, image(location=location))
    firmware = rewrite(call, cleared(call, version), URL)["firmware"]
    assert isinstance(firmware, dict)
    assert firmware["location"] == URL


@pytest.mark.parametrize(
    "url", ["https://h/" + "a" * 510, "https://h/a;b", "http://h/a", "https://h/a?b", "https://u@h/a"]
)
def test_a_url_that_is_not_plainly_ours_is_never_written(url: str) -> None:
    """Our own URL is held to the same suspicion."""
    call = update("ocpp2.1")
    with pytest.raises(ValueError, match="512"):
        rewrite(call, cleared(call, "ocpp2.1"), url)


def test_what_was_cleared_is_what_is_sent() -> None:
    """A verdict is good for the request it was given for."""
    verdict = cleared(update("ocpp2.1"), "ocpp2.1")
    with pytest.raises(ValueError, match="cleared"):
        rewrite(update("ocpp2.1", image(signature="AAAA")), verdict, URL)


def test_gate_28_the_unsigned_update_of_1_6_is_not_supported() -> None:
    """It is answered as a station that takes signed updates answers it (L01.FR.20)."""
    call = Call("m-1", "UpdateFirmware", {"location": "https://x/y", "retrieveDate": "2026-06-01T12:00:00Z"})
    refusal, answer = refused(call, "ocpp1.6")
    assert answer[:3] == [4, "m-1", "NotSupported"]
    assert refusal.note.cause == "firmware.unsigned"


@NEWER
def test_gate_31_publishing_firmware_on_the_word_of_an_md5_is_rejected(version: str) -> None:
    """MD5 vouches for nothing."""
    payload: dict[str, object] = {"location": "https://x/y", "checksum": "0" * 32, "requestId": 1}
    refusal, answer = refused(Call("m-1", "PublishFirmware", payload), version)
    assert status(answer) == ("Rejected", "publish.md5")
    assert refusal.note.cause == "firmware.publish"


@EVERY
def test_gate_26_a_signature_without_certificate_is_rejected(version: str) -> None:
    """Half a proof is none."""
    refusal, answer = refused(update(version, image(signingCertificate=None)), version)
    assert status(answer) == ("Rejected", "" if version == "ocpp1.6" else "field.pair")
    assert refusal.note.cause == "firmware.unsigned"


@NEWER
def test_gate_27_an_update_without_signature_and_certificate_is_rejected(version: str) -> None:
    """2.x lets a CSMS leave both out; we do not."""
    _, answer = refused(update(version, image(signingCertificate=None, signature=None)), version)
    assert status(answer) == ("Rejected", "unsigned")


@EVERY
def test_gate_04_an_unknown_signer_is_answered_with_the_status_for_it(version: str) -> None:
    """The CSMS learns that the certificate is at fault, and the event carries the standard's name."""
    stranger = make_signer(make_root("Nobody")).pem
    refusal, answer = refused(update(version, image(signingCertificate=stranger)), version)
    assert status(answer)[0] == "InvalidCertificate"
    assert refusal.note.cause == "firmware.signer"


@pytest.mark.parametrize(
    ("version", "field", "length"),
    [
        ("ocpp1.6", "location", 513),
        ("ocpp2.0.1", "location", 513),
        ("ocpp2.1", "location", 2001),
        ("ocpp1.6", "signature", 801),
        ("ocpp2.1", "signingCertificate", 5501),
    ],
)
def test_gate_24_a_field_beyond_its_bound_is_a_constraint_violation(version: str, field: str, length: int) -> None:
    """The bounds are the schemas'."""
    refusal, answer = refused(update(version, image(**{field: "A" * length})), version)
    assert answer[:3] == [4, "m-1", "PropertyConstraintViolation"]
    assert refusal.note.evidence["code"] == "field.size"


def test_a_location_of_2000_characters_is_fine_in_2_1() -> None:
    """The bound moved, and so does ours."""
    call = update("ocpp2.1", image(location="https://x/" + "a" * 1990))
    assert rewrite(call, cleared(call, "ocpp2.1"), URL)


@EVERY
def test_gate_48_credentials_in_the_location_are_refused_and_repeated_nowhere(version: str) -> None:
    """Neither the answer nor the event holds the password."""
    refusal, answer = refused(update(version, image(location="ftp://user:hunter2@vendor.example/fw")), version)
    assert status(answer)[0] == "Rejected"
    assert "hunter2" not in repr(refusal.note) + str(refusal) + json.dumps(answer)


@EVERY
@pytest.mark.parametrize(
    "bounds",
    [{"retries": -1}, {"retries": 101}, {"retryInterval": 0}, {"retryInterval": -5}, {"retryInterval": 86_401}],
)
def test_gate_60_retries_out_of_bounds_are_a_constraint_violation(version: str, bounds: dict[str, int]) -> None:
    """Nobody makes a station try for ever, or without a pause."""
    call = update(version)
    _, answer = refused(Call(call.id, call.action, {**call.payload, **bounds}), version)
    assert answer[2] == "PropertyConstraintViolation"


@EVERY
def test_gate_60_no_retries_need_no_pause(version: str) -> None:
    """Zero of both is a plain wish for a single attempt."""
    assert cleared(update(version, retries=0, retryInterval=0), version)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"requestId": 1, "firmware": "x"}, id="firmware is no object"),
        pytest.param({"requestId": True, "firmware": image()}, id="requestId is no number"),
        pytest.param({"requestId": 1, "firmware": image(location=None)}, id="no location"),
        pytest.param({"requestId": 1, "firmware": image(url="https://x/y")}, id="a second location"),
        pytest.param({"requestId": 1, "firmware": image(), "location": "https://x/y"}, id="a location outside"),
    ],
)
@EVERY
def test_a_malformed_request_is_answered_as_one(version: str, payload: dict[str, object]) -> None:
    """Whatever the schema does not know is kept from the station."""
    refusal, answer = refused(Call("m-1", ACTIONS[version], payload), version)
    assert answer[2] == ("FormationViolation" if version == "ocpp1.6" else "FormatViolation")
    assert refusal.note.cause == "firmware.request"


def test_gate_38_the_event_names_image_station_and_message() -> None:
    """One line of the journal is enough to find what was tried, by whom, and when it was asked."""
    other = Station(STATION.identity, STATION.serial, STATION.profile, vendor=CLAIM.vendor, model="V-99")
    refusal, answer = refused(update("ocpp2.0.1"), "ocpp2.0.1", other)
    assert status(answer) == ("Rejected", "target.model")
    assert (refusal.note.cause, refusal.note.station) == ("firmware.target", "CP-001")
    assert refusal.note.evidence["digest"] == RELEASE.digest
    assert refusal.note.evidence["message_id"] == "m-1"


def test_gate_40_a_station_that_never_booted_is_refused() -> None:
    """Its model is not known."""
    fresh = Station(STATION.identity, STATION.serial, STATION.profile)
    _, answer = refused(update("ocpp2.1"), "ocpp2.1", fresh)
    assert status(answer) == ("Rejected", "target.unknown")


@NEWER
def test_a_reason_fits_its_field(version: str) -> None:
    """reasonCode has 20 characters, additionalInfo 512."""
    _, answer = refused(update(version, image(location="ftp://u:p@x/" + "y" * 400)), version)
    info = answer[2]["statusInfo"]
    assert len(info["reasonCode"]) <= 20
    assert len(info["additionalInfo"]) <= 512
