"""Which actions each version of OCPP has, which side calls them, and whose answer can say Rejected: data alone.

The names are those of the official schemas; a test holds the tables against them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secproxy.plan import Side

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATION_16: Final = (
    "Authorize BootNotification DataTransfer DiagnosticsStatusNotification FirmwareStatusNotification Heartbeat "
    "LogStatusNotification MeterValues SecurityEventNotification SignCertificate SignedFirmwareStatusNotification "
    "StartTransaction StatusNotification StopTransaction"
)
_CSMS_16: Final = (
    "CancelReservation CertificateSigned ChangeAvailability ChangeConfiguration ClearCache ClearChargingProfile "
    "DataTransfer DeleteCertificate ExtendedTriggerMessage GetCompositeSchedule GetConfiguration GetDiagnostics "
    "GetInstalledCertificateIds GetLocalListVersion GetLog InstallCertificate RemoteStartTransaction "
    "RemoteStopTransaction ReserveNow Reset SendLocalList SetChargingProfile SignedUpdateFirmware TriggerMessage "
    "UnlockConnector UpdateFirmware"
)
_STATION_2: Final = (
    "Authorize BootNotification ClearedChargingLimit DataTransfer FirmwareStatusNotification Get15118EVCertificate "
    "GetCertificateStatus Heartbeat LogStatusNotification MeterValues NotifyChargingLimit NotifyCustomerInformation "
    "NotifyDisplayMessages NotifyEVChargingNeeds NotifyEVChargingSchedule NotifyEvent NotifyMonitoringReport "
    "NotifyReport PublishFirmwareStatusNotification ReportChargingProfiles ReservationStatusUpdate "
    "SecurityEventNotification SignCertificate StatusNotification TransactionEvent"
)
_CSMS_2: Final = (
    "CancelReservation CertificateSigned ChangeAvailability ClearCache ClearChargingProfile ClearDisplayMessage "
    "ClearVariableMonitoring CostUpdated CustomerInformation DataTransfer DeleteCertificate GetBaseReport "
    "GetChargingProfiles GetCompositeSchedule GetDisplayMessages GetInstalledCertificateIds GetLocalListVersion "
    "GetLog GetMonitoringReport GetReport GetTransactionStatus GetVariables InstallCertificate PublishFirmware "
    "RequestStartTransaction RequestStopTransaction ReserveNow Reset SendLocalList SetChargingProfile "
    "SetDisplayMessage SetMonitoringBase SetMonitoringLevel SetNetworkProfile SetVariableMonitoring SetVariables "
    "TriggerMessage UnlockConnector UnpublishFirmware UpdateFirmware"
)
_STATION_21: Final = (
    "BatterySwap ClosePeriodicEventStream GetCertificateChainStatus NotifyDERAlarm NotifyDERStartStop "
    "NotifyPeriodicEventStream NotifyPriorityCharging NotifySettlement OpenPeriodicEventStream "
    "PullDynamicScheduleUpdate ReportDERControl VatNumberValidation"
)
_CSMS_21: Final = (
    "AFRRSignal AdjustPeriodicEventStream ChangeTransactionTariff ClearDERControl ClearTariffs GetDERControl "
    "GetPeriodicEventStream GetTariffs NotifyAllowedEnergyTransfer NotifyWebPaymentStarted RequestBatterySwap "
    "SetDERControl SetDefaultTariff UpdateDynamicSchedule UsePriorityCharging"
)
_REJECTED_16: Final = (
    "CancelReservation CertificateSigned ChangeAvailability ChangeConfiguration ClearCache DataTransfer "
    "ExtendedTriggerMessage GetCompositeSchedule GetLog InstallCertificate RemoteStartTransaction "
    "RemoteStopTransaction ReserveNow Reset SetChargingProfile SignCertificate SignedUpdateFirmware TriggerMessage"
)
_REJECTED_2: Final = (
    "CancelReservation CertificateSigned ChangeAvailability ClearCache CustomerInformation DataTransfer "
    "GetBaseReport GetCompositeSchedule GetLog GetMonitoringReport GetReport InstallCertificate "
    "NotifyEVChargingNeeds NotifyEVChargingSchedule PublishFirmware RequestStartTransaction RequestStopTransaction "
    "ReserveNow Reset SetChargingProfile SetDisplayMessage SetMonitoringBase SetMonitoringLevel SetNetworkProfile "
    "SignCertificate TriggerMessage UpdateFirmware"
)
_REJECTED_21: Final = (
    "AFRRSignal AdjustPeriodicEventStream ChangeTransactionTariff ClearDERControl ClearDisplayMessage GetDERControl "
    "GetTariffs NotifyAllowedEnergyTransfer OpenPeriodicEventStream PullDynamicScheduleUpdate RequestBatterySwap "
    "SetDERControl SetDefaultTariff UpdateDynamicSchedule UsePriorityCharging"
)


def _names(*texts: str) -> frozenset[str]:
    return frozenset(name for text in texts for name in text.split())


ACTIONS: Final[Mapping[str, Mapping[Side, frozenset[str]]]] = {
    "ocpp1.6": {Side.STATION: _names(_STATION_16), Side.CSMS: _names(_CSMS_16)},
    "ocpp2.0.1": {Side.STATION: _names(_STATION_2), Side.CSMS: _names(_CSMS_2)},
    "ocpp2.1": {Side.STATION: _names(_STATION_2, _STATION_21), Side.CSMS: _names(_CSMS_2, _CSMS_21)},
}
"""By version, as the WebSocket's subprotocol, and by the side that calls."""

REJECTED: Final[Mapping[str, frozenset[str]]] = {
    "ocpp1.6": _names(_REJECTED_16),
    "ocpp2.0.1": _names(_REJECTED_2),
    "ocpp2.1": _names(_REJECTED_2, _REJECTED_21),
}
"""The actions whose answer may be the status Rejected and nothing else."""


def is_known(version: str, action: str) -> bool:
    """Whether an action, written in small letters, is one of the version, whoever calls it."""
    return action in _SMALL.get(version, ())


_SMALL: Final = {
    version: frozenset(name.lower() for names in sides.values() for name in names) for version, sides in ACTIONS.items()
}
