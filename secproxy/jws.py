"""What a signed payload signs: a JWS in JSON, read so that no two readers can disagree, and written again.

Rules this file keeps:

* Nothing here proves a signature, and nothing that is read here is trusted the more because there is one.
* A payload is signed once (OCPP-J 2.x, 7). Of one that is signed again nobody knows how far its reader goes.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Final

from secproxy import reader
from secproxy.reader import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")
_SIGNATURES: Final = frozenset({"signature", "signatures"})


def is_signed(payload: Mapping[str, object]) -> bool:
    """Whether a payload is a signed one by its looks, since an answer bears no name; none of OCPP's own has these."""
    return "payload" in payload and not _SIGNATURES.isdisjoint(payload)


def unseal(payload: Mapping[str, object]) -> dict[str, object]:
    """Return the payload that a signed one signs: ``payload`` is that in base64url (RFC 7515 7.2).

    Raises ``UnreadableError`` for what is none, is not read by everybody alike, or is itself signed.
    """
    inside = read_coded(payload.get("payload"))
    if not isinstance(inside, dict):
        raise UnreadableError("signed", "what is signed is not an object")
    if is_signed(inside):
        raise UnreadableError("signed", "what is signed is a signed message itself")
    return inside


def read_coded(written: object) -> object:
    """Read a JSON value in base64url without padding (RFC 7515 2). Raises ``UnreadableError``."""
    if not isinstance(written, str) or not _BASE64URL.fullmatch(written) or len(written) % 4 == 1:
        raise UnreadableError("signed", "there is no payload in base64url")
    return reader.read(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)))


def write_coded(value: object) -> str:
    """Write a JSON value in base64url without padding."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
