"""What a station says of itself, read from any version of the message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.admission import SUBPROTOCOLS
from secproxy.boot import TEXT_LENGTH, Boot, read_boot

NEW = {"vendorName": "Acme", "model": "One", "serialNumber": "SN-1", "firmwareVersion": "1.2"}
OLD = {"chargePointVendor": "Acme", "chargePointModel": "One", "firmwareVersion": "1.2"}


@pytest.mark.parametrize(
    ("version", "payload", "serials"),
    [
        ("ocpp2.0.1", {"reason": "PowerUp", "chargingStation": NEW}, ("SN-1",)),
        ("ocpp1.6", {**OLD, "chargePointSerialNumber": "SN-1"}, ("SN-1",)),
        ("ocpp1.6", {**OLD, "chargeBoxSerialNumber": "BOX"}, ("BOX",)),
        ("ocpp1.6", {**OLD, "chargeBoxSerialNumber": "BOX", "chargePointSerialNumber": "SN-1"}, ("SN-1", "BOX")),
        ("ocpp1.6", OLD, ()),
    ],
)
def test_each_version_is_read(version: str, payload: dict[str, object], serials: tuple[str, ...]) -> None:
    """2.x keeps the station in an object of its own, 1.6 has two serial numbers; the station's own comes first."""
    assert read_boot(payload, version) == Boot("Acme", "One", serials, "1.2")
    assert read_boot(payload, version).serial == (serials[0] if serials else "")


def test_attack_02_the_shape_of_another_version_hides_no_serial_number() -> None:
    """Row 2: what a 1.6 CSMS reads is what is compared, whatever stands beside it."""
    payload = {**OLD, "chargingStation": NEW, "chargePointSerialNumber": "SN-2"}
    assert read_boot(payload, "ocpp1.6").serials == ("SN-2",)
    assert read_boot(payload, "ocpp2.0.1").serials == ("SN-1",)


def test_attack_02_a_serial_number_that_is_no_text_is_compared_all_the_same() -> None:
    """Row 2: a lenient CSMS takes the number 7 for the serial number 7, so it may not pass as not said."""
    assert read_boot({"chargingStation": {"serialNumber": 7}}, "ocpp2.0.1").serials == ("7",)
    assert read_boot({"chargingStation": {"serialNumber": None}}, "ocpp2.0.1").serials == ()


@given(
    st.dictionaries(st.sampled_from([*NEW, *OLD, "chargingStation"]), st.none() | st.integers() | st.text()),
    st.sampled_from(SUBPROTOCOLS),
)
def test_nonsense_counts_as_not_said(payload: dict[str, object], version: str) -> None:
    """Whatever types a station sends, every field comes out as a text."""
    told = read_boot(payload, version)
    assert all(isinstance(text, str) for text in (told.vendor, told.model, told.firmware_version, told.serial))


def test_long_texts_are_cut() -> None:
    """What the ledger learns is bounded."""
    assert len(read_boot({"chargePointVendor": "x" * 9_999}, "ocpp1.6").vendor) == TEXT_LENGTH
