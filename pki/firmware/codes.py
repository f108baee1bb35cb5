"""What each code of an error or a finding about firmware means; one sentence each, data alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

CODES: Final[Mapping[str, str]] = {
    "alg.profile": "The firmware is signed in a way the policy does not accept; as a warning: in one OCPP never names.",
    "cert.encoding": "The signing certificate is not one plain PEM certificate with line feeds at its line ends.",
    "cert.order": "Several certificates were given where only the signer's is due; send the one that signed.",
    "field.pair": "An update carries a signature without its certificate, or the other way round; send both.",
    "field.size": "A field of the update is longer than OCPP allows; the finding names it.",
    "firmware.certificate": "The signing certificate cannot be used; its finding says why.",
    "firmware.claim": "Vendor, model or version is empty, too long or not plain text; spell it as the station does.",
    "firmware.gate": "An update that the CSMS asked for was stopped; the findings say why, and no station heard of it.",
    "firmware.policy": "The firmware policy cannot be read or names an algorithm that is not known.",
    "firmware.refused": "An image was not taken in; the findings say why, and nothing of it was kept.",
    "firmware.signature": "The firmware's signature is not good; its findings say why.",
    "image.empty": "The image holds no bytes; fetch it from the manufacturer again.",
    "sig.bad": "The signature is not one of this image by this signer; do not use the image.",
    "sig.encoding": "The signature is not in its one form (base64 on one line; for ECDSA, DER in it), or was altered.",
    "signer.hierarchy": "The signer was issued by our own CA, or by one trusted for another purpose than firmware.",
    "signer.vendor": "The signer belongs to another manufacturer than the station.",
    "target.length": "Vendor or model is longer than a station of OCPP 1.6 can tell, so none of those will match.",
    "target.model": "The image is for another vendor or model than the station's; see 'bollard station show'.",
    "target.unknown": "The station has not booted through the proxy yet, so its model is not known; let it reboot.",
    "unsigned": "The update carries neither signature nor certificate; only signed updates are let through.",
    "version.conflict": "Two different images go by one version, so the version does not say which one is meant.",
}
