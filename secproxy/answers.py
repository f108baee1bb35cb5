"""How a call is answered in the place of the other side, which never hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pki.firmware.gate import Answer
from secproxy.boot import V16
from secproxy.envelope import Error, Result, error_bytes, result_bytes
from secproxy.plan import GATED, Side, small
from secproxy.policy.actions import REJECTED

if TYPE_CHECKING:
    from secproxy.envelope import Call, Message

REASON_LENGTH: Final = 20  # characters; StatusInfoType.reasonCode, 2.x
INFO_LENGTH: Final = 512  # characters; StatusInfoType.additionalInfo, 2.0.1

DELETE: Final = "DeleteCertificate"
FAILED: Final = "Failed"  # what a station says that may not delete a certificate (M04.FR.03, 1.6 M04.FR.06)

POLICY: Final = "PolicyRefused"
POLICY_SAYS: Final = "refused by policy"

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
    return answer(call, version, status, POLICY, POLICY_SAYS)


def is_by_policy(said: Message, action: str, version: str) -> bool | None:
    """Whether an answer of ours to a call is what ``refuse_by_policy`` says.

    None where another gate of ours says the same: in OCPP 1.6 a status has no reason.
    """
    if isinstance(said, Error):
        return said.description == POLICY_SAYS
    if not isinstance(said, Result):
        return False
    if version != V16:
        info = said.payload.get("statusInfo")
        return isinstance(info, dict) and info.get("reasonCode") == POLICY
    if said.payload != {"status": FAILED if action == DELETE else Answer.REJECTED.value}:
        return False
    return None if small(action) in GATED[Side.CSMS] else True
