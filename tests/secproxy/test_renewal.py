"""The conversation with a station whose certificate has ended, told fact by fact."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pki.names import StationIdentity
from pki.station import SecurityProfile
from secproxy.orders import Declined, HangUp, Heard, HungUp, Record, Say
from secproxy.plan import Side
from secproxy.renewal import SIGNED_ID, TRIES_MOST, TRIGGER_ID, Certified, Certify, Renewal
from secproxy.strangers import LATE, Guest
from tests.play import NOON
from tests.secproxy.scene import REMOTE, certificate

if TYPE_CHECKING:
    from secproxy.orders import Order

CSR, CHAIN = "-----BEGIN CERTIFICATE REQUEST-----", "-----BEGIN CERTIFICATE-----"


def talk(version: str = "ocpp2.0.1") -> Renewal:
    name = StationIdentity.parse("CP-001")
    return Renewal(Guest(name, SecurityProfile.MUTUAL_TLS, version, certificate(), REMOTE, LATE), 300)


def heard(*message: object) -> Heard:
    return Heard(Side.STATION, json.dumps(message).encode())


def said(orders: list[Order | Certify]) -> list[object]:
    return [json.loads(order.message) for order in orders if isinstance(order, Say)]


def causes(orders: list[Order | Certify]) -> list[str]:
    return [order.note.cause for order in orders if isinstance(order, Record)]


@pytest.mark.parametrize(
    ("version", "action", "wanted", "more"),
    [
        ("ocpp1.6", "ExtendedTriggerMessage", "SignChargePointCertificate", {}),
        (
            "ocpp2.0.1",
            "TriggerMessage",
            "SignChargingStationCertificate",
            {"certificateType": "ChargingStationCertificate"},
        ),
        (
            "ocpp2.1",
            "TriggerMessage",
            "SignChargingStationCertificate",
            {"certificateType": "ChargingStationCertificate"},
        ),
    ],
)
def test_a_station_that_comes_late_is_pending_renews_and_comes_back(
    version: str, action: str, wanted: str, more: dict[str, str]
) -> None:
    """A00.FR.429, A02, in the words of each version, from BootNotification to the new certificate."""
    renewal = talk(version)
    booted = renewal.tell(heard(2, "1", "BootNotification", {}), NOON)
    [pending, trigger] = said(booted)
    assert isinstance(pending, list)
    assert pending[2]["status"] == "Pending"
    assert trigger == [2, TRIGGER_ID, action, {"requestedMessage": wanted}]
    assert causes(booted) == ["cert.expired_pending"]
    assert renewal.tell(heard(3, TRIGGER_ID, {"status": "Accepted"}), NOON) == []
    asked = renewal.tell(heard(2, "2", "SignCertificate", {"csr": CSR}), NOON)
    assert said(asked) == [[3, "2", {"status": "Accepted"}]]
    assert asked[-1] == Certify(1, CSR)
    signed = renewal.tell(Certified(1, CHAIN), NOON)
    assert said(signed) == [[2, SIGNED_ID, "CertificateSigned", {"certificateChain": CHAIN, **more}]]
    done = renewal.tell(heard(3, SIGNED_ID, {"status": "Accepted"}), NOON)
    assert causes(done) == ["cert.renewed"]
    assert isinstance(done[-1], HangUp)
    assert renewal.tell(heard(2, "3", "Heartbeat", {}), NOON) == []


def test_it_gets_nothing_else() -> None:
    """Before acceptance every other call is a SecurityError, renewal or not (B02.FR.09)."""
    for action in ("Heartbeat", "Authorize", "DataTransfer"):
        assert said(talk().tell(heard(2, "1", action, {}), NOON))[0][2] == "SecurityError"  # type: ignore[index]  # reason: a CALLERROR is a list


@pytest.mark.parametrize("answer", [heard(3, SIGNED_ID, {"status": "Rejected"}), heard(4, SIGNED_ID, "X", "", {})])
def test_a_station_that_does_not_take_it_is_told_of(answer: Heard) -> None:
    """One event, and the connection ends."""
    renewal = talk()
    renewal.tell(heard(2, "2", "SignCertificate", {"csr": CSR}), NOON)
    renewal.tell(Certified(1, CHAIN), NOON)
    orders = renewal.tell(answer, NOON)

    assert causes(orders) == ["cert.not_renewed"]
    assert isinstance(orders[-1], HangUp)


def test_what_the_authority_declines_is_told_and_may_be_asked_again_a_few_times() -> None:
    """One request at a time; after a few there is no more."""
    renewal = talk()
    for ticket in range(1, TRIES_MOST + 1):
        asked = renewal.tell(heard(2, str(ticket), "SignCertificate", {"csr": CSR}), NOON)
        assert asked[-1] == Certify(ticket, CSR)
        assert said(renewal.tell(heard(2, "x", "SignCertificate", {"csr": CSR}), NOON)) == [
            [3, "x", {"status": "Rejected"}]
        ]
        assert causes(renewal.tell(Declined(ticket, "csr.refused"), NOON)) == ["cert.not_renewed"]
    last = renewal.tell(heard(2, "9", "SignCertificate", {"csr": CSR}), NOON)
    assert said(last) == [[3, "9", {"status": "Rejected"}]]
    assert not any(isinstance(order, Certify) for order in last)


@pytest.mark.parametrize("payload", [{}, {"csr": 7}, {"csr": None}])
def test_a_request_that_is_none_is_rejected(payload: dict[str, object]) -> None:
    """And nobody is asked."""
    assert said(talk().tell(heard(2, "1", "SignCertificate", payload), NOON)) == [[3, "1", {"status": "Rejected"}]]


def test_late_word_from_the_authority_and_a_flood_change_nothing() -> None:
    """An answer to another ticket, or after the end, is dropped; the budget is the quarantine's."""
    renewal = talk()
    assert renewal.tell(Certified(1, CHAIN), NOON) == []
    assert renewal.tell(Declined(7, "x"), NOON) == []
    orders = [renewal.tell(heard(2, str(number), "SignCertificate", {}), NOON) for number in range(100)]
    assert [cause for each in orders for cause in causes(each)] == ["message.flood"]
    assert renewal.tell(HungUp(Side.STATION), NOON) == []
