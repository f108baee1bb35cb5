"""One-time tokens: a word that a station shows once to get its first certificate, and of which we keep a hash alone.

A token holds 192 random bits, so one fast hash keeps it safe, and nobody guesses it however often it is tried. Who was
never given one is compared as long as who was, so the time an answer takes tells nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from pki.errors import ForbiddenError

RANDOM_BYTES: Final = 24  # bytes; 192 bits cannot be guessed
TOKEN_LENGTH: Final = 64  # characters of what is offered that are looked at; ours have 32
HOURS: Final = 24  # hours a token is good for, unless asked otherwise: a day on site
HOURS_MOST: Final = 24 * 31  # hours; who prepares stations in a workshop may be a month ahead
TRIES_MOST: Final = 10
"""Refused requests that a token outlives; ours: a person corrects a request a few times, a program does not stop."""

_NOBODY: Final = bytes(32)  # no token is known that has this hash


def write_token(random: bytes) -> str:
    """Write random bytes as a token: letters, digits, ``-`` and ``_``, fit for a Basic header (RFC 7617 2)."""
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"{RANDOM_BYTES} random bytes make a token")
    return base64.urlsafe_b64encode(random).decode("ascii")


def hash_token(token: str) -> bytes:
    """Return what is kept of a token: its SHA-256, 32 bytes."""
    return hashlib.sha256(token[:TOKEN_LENGTH].encode("utf-8", "surrogatepass")).digest()


def check_token(offered: str, kept: bytes | None) -> bytes:
    """Return the hash of the token offered, if it is the one kept. Raises ``ForbiddenError("est.credentials")``.

    ``kept`` is ``None`` where there is no token: no station, none minted, spent, or past its end; all look the same.
    """
    found = hash_token(offered)
    if not hmac.compare_digest(found, kept or _NOBODY) or kept is None:
        raise refused_credentials()
    return found


def refused_credentials() -> ForbiddenError:
    """Make the one answer to everybody whose user name and token do not belong together."""
    return ForbiddenError(
        "est.credentials",
        "the user name and the token do not belong together, or the token was used already or has ended",
        "Give the station a new token: 'bollard station token IDENTITY'.",
    )
