"""The conversation with one who may not come in yet, told fact by fact."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pki.names import StationIdentity
from pki.station import SecurityProfile
from secproxy.orders import Granted, HangUp, Heard, HungUp, Order, Record, Say
from secproxy.plan import Side
from secproxy.quarantine import HEARD_AT_ONCE, Quarantine
from secproxy.strangers import Guest
from tests.play import NOON
from tests.secproxy.scene import MAKERS, REMOTE, certificate

if TYPE_CHECKING:
    from secproxy.binding import ClientCertificate
    from secproxy.events import Note

BOOT = {
    "ocpp1.6": {"chargePointVendor": "Acme", "chargePointModel": "One", "chargePointSerialNumber": "SN-9"},
    "ocpp2.0.1": {
        "reason": "PowerUp",
        "chargingStation": {"vendorName": "Acme", "model": "One", "serialNumber": "SN-9"},
    },
}


def guest(version: str = "ocpp2.0.1", shown: ClientCertificate | None = None) -> Guest:
    profile = SecurityProfile.MUTUAL_TLS if shown else SecurityProfile.TLS_BASIC
    return Guest(StationIdentity.parse("CP-900"), profile, version, shown, REMOTE)


def heard(action: str, payload: object = None, message_id: str = "1") -> Heard:
    return Heard(Side.STATION, json.dumps([2, message_id, action, payload or {}]).encode())


def said(orders: list[Order]) -> list[object]:
    return [json.loads(order.message) for order in orders if isinstance(order, Say)]


def noted(orders: list[Order]) -> list[Note]:
    return [order.note for order in orders if isinstance(order, Record)]


@pytest.mark.parametrize("version", BOOT)
def test_tc_b_30_a_boot_is_answered_pending_with_the_time_to_wait(version: str) -> None:
    """B02.FR.01, in the words of either version; asked again it is answered again, without another event."""
    talk = Quarantine(guest(version), 300)
    pending = {"currentTime": "2026-06-01T12:00:00Z", "interval": 300, "status": "Pending"}
    first, second = (talk.tell(heard("BootNotification", BOOT[version], number), NOON) for number in "12")

    assert (said(first), said(second)) == ([[3, "1", pending]], [[3, "2", pending]])
    [note] = noted(first)
    assert (note.cause, note.station, note.remote) == ("station.quarantined", "CP-900", REMOTE)
    assert (note.evidence["vendor"], note.evidence["model"], note.evidence["serial"]) == ("Acme", "One", "SN-9")
    assert note.evidence["admit"] == "bollard station add CP-900 --serial SN-9 --profile 2"
    assert noted(second) == []


@pytest.mark.parametrize("action", ["Heartbeat", "Authorize", "TransactionEvent", "StartTransaction", "DataTransfer"])
def test_tc_b_30_before_acceptance_everything_else_is_a_security_error(action: str) -> None:
    """B02.FR.09: answered, and gone nowhere."""
    assert said(Quarantine(guest(), 300).tell(heard(action), NOON)) == [
        [4, "1", "SecurityError", "the station is not accepted yet", {}]
    ]


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        ("StatusNotification", {}),
        ("NotifyReport", {}),
        ("SecurityEventNotification", {}),
        ("SignCertificate", {"status": "Rejected"}),
    ],
)
def test_what_a_pending_station_may_say_is_taken(action: str, answer: dict[str, str]) -> None:
    """B02: properly answered; a certificate is not for who is nobody."""
    assert said(Quarantine(guest(), 300).tell(heard(action), NOON)) == [[3, "1", answer]]


def test_the_command_that_admits_takes_the_serial_number_from_the_certificate() -> None:
    """What the certificate proves goes before what the station says; what cannot be a serial number is left open."""
    shown = certificate("SN-9", issuer=MAKERS)
    told = {"reason": "PowerUp", "chargingStation": {"vendorName": "A", "model": "B", "serialNumber": "$(reboot)"}}
    for known, command in [
        (shown, "bollard station add CP-900 --serial SN-9 --profile 3"),
        (None, "bollard station add CP-900 --serial SERIAL --profile 2"),
    ]:
        [note] = noted(Quarantine(guest(shown=known), 300).tell(heard("BootNotification", told), NOON))
        assert note.evidence["admit"] == command


def test_a_stranger_s_name_is_no_option_of_the_command_that_admits_it() -> None:
    """It is pasted into a shell by somebody who trusts it."""
    stranger = replace(guest(), identity=StationIdentity.parse("--password-file=x"))
    [note] = noted(Quarantine(stranger, 300).tell(heard("BootNotification"), NOON))
    assert note.evidence["admit"] == "bollard station add --serial SERIAL --profile 2 -- --password-file=x"


def test_one_who_leaves_without_a_word_is_told_of_all_the_same() -> None:
    """One event, whether it booted or not."""
    talk = Quarantine(guest(), 300)

    assert [note.cause for note in noted(talk.tell(HungUp(Side.STATION), NOON))] == ["station.quarantined"]
    assert talk.tell(heard("BootNotification"), NOON) == []


def test_attack_29_a_guest_has_a_budget() -> None:
    """So many messages at once, then the connection ends with one event."""
    talk = Quarantine(guest(), 300)
    for number in range(HEARD_AT_ONCE):
        assert said(talk.tell(heard("Heartbeat", message_id=str(number)), NOON))
    orders = talk.tell(heard("Heartbeat"), NOON)

    assert [note.cause for note in noted(orders)] == ["message.flood"]
    assert isinstance(orders[-1], HangUp)
    assert talk.tell(heard("Heartbeat"), NOON + dt.timedelta(hours=1)) == []


def test_attack_27_what_is_no_message_ends_it() -> None:
    """A stranger gets no second chance to be read in two ways."""
    orders = Quarantine(guest(), 300).tell(Heard(Side.STATION, b"[2"), NOON)

    assert [note.cause for note in noted(orders)] == ["message.malformed"]
    assert isinstance(orders[-1], HangUp)


def test_answers_to_nothing_and_word_from_the_authority_change_nothing() -> None:
    """Nobody was asked for anything."""
    talk = Quarantine(guest(), 300)

    assert talk.tell(Heard(Side.STATION, b'[3,"1",{}]'), NOON) == []
    assert talk.tell(Granted(1, "https://example.org"), NOON) == []
