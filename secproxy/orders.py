"""What a conversation is told, and what it orders: facts in, orders out.

A station's session has these words, and so have the conversations of those who may not come in yet: whoever holds the
connection tells facts and carries out orders, whichever of them it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secproxy.events import Note
    from secproxy.plan import Side

# -- facts -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """A side said this whole message."""

    side: Side
    message: bytes


@dataclass(frozen=True, slots=True)
class Granted:
    """The authority gave a download URL for a ticket; the URL is a secret of the station's."""

    ticket: int
    url: str

    def __repr__(self) -> str:
        return f"Granted({self.ticket}, ...)"


@dataclass(frozen=True, slots=True)
class Declined:
    """The authority gave no download URL; ``cause`` is its error's code."""

    ticket: int
    cause: str


@dataclass(frozen=True, slots=True)
class HungUp:
    """A side has ended its connection."""

    side: Side


Fact = Heard | Granted | Declined | HungUp

# -- orders ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Forward:
    """Pass on the message just heard, byte for byte."""


@dataclass(frozen=True, slots=True)
class Say:
    """Say this message to that side."""

    side: Side
    message: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the authority for a URL under which this station may fetch this image (SHA-256, hex)."""

    ticket: int
    digest: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Record:
    """Write a security event."""

    note: Note


@dataclass(frozen=True, slots=True)
class Learn:
    """Tell the authority what the station said of itself."""

    vendor: str
    model: str
    serial: str
    firmware_version: str
    protocol: str
    """The version of OCPP it speaks, as the WebSocket's subprotocol."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the connection to the station with this code and reason, and the one to the CSMS with it."""

    code: int
    reason: str


Order = Forward | Say | Ask | Record | Learn | HangUp
