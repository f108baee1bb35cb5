"""The URL a station dials, read so that no server behind us could read it differently.

Rules this file keeps:

* The identity is the last segment of the path, percent-decoded once (OCPP-J 3.1.1).
* What servers are known to resolve in different ways is refused: dots, hidden slashes, queries. Empty parts are left
  out instead: a URL that was entered with a slash at its end makes them, and what goes on has none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from pki.errors import InputError
from pki.names import StationIdentity

TARGET_LENGTH: Final = 2_048  # characters of a request target; a station can store a URL of 512 (OCPP 2.0.1 B09)
IDENTITY_SAFE: Final = "*=+@"  # of the identifier set, what RFC 3986 3.3 lets stand in a path segment besides -_.

_SEGMENT = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a station wants to go: the identity it claims, and its request path in canonical form."""

    identity: StationIdentity
    target: str


def read_target(target: str) -> Place:
    """Read a request target in origin form (RFC 9112 3.2.1). Raises ``InputError``, whose cause is for the journal."""
    if len(target) > TARGET_LENGTH:
        raise _wrong("the URL is too long")
    if not target.startswith("/"):
        raise _wrong("the target is no path")
    if "?" in target or "#" in target:
        raise _wrong("the URL has a query or a fragment")
    *above, last = [segment for segment in target.split("/") if segment] or [""]
    if not all(_is_plain(segment) for segment in above):
        raise _wrong("the path has a dotted or a badly escaped part")
    identity = StationIdentity.from_path_segment(last)
    return Place(identity, "/".join(["", *above, encode_identity(identity)]))


def encode_identity(identity: StationIdentity) -> str:
    """Write an identity as a path segment; only what RFC 3986 forbids there is escaped."""
    return quote(identity.text, safe=IDENTITY_SAFE)


def _is_plain(segment: str) -> bool:
    """Whether a part of the path is a plain name: no dots alone, nothing that hides a slash or a control character."""
    if not _SEGMENT.fullmatch(segment):
        return False
    decoded = unquote_to_bytes(segment)
    return decoded not in {b".", b".."} and not any(byte < 0x20 or byte == 0x7F or byte in b"/\\%" for byte in decoded)


def _wrong(says: str) -> InputError:
    return InputError("http.target", says, "Correct the URL in the station: it ends in /IDENTITY.")
