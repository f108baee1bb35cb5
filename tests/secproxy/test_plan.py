"""The plan: what the session must hear of, and nothing else."""

from __future__ import annotations

import pytest

from secproxy.admission import SUBPROTOCOLS
from secproxy.plan import Side, compile_plan


@pytest.mark.parametrize("version", SUBPROTOCOLS)
def test_every_way_to_update_firmware_is_told(version: str) -> None:
    """Also inside a signed message: the gate must see it under whatever name it comes (L01, L02, L03)."""
    told = compile_plan(version).told[Side.CSMS]
    assert {b"UpdateFirmware", b"UpdateFirmware-Signed", b"PublishFirmware", b"PublishFirmware-Signed"} <= told
    assert (b"SignedUpdateFirmware" in told) is (version == "ocpp1.6")


@pytest.mark.parametrize("version", SUBPROTOCOLS)
def test_a_station_is_heard_when_it_boots_and_when_it_raises_an_alarm(version: str) -> None:
    """Everything else of a station's goes on after a look at its head."""
    assert compile_plan(version).told[Side.STATION] == {b"BootNotification", b"SecurityEventNotification"}
