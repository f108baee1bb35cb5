"""Stands between the CSMS and a station's firmware: each update request is judged, and goes on or is answered here.

* Nothing unsigned goes on, whatever it is called: the old ``UpdateFirmware`` of 1.6 and ``PublishFirmware`` never do.
* Of a cleared request only ``location`` is replaced, by a URL of ours; the CSMS's own is neither fetched nor sent on.
* A field the schema does not know is refused: some station might read it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from pki.findings import Finding, error
from pki.firmware import gate
from pki.firmware.gate import Answer, GateRefusedError, StationModel, UpdateRequest
from secproxy.answers import answer
from secproxy.boot import V16
from secproxy.errors import GateRefused
from secproxy.events import Note

if TYPE_CHECKING:
    import datetime as dt

    from pki.firmware.gate import Cleared
    from pki.station import Station
    from secproxy.envelope import Call
    from secproxy.station_view import View

LOCATION_LENGTH: Final = {"ocpp1.6": 512, "ocpp2.0.1": 512, "ocpp2.1": 2000}
"""Characters of ``location``, from the schemas of SignedUpdateFirmware and UpdateFirmware."""
URL_LENGTH: Final = 512  # characters; the smallest of the above, so that our URL fits everywhere
RETRIES_MOST: Final = 100  # ours; above it a station without an image would try for ever
RETRY_SECONDS_MOST: Final = 86_400  # one day; ours

_OUR_URL: Final = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._-]+)+")
_CREDENTIALS: Final = re.compile(r"[^/?#]*//[^/?#]*@")
_CAUSES: Final = {
    "unsigned": "firmware.unsigned",
    "field.pair": "firmware.unsigned",
    "sig.bad": "firmware.unknown",
    "sig.encoding": "firmware.signature",
    "alg.profile": "firmware.signature",
    "alg.weak": "firmware.signer",
    "publish.md5": "firmware.publish",
}
_CAUSES_BY_ROOM: Final = {
    "unsigned": "firmware.unsigned",
    "signer": "firmware.signer",
    "cert": "firmware.signer",
    "target": "firmware.target",
    "version": "firmware.target",
}


class _Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    location: str
    retrieve_date_time: str
    install_date_time: str = ""
    signing_certificate: str = ""
    signature: str = ""


class _Image2(_Image, frozen=True, forbid_unknown_fields=True, rename="camel"):
    custom_data: dict[str, object] = {}


class _Update(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    request_id: int
    firmware: _Image
    retries: int = 1
    retry_interval: int = 1


class _Update2(_Update, frozen=True, forbid_unknown_fields=True, rename="camel"):
    firmware: _Image2
    custom_data: dict[str, object] = {}


def judge(call: Call, version: str, station: Station, view: View, now: dt.datetime) -> Cleared:
    """Clear an update request of the CSMS, or raise ``GateRefused`` with the answer it gets and a note for the journal.

    ``version`` is the session's subprotocol name (``ocpp1.6``, ``ocpp2.0.1``, ``ocpp2.1``).
    """
    _require_signed_message(call, version, station)
    model = StationModel(station.vendor, station.model)
    try:
        request = _read(call, version)
        return gate.examine(request, model, view.releases, view.anchors, now)
    except GateRefusedError as refused:
        raise _refuse(call, version, station, refused.answer.value, refused.reason, refused.digest) from None
    except msgspec.ValidationError as malformed:
        code = "FormationViolation" if version == V16 else "FormatViolation"
        finding = error("field.shape", "L01.FR.01", str(malformed)[:200])
        raise _refuse(call, version, station, code, finding) from None


def rewrite(call: Call, cleared: Cleared, url: str) -> dict[str, object]:
    """The payload that goes to the station: as received, with ``url`` of ours in the place of ``location``."""
    firmware = call.payload["firmware"]
    if not isinstance(firmware, dict) or _request(firmware) != cleared.request:
        raise ValueError("this request is not the one that was cleared")
    if len(url) > URL_LENGTH or not _OUR_URL.fullmatch(url):
        raise ValueError("a download URL of ours has at most 512 characters of A-Z a-z 0-9 . _ - and slashes")
    return {**call.payload, "firmware": {**firmware, "location": url}}


def _require_signed_message(call: Call, version: str, station: Station) -> None:
    """Refuse the kinds of request that carry no signature by their nature."""
    if call.action == ("SignedUpdateFirmware" if version == V16 else "UpdateFirmware"):
        return
    if call.action == "PublishFirmware" and version != V16:
        finding = error("publish.md5", "L03.FR.02", "an MD5 is all that vouches for firmware published this way")
        raise _refuse(call, version, station, Answer.REJECTED, finding)
    # OCPP 1.6 L01.FR.20: a station that takes signed updates answers the old message just so.
    finding = error(
        "unsigned.downgrade", "L01.FR.20", "an update without a signature; only signed updates are let through"
    )
    raise _refuse(call, version, station, Answer.NOT_SUPPORTED, finding)


def _read(call: Call, version: str) -> UpdateRequest:
    """Read the request and its bounds; ``msgspec.ValidationError`` for a wrong shape."""
    update = msgspec.convert(call.payload, _Update if version == V16 else _Update2)
    image, longest = update.firmware, LOCATION_LENGTH[version]
    if len(image.location) > longest:
        says = f"location has {len(image.location)} characters, {longest} are allowed"
        raise GateRefusedError([error("field.size", "L01.FR.01", says)])
    least = 1 if update.retries else 0
    if not 0 <= update.retries <= RETRIES_MOST or not least <= update.retry_interval <= RETRY_SECONDS_MOST:
        says = f"retries must be 0 to {RETRIES_MOST}, retryInterval {least} to {RETRY_SECONDS_MOST} seconds"
        raise GateRefusedError([error("field.range", "L01.FR.30", says)])
    if _CREDENTIALS.match(image.location):
        says = "location holds a user name or password, which would be handed to the station and its logs"
        raise GateRefusedError([error("location.credentials", "L01.FR.08", says)])
    return UpdateRequest(image.signature, image.signing_certificate)


def _request(firmware: dict[str, object]) -> UpdateRequest:
    image = msgspec.convert(firmware, _Image2)
    return UpdateRequest(image.signature, image.signing_certificate)


def _refuse(call: Call, version: str, station: Station, status: str, reason: Finding, digest: str = "") -> GateRefused:
    evidence = {
        "code": reason.code,
        "says": reason.says,
        "clause": reason.clause,
        "action": call.action,
        "message_id": call.id,
        "answer": str(status),
        "digest": digest,
    }
    note = Note(_cause(reason.code), station.identity.text, evidence=evidence)
    return GateRefused(note, answer(call, version, str(status), reason.code, reason.says))


def _cause(code: str) -> str:
    return _CAUSES.get(code) or _CAUSES_BY_ROOM.get(code.partition(".")[0], "firmware.request")
