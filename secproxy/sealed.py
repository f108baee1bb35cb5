"""What is inside a signed message of a station's, for those who judge what stations say.

Rules this file keeps:

* Only what is judged by what it says is looked into. It is held to what the same words would be held to in the clear;
  whether the signature is right is for the CSMS, and nothing here is trusted the more because of one.
* What cannot be read in one way alone is refused, so that nobody says inside what could not be said outside.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final, TypeVar

from secproxy import reader
from secproxy.envelope import Call
from secproxy.errors import MessageRefused
from secproxy.events import Note
from secproxy.plan import SIGNED_SUFFIX, small
from secproxy.reader import UnreadableError

if TYPE_CHECKING:
    from secproxy.envelope import Message

    M = TypeVar("M", bound=Message)

READ: Final = frozenset(map(small, ("BootNotification", "SecurityEventNotification", "TransactionEvent")))
"""The actions whose signed form is looked into, in small letters."""
_OPENED: Final = frozenset(action + small(SIGNED_SUFFIX) for action in READ)
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")


def open_signed(said: M) -> M | Call:
    """Return the call that stands inside a signed one, or what was said as it is. Raises ``MessageRefused``.

    A signed payload is a JWS in JSON (OCPP-J 2.x, 7; RFC 7515 7.2): ``payload`` is what it signs, in base64url.
    """
    if not isinstance(said, Call) or small(said.action) not in _OPENED:
        return said
    try:
        inside = reader.read(_decoded(said.payload.get("payload")))
    except UnreadableError as unreadable:
        raise _refused(said, unreadable.says) from None
    if not isinstance(inside, dict):
        raise _refused(said, "what is signed is not an object")
    return Call(said.id, said.action[: -len(SIGNED_SUFFIX)], inside)


def _decoded(written: object) -> bytes:
    if not isinstance(written, str) or not _BASE64URL.fullmatch(written) or len(written) % 4 == 1:
        raise UnreadableError("signed", "there is no payload in base64url")
    return base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))


def _refused(call: Call, says: str) -> MessageRefused:
    told = {"fault": "signed", "says": f"inside the signed message: {says}", "action": call.action}
    return MessageRefused("signed", Note("message.malformed", evidence=told), call.id)
