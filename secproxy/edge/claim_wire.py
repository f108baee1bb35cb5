"""What workers and the supervisor say to each other about who may have which station's connection.

One JSON object a line over the Unix socket ``run/claims.sock``; ``says`` names the record. Bytes are base64 there. The
rules of the conversation stand in ``secproxy.claims``; these are its words on the wire.
"""

from __future__ import annotations

from typing import Final

import msgspec

LINE_BYTES: Final = (
    4096  # bytes of one line; the longest holds an identity of 48 characters and a credential of 32 bytes
)


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="says", tag=str.lower):
    """One line."""


class Hello(Word, frozen=True):
    """The first line of a worker: its number."""

    worker: int


class Ready(Word, frozen=True):
    """The worker's listeners are open."""


class Want(Word, frozen=True):
    """A station has proved itself to the worker: may it have the connection? ``credential`` names its proof."""

    ticket: int
    identity: str
    credential: bytes


class Probed(Word, frozen=True):
    """The station of this leg did, or did not, answer a ping."""

    leg: int
    alive: bool


class Release(Word, frozen=True):
    """The connection of this leg has ended."""

    leg: int


class Granted(Word, frozen=True):
    """The station may have the connection; its leg is named by this number until it ends."""

    ticket: int
    leg: int


class Denied(Word, frozen=True):
    """The station may not: ``cause`` is a key of ``secproxy.events.CAUSES``."""

    ticket: int
    cause: str


class Probe(Word, frozen=True):
    """Ask the station of this leg for a sign of life."""

    leg: int


class Drop(Word, frozen=True):
    """End this leg: its station came back elsewhere."""

    leg: int


FromWorker = Hello | Ready | Want | Probed | Release
FromDesk = Granted | Denied | Probe | Drop


def line(word: Word) -> bytes:
    """Write a word as its line."""
    return msgspec.json.encode(word) + b"\n"
