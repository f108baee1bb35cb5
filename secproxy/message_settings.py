"""What ``bollard.toml`` says about messages, and what must fit its schema because of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from secproxy.plan import OTHER, SIGNED_SUFFIX, Need, Needs, Plan, Side, small

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pki.tables import Table

KEYS: Final = frozenset({"schema_station", "schema_csms", "ambiguous"})
"""The keys of ``[messages]``."""


class Mode(StrEnum):
    """How strictly a side is held to the schemas of its version."""

    OFF = "off"
    """Not at all; its messages are not read."""
    OBSERVE = "observe"
    """An event for each new fault; refused is only what touches security (``SENSITIVE``)."""
    ENFORCE = "enforce"
    """Whatever does not fit is refused."""


class Ambiguous(StrEnum):
    """What becomes of a message whose form readers disagree about."""

    REFUSE = "refuse"
    CANONICAL = "canonical"
    """Where all of them understand the same, it is said anew in one form; else it is refused."""


SENSITIVE: Final = {
    Side.STATION: (
        "SignCertificate", "Get15118EVCertificate", "GetCertificateStatus", "GetCertificateChainStatus",
    ),
    Side.CSMS: (
        "CertificateSigned", "InstallCertificate", "DeleteCertificate", "GetInstalledCertificateIds",
        "UpdateFirmware", "SignedUpdateFirmware", "PublishFirmware", "UnpublishFirmware",
        "ChangeConfiguration", "SetVariables", "SetNetworkProfile", "GetLog", "GetDiagnostics",
    ),
}  # fmt: skip
"""Calls about keys, certificates, firmware, secrets and ways out of the station, of all versions: they, and the answers
to them, are as the standard says or go nowhere; signed ones, which cannot be held to it, go nowhere. A station's
security events are none: a faulty alarm is an alarm."""


@dataclass(frozen=True, slots=True)
class MessageSettings:
    """The table ``[messages]``; each mode is about what that side says."""

    schema_station: Mode = Mode.OBSERVE
    schema_csms: Mode = Mode.OBSERVE
    ambiguous: Ambiguous = Ambiguous.REFUSE

    def mode(self, side: Side) -> Mode:
        """The mode of a side."""
        return self.schema_station if side is Side.STATION else self.schema_csms

    @property
    def observed(self) -> frozenset[Side]:
        """The sides whose every message is held against its schema."""
        return frozenset(side for side in Side if self.mode(side) is not Mode.OFF)

    def demands(self) -> Plan:
        """What must fit its schema, or goes nowhere; one for all sessions under the same settings."""
        return _demands(self)


@lru_cache(maxsize=8)  # of the settings in force, and those before; each session would hold kilobytes of its own
def _demands(settings: MessageSettings) -> Plan:
    calls = {side: _needs(settings.mode(side), SENSITIVE[side]) for side in Side}
    return Plan(calls, {side: _needs(settings.mode(side), SENSITIVE[OTHER[side]]) for side in Side})


def _needs(mode: Mode, sensitive: Iterable[str]) -> Needs:
    if mode is Mode.OFF:
        return Needs()
    names = [name + suffix for name in sensitive for suffix in ("", SIGNED_SUFFIX)]
    named = dict.fromkeys(map(small, names), Need.SCHEMA)
    return Needs(named, Need.SCHEMA if mode is Mode.ENFORCE else Need.PASS)


def read_message_settings(table: Table) -> MessageSettings:
    """Read ``[messages]``; what is wrong with it is noted."""
    station, csms = (Mode(table.word(f"schema_{side.value}", Mode.OBSERVE, Mode)) for side in Side)
    return MessageSettings(station, csms, Ambiguous(table.word("ambiguous", Ambiguous.REFUSE, Ambiguous)))
