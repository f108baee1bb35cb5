"""What a station says of itself when it boots, whichever OCPP version it says it in.

Everything here was chosen by the station: texts are cut, and what is no text counts as not said; a serial number that
is no text is read all the same, since some CSMS would take it for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

V16: Final = "ocpp1.6"
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


def read_boot(payload: Mapping[str, object], version: str) -> Boot:
    """Read a BootNotification's payload as the CSMS will, by the session's ``version`` and nothing else.

    In 2.x the station stands in an object of its own, in 1.6 beside the rest.
    """
    if version != V16:
        told = payload.get("chargingStation")
        station: Mapping[str, object] = told if isinstance(told, dict) else {}
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
    return tuple(str(value)[:TEXT_LENGTH] for value in values if value not in ("", None))
