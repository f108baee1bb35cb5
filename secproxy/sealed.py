"""What is inside a signed message, for those who judge what is said.

Rules this file keeps:

* Only what is judged by what it says is looked into. It is held to what the same words would be held to in the clear;
  whether the signature is right is for the other side, and nothing here is trusted the more because of one.
* What cannot be read in one way alone is refused, so that nobody says inside what could not be said outside.
* A message is signed once, whoever says it and whatever it is: one reader would unwrap it once, another to its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from secproxy import jws
from secproxy.envelope import Call, Result, Send
from secproxy.errors import MessageRefused
from secproxy.events import Note
from secproxy.plan import SIGNED, SIGNED_SUFFIX, small
from secproxy.reader import UnreadableError
from secproxy.write_only import ANSWERS

if TYPE_CHECKING:
    from secproxy.envelope import Message

    M = TypeVar("M", bound=Message)

_NAMES: Final = ("BootNotification", "SecurityEventNotification", "TransactionEvent", "NotifyReport", "DataTransfer")
READ: Final = frozenset(map(small, _NAMES))
"""The actions whose signed form is looked into, in small letters: the last because of what it may carry."""
_OPENED: Final = frozenset(action + SIGNED for action in READ)


def open_signed(said: M) -> M | Call:
    """Return the call that stands inside a signed one, or what was said as it is. Raises ``MessageRefused``."""
    if not isinstance(said, Call) or small(said.action) not in _OPENED:
        return said
    return Call(said.id, said.action[: -len(SIGNED_SUFFIX)], _inside(said, said.action))


def open_answer(said: Result, asked: bytes) -> Result:
    """Do the same with an answer that can tell a secret; ``asked`` is the action that it answers, in small letters.

    It is signed by its looks, since an answer may be in the clear though its call was signed.
    """
    if asked.removesuffix(SIGNED) not in ANSWERS or not jws.is_signed(said.payload):
        return said
    return Result(said.id, _inside(said, asked.decode()))


def refuse_twice_signed(said: Message) -> None:
    """Refuse a message that by its name is signed more than once. Raises ``MessageRefused``."""
    if isinstance(said, Call | Send) and small(said.action).endswith(SIGNED + SIGNED):
        raise _refused(said, said.action, "it is a signed message itself")


def _inside(said: Call | Result, action: str) -> dict[str, object]:
    try:
        return jws.unseal(said.payload)
    except UnreadableError as unreadable:
        raise _refused(said, action, unreadable.says) from None


def _refused(said: Call | Send | Result, action: str, says: str) -> MessageRefused:
    """Only a call is answered."""
    told = {"fault": "signed", "says": f"inside the signed message: {says}", "action": action}
    return MessageRefused("signed", Note("message.malformed", evidence=told), said.id if isinstance(said, Call) else "")
