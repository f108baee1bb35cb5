"""Which listeners weaken security: by which setting, for whom, and what that lets happen.

What is spelled ``unsafe_`` of a listener is told at every start, by the doctor and by ``bollard status``; it is found
here, once for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pki.station import SecurityProfile
from secproxy.config import Unknown, write_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from secproxy.config import Config

LETS: Final[Mapping[str, str]] = {
    "unsafe_legacy_tls": "takes TLS 1.0 and 1.1, which are broken, from",
    "unsafe_plain": "passwords and messages of its stations travel in clear",
    "unsafe_observe": "stations that nobody registered reach the CSMS",
}


@dataclass(frozen=True, slots=True)
class Weakened:
    """A listener that weakens security by a setting: for the ``stations`` that it names, else for whoever comes."""

    address: str
    setting: str
    stations: tuple[str, ...] = ()

    def lets(self, most: int | None = None) -> str:
        """Say what that lets happen; of a list of stations so many characters."""
        return " ".join(filter(None, (LETS[self.setting], ", ".join(self.stations)[:most])))


def weakened(config: Config) -> list[Weakened]:
    """Find them all: first those for stations that are named, then those for whoever comes."""
    doors = [(door, write_address(door.host, door.port)) for door in config.listeners]
    named = [Weakened(address, "unsafe_legacy_tls", door.legacy) for door, address in doors if door.legacy]
    return named + [
        Weakened(address, setting)
        for door, address in doors
        for setting, on in (
            ("unsafe_plain", door.profile is SecurityProfile.BASIC),
            ("unsafe_observe", door.unknown is Unknown.OBSERVE),
        )
        if on
    ]
