"""The causes around firmware: each names the standard's event that a station would raise for the same fault."""

from __future__ import annotations

import pytest

from secproxy.firmware_causes import FIRMWARE_CAUSES


@pytest.mark.parametrize(
    ("cause", "type"),
    [
        ("firmware.unsigned", "InvalidFirmwareSignature"),
        ("firmware.unknown", "InvalidFirmwareSignature"),
        ("firmware.signature", "InvalidFirmwareSignature"),
        ("firmware.signer", "InvalidFirmwareSigningCertificate"),
    ],
)
def test_a_refusal_bears_the_name_a_station_would_use(cause: str, type: str) -> None:  # noqa: A002 - the field's name
    """L01.FR.02 and .03 name the events; ours are the same, so one alert rule serves both."""
    assert FIRMWARE_CAUSES[cause].type == type


def test_every_refusal_says_that_nothing_reached_the_station() -> None:
    """Who reads the journal need not ask whether the image got through."""
    refused = {
        cause for cause in FIRMWARE_CAUSES if cause in {"firmware.unsigned", "firmware.unknown", "firmware.signer"}
    }
    assert all("did not reach the station" in FIRMWARE_CAUSES[cause].says for cause in refused)
