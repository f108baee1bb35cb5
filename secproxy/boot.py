"""What a station says of itself when it boots, whichever OCPP version it says it in.

Everything here was chosen by the station: texts are cut, and what is no text counts as not said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT_LENGTH: Final = 255  # characters; the longest text that the messages read here may hold (techInfo)


@dataclass(frozen=True, slots=True)
class Boot:
    """What a BootNotification says. ``serials`` are all serial numbers in it: OCPP 1.6 has two fields for them."""

    vendor: str
    model: str
    serials: tuple[str, ...]
    firmware_version: str

    @property
    def serial(self) -> str:
        """The serial number of the station itself; empty when it told none."""
        return self.serials[0] if self.serials else ""


def read_boot(payload: Mapping[str, object]) -> Boot:
    """Read a BootNotification's payload. In 2.x the station stands in an object of its own, in 1.6 beside the rest."""
    station = payload.get("chargingStation")
    if isinstance(station, dict):
        return Boot(
            vendor=text(station.get("vendorName")),
            model=text(station.get("model")),
            serials=_serials(station.get("serialNumber")),
            firmware_version=text(station.get("firmwareVersion")),
        )
    return Boot(
        vendor=text(payload.get("chargePointVendor")),
        model=text(payload.get("chargePointModel")),
        serials=_serials(payload.get("chargePointSerialNumber"), payload.get("chargeBoxSerialNumber")),
        firmware_version=text(payload.get("firmwareVersion")),
    )


def text(value: object) -> str:
    """A text of the station's, cut; empty when it is none."""
    return value[:TEXT_LENGTH] if isinstance(value, str) else ""


def _serials(*values: object) -> tuple[str, ...]:
    return tuple(serial for serial in map(text, values) if serial)
