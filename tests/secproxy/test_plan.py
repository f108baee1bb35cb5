"""The plan: what the session must hear of, and nothing else."""

from __future__ import annotations

from secproxy.plan import Side, compile_plan


def test_every_way_to_update_firmware_is_told() -> None:
    """Also inside a signed message, also by another version's name: the gate must see it (L01, L02, L03)."""
    names = {b"updatefirmware", b"publishfirmware", b"signedupdatefirmware"}
    assert compile_plan().told[Side.CSMS] == names | {name + b"-signed" for name in names}


def test_a_station_is_heard_when_it_boots_and_when_it_raises_an_alarm() -> None:
    """Everything else of a station's goes on after a look at its head."""
    assert compile_plan().told[Side.STATION] == {b"bootnotification", b"securityeventnotification"}
