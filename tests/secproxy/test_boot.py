"""What a station says of itself, read from any version of the message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secproxy.boot import TEXT_LENGTH, Boot, read_boot

NEW = {"vendorName": "Acme", "model": "One", "serialNumber": "SN-1", "firmwareVersion": "1.2"}
OLD = {"chargePointVendor": "Acme", "chargePointModel": "One", "firmwareVersion": "1.2"}


@pytest.mark.parametrize(
    ("payload", "serials"),
    [
        ({"reason": "PowerUp", "chargingStation": NEW}, ("SN-1",)),
        ({**OLD, "chargePointSerialNumber": "SN-1"}, ("SN-1",)),
        ({**OLD, "chargeBoxSerialNumber": "BOX"}, ("BOX",)),
        ({**OLD, "chargeBoxSerialNumber": "BOX", "chargePointSerialNumber": "SN-1"}, ("SN-1", "BOX")),
        (OLD, ()),
    ],
)
def test_each_version_is_read(payload: dict[str, object], serials: tuple[str, ...]) -> None:
    """2.x keeps the station in an object of its own, 1.6 has two serial numbers; the station's own comes first."""
    assert read_boot(payload) == Boot("Acme", "One", serials, "1.2")
    assert read_boot(payload).serial == (serials[0] if serials else "")


@given(st.dictionaries(st.sampled_from([*NEW, *OLD, "chargingStation"]), st.none() | st.integers() | st.text()))
def test_nonsense_counts_as_not_said(payload: dict[str, object]) -> None:
    """Whatever types a station sends, every field comes out as a text."""
    told = read_boot(payload)
    assert all(isinstance(text, str) for text in (told.vendor, told.model, told.firmware_version, told.serial))


def test_long_texts_are_cut() -> None:
    """What the ledger learns is bounded."""
    assert len(read_boot({"chargePointVendor": "x" * 9_999}).vendor) == TEXT_LENGTH
