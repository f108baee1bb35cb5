"""The security events that stations report by the standard's names, by version of OCPP, with their criticality.

Rules this file keeps:

* An event has one name here, that of OCPP 2.x, whatever the version that reported it calls it: one filter finds all.
* *Critical* is the standard's word: such an event must be sent to the CSMS at once, and not only be kept (A04.FR.01).
  It differs between versions. It is not our severity, which says how soon a person should look: a boot is critical.
* A name that is none of the version's is the vendor's own, which the standard allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from secproxy.kinds import Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

CLAUSE: Final = "A04.FR.01"
_CRITICAL, _HIGH, _MEDIUM, _LOW, _INFO = Severity  # one word each keeps the table below readable


@dataclass(frozen=True, slots=True)
class Standard:
    """One event of the standard, in one version: what it means, and whether that version calls it critical."""

    kind: Kind
    critical: bool


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    old_name: str  # OCPP 1.6's; empty where it has none
    critical_old: bool
    critical: bool
    severity: Severity
    says: str
    advice: str


_ROWS: Final = (
    _Row("FirmwareUpdated", "FirmwareUpdated", True, True, _INFO, "its firmware was updated", ""),
    _Row(
        "FailedToAuthenticateAtCsms",
        "FailedToAuthenticationAtCentralSystem",
        False,
        False,
        _MEDIUM,
        "its credentials were refused",
        "The events of that time under the station's name say why.",
    ),
    _Row(
        "CsmsFailedToAuthenticate",
        "CentralSystemFailedToAuthentication",
        False,
        False,
        _HIGH,
        "it refused the CSMS it had dialled",
        "Check that it has our root and dials our name; else somebody may stand in between.",
    ),
    _Row("SettingSystemTime", "SettingSystemTime", True, True, _LOW, "its clock was changed", "Check its time source."),
    _Row("StartupOfTheDevice", "StartupOfTheDevice", True, True, _INFO, "it has booted", ""),
    _Row("ResetOrReboot", "ResetOrReboot", True, True, _INFO, "it was reset or rebooted", ""),
    _Row(
        "SecurityLogWasCleared",
        "SecurityLogWasCleared",
        True,
        True,
        _HIGH,
        "its security log was cleared",
        "Find out who did it; what this home recorded of the station is still here.",
    ),
    _Row(
        "ReconfigurationOfSecurityParameters",
        "ReconfigurationOfSecurityParameters",
        False,
        False,
        _MEDIUM,
        "its keys or its security profile were changed",
        "Check that it was one of you.",
    ),
    _Row("MemoryExhaustion", "MemoryExhaustion", True, True, _MEDIUM, "its memory is filling up", "Ask its maker."),
    _Row(
        "InvalidMessages",
        "InvalidMessages",
        False,
        False,
        _MEDIUM,
        "it received messages that it could not take",
        "When they came from the CSMS, tell its maker.",
    ),
    _Row(
        "AttemptedReplayAttacks",
        "AttemptedReplayAttacks",
        False,
        False,
        _HIGH,
        "somebody replayed messages to it",
        "Look at the network between the station and this host.",
    ),
    _Row(
        "TamperDetectionActivated",
        "TamperDetectionActivated",
        True,
        True,
        _CRITICAL,
        "its tamper detection went off",
        "Send somebody; until then 'bollard station disable' keeps it out.",
    ),
    _Row(
        "InvalidFirmwareSignature",
        "InvalidFirmwareSignature",
        False,
        True,
        _HIGH,
        "the signature of a firmware image was wrong",
        "Find out where the image came from.",
    ),
    _Row(
        "InvalidFirmwareSigningCertificate",
        "InvalidFirmwareSigningCertificate",
        False,
        True,
        _HIGH,
        "the certificate that vouches for a firmware image was wrong",
        "Check with its maker which root the station holds.",
    ),
    _Row(
        "InvalidCsmsCertificate",
        "InvalidCentralSystemCertificate",
        False,
        True,
        _HIGH,
        "the CSMS certificate it was shown was wrong",
        "Check that it has our root and dials our name; else somebody may stand in between.",
    ),
    _Row(
        "InvalidChargingStationCertificate",
        "InvalidChargePointCertificate",
        False,
        True,
        _HIGH,
        "a certificate that it was given for itself was wrong",
        "Compare what it was given with 'bollard cert list --station'.",
    ),
    _Row(
        "InvalidTLSVersion",
        "InvalidTLSVersion",
        False,
        True,
        _HIGH,
        "it was offered a version of TLS that is too low",
        "It did not dial this proxy, or somebody stands in between.",
    ),
    _Row(
        "InvalidTLSCipherSuite",
        "InvalidTLSCipherSuite",
        False,
        True,
        _HIGH,
        "it was offered only cipher suites that are not allowed",
        "It did not dial this proxy, or somebody stands in between.",
    ),
    _Row("MaintenanceLoginAccepted", "", False, True, _LOW, "somebody logged in on site", "Check that it was planned."),
    _Row("MaintenanceLoginFailed", "", False, True, _MEDIUM, "a login on site failed", "Look at the events around it."),
    _Row(
        "DiscardedRenewedClientCertificate",
        "",
        False,
        True,
        _MEDIUM,
        "it threw a renewed certificate of its own away",
        "It may have failed with the new one; issue it another.",
    ),
)
_ALIASES: Final = {"InvalidFirmwareSigning": "InvalidFirmwareSigningCertificate"}  # as L01.FR.03 of 2.0.1 prints it


def _standard(row: _Row, *, critical: bool) -> Standard:
    return Standard(
        Kind(row.name, row.severity, CLAUSE, f"The station reported that {row.says}.", row.advice), critical
    )


_OLD: Final = {row.old_name: _standard(row, critical=row.critical_old) for row in _ROWS if row.old_name}
_NEW: Final = {row.name: _standard(row, critical=row.critical) for row in _ROWS}

STANDARD: Final[Mapping[str, Mapping[str, Standard]]] = {
    "ocpp1.6": _OLD,
    "ocpp2.0.1": {**_NEW, **{alias: _NEW[name] for alias, name in _ALIASES.items()}},
    "ocpp2.1": _NEW,
}
"""The events of each version by the names they have in it; the version is the WebSocket's subprotocol."""


def find_standard(version: str, name: str) -> Standard | None:
    """Return the standard's event of this name in this version; ``None`` when the name is a vendor's own."""
    return STANDARD.get(version, {}).get(name)
