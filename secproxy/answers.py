"""How a call is answered in the place of the other side, which never hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pki.firmware.gate import Answer
from secproxy.boot import V16
from secproxy.envelope import error_bytes, result_bytes
from secproxy.policy.actions import REJECTED

if TYPE_CHECKING:
    from secproxy.envelope import Call

REASON_LENGTH: Final = 20  # characters; StatusInfoType.reasonCode, 2.x
INFO_LENGTH: Final = 512  # characters; StatusInfoType.additionalInfo, 2.0.1

DELETE: Final = "DeleteCertificate"
FAILED: Final = "Failed"  # what a station says that may not delete a certificate (M04.FR.03, 1.6 M04.FR.06)

_STATUSES: Final = frozenset({Answer.REJECTED, Answer.INVALID_CERTIFICATE, Answer.REVOKED_CERTIFICATE, FAILED})


def answer(call: Call, version: str, status: str, reason: str, says: str) -> bytes:
    """The message that tells the caller no: a status where the action has one, else a CALLERROR with that code."""
    if status not in _STATUSES:
        return error_bytes(call.id, status, says)
    if version == V16:
        return result_bytes(call.id, {"status": status})
    info = {"reasonCode": reason[:REASON_LENGTH], "additionalInfo": says[:INFO_LENGTH]}
    return result_bytes(call.id, {"status": status, "statusInfo": info})


def refuse_by_policy(call: Call, version: str, *, unknown: bool) -> bytes:
    """Say no to what a policy forbids, as its action can (OCPP-J 4.3); ``unknown``: the version has no such action."""
    status = "NotImplemented" if unknown else "SecurityError"
    if not unknown and call.action in REJECTED[version]:
        status = Answer.REJECTED.value
    if not unknown and call.action == DELETE:
        status = FAILED
    return answer(call, version, status, "PolicyRefused", "refused by policy")
