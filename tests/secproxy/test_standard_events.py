"""What stations report by the standard's names, as each version of OCPP has it."""

from __future__ import annotations

import pytest

from secproxy.kinds import Severity
from secproxy.standard_events import STANDARD, find_standard

CERTIFICATES_AND_TLS = (
    "InvalidFirmwareSignature", "InvalidFirmwareSigningCertificate", "InvalidCsmsCertificate",
    "InvalidChargingStationCertificate", "InvalidTLSVersion", "InvalidTLSCipherSuite",
)  # fmt: skip
SINCE_2 = {"MaintenanceLoginAccepted", "MaintenanceLoginFailed", "DiscardedRenewedClientCertificate"}


def test_each_version_has_its_number_of_events() -> None:
    """Appendix 1 of 2.x has 21, edition 3 of the 1.6 white paper 18; one alias is for a misprint in 2.0.1."""
    assert {version: len(names) for version, names in STANDARD.items()} == {
        "ocpp1.6": 18,
        "ocpp2.0.1": 22,
        "ocpp2.1": 21,
    }


def test_every_event_of_1_6_has_its_successor() -> None:
    """One type for both, so that one filter finds the reports of old stations and of new ones."""
    old = {known.kind.type for known in STANDARD["ocpp1.6"].values()}
    assert old == STANDARD["ocpp2.1"].keys() - SINCE_2


def test_the_versions_differ_about_certificates_firmware_and_tls() -> None:
    """Six events became critical with 2.0.1; every other has kept what it was."""
    old = {known.kind.type: known.critical for known in STANDARD["ocpp1.6"].values()}
    changed = [name for name, critical in old.items() if STANDARD["ocpp2.0.1"][name].critical != critical]
    assert sorted(changed) == sorted(CERTIFICATES_AND_TLS)
    assert not any(old[name] for name in CERTIFICATES_AND_TLS)


@pytest.mark.parametrize(
    ("version", "name", "type_"),
    [
        ("ocpp1.6", "CentralSystemFailedToAuthentication", "CsmsFailedToAuthenticate"),
        ("ocpp1.6", "CsmsFailedToAuthenticate", None),
        ("ocpp2.0.1", "InvalidFirmwareSigning", "InvalidFirmwareSigningCertificate"),
        ("ocpp2.1", "InvalidFirmwareSigning", None),
        ("ocpp2.1", "Acme.DoorOpen", None),
        ("ocpp9", "FirmwareUpdated", None),
    ],
)
def test_a_name_is_one_of_its_version(version: str, name: str, type_: str | None) -> None:
    """What the version does not have is a vendor's own word, whatever another version makes of it."""
    found = find_standard(version, name)
    assert (found.kind.type if found else None) == type_


@pytest.mark.parametrize("name", STANDARD["ocpp2.1"])
def test_each_is_explained(name: str) -> None:
    """One sentence each, a next step where there is something to do, and a name within OCPP's bound of 50."""
    kind = STANDARD["ocpp2.1"][name].kind
    assert kind.says.startswith("The station reported that ")
    assert kind.says.endswith(".")
    assert kind.advice.endswith(".") or kind.severity is Severity.INFO
    assert len(name) <= 50
