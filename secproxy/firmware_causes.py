"""Why a firmware update was let through or kept from a station; see ``secproxy.causes`` for the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from secproxy.kinds import Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIGNATURE: Final = "InvalidFirmwareSignature"
_SIGNER: Final = "InvalidFirmwareSigningCertificate"
_CRITICAL, _HIGH, _MEDIUM, _LOW, _INFO = Severity  # one word each keeps the table below readable

FIRMWARE_CAUSES: Final[Mapping[str, Kind]] = {
    "firmware.cleared": Kind(
        "bollard.FirmwareCleared",
        _INFO,
        "A00.FR.707",
        "A firmware update was verified and sent to the station with our own download URL.",
        "",
    ),
    "firmware.unsigned": Kind(
        _SIGNATURE,
        _HIGH,
        "L01.FR.11",
        "The CSMS asked for a firmware update without a signature and certificate; it did not reach the station.",
        "Import the image with 'bollard firmware import' and send the signed request with its signature.",
    ),
    "firmware.signature": Kind(
        _SIGNATURE,
        _HIGH,
        "L01.FR.12",
        "The signature in a firmware update cannot be right; the update did not reach the station.",
        "Send the signature and certificate that 'bollard firmware list' shows for the image.",
    ),
    "firmware.unknown": Kind(
        _SIGNATURE,
        _HIGH,
        "A00.FR.707",
        "The CSMS asked for a firmware image that was never verified here; the update did not reach the station.",
        "Import the image with 'bollard firmware import', then send the request again.",
    ),
    "firmware.signer": Kind(
        _SIGNER,
        _HIGH,
        "A00.FR.707",
        "The certificate in a firmware update may not sign, or no longer; the update did not reach the station.",
        "Ask the manufacturer for a release that a valid certificate signed, and import that one.",
    ),
    "firmware.target": Kind(
        "bollard.FirmwareRefused",
        _HIGH,
        "A00.FR.707",
        "The firmware image is for another vendor or model; the update did not reach the station.",
        "Send the image made for this model; 'bollard station show' prints what the station said of itself.",
    ),
    "firmware.publish": Kind(
        "bollard.FirmwareRefused",
        _HIGH,
        "L03.FR.02",
        "The CSMS asked a station to publish firmware whose only check is an MD5; it did not reach the station.",
        "Update each station with a signed request instead.",
    ),
    "firmware.request": Kind(
        "bollard.FirmwareRefused",
        _MEDIUM,
        "L01.FR.01",
        "A firmware update request has fields that are missing, too long or out of range.",
        "Correct the request in the CSMS; the evidence names the field.",
    ),
    "firmware.sealed": Kind(
        "bollard.FirmwareRefused",
        _HIGH,
        "A00.FR.707",
        "A firmware update came inside a signed message, so it cannot be given our download URL.",
        "Switch message signing off for firmware updates in the CSMS.",
    ),
    "firmware.busy": Kind(
        "bollard.FirmwareRefused",
        _MEDIUM,
        "",
        "Too many firmware updates for one station wait for their download URL; this one was refused.",
        "Send one update at a time.",
    ),
    "firmware.declined": Kind(
        "bollard.FirmwareRefused",
        _HIGH,
        "",
        "No download URL could be made for a verified firmware update; it did not reach the station.",
        "Check with 'bollard status' that the authority runs, then send the request again.",
    ),
}
