"""All that a claim desk knows, as it is handed to the code that takes over from its own.

A field with a default may be added; whoever changes it otherwise raises ``succession.FORM``.
"""

from __future__ import annotations

import msgspec

from secproxy import claims, lockout
from secproxy.edge import claim_wire as wire  # noqa: TC001 - msgspec reads annotations at run time
from secproxy.tally import Totals


class Line(msgspec.Struct, frozen=True):
    """A line of a desk that was: its number, its descriptor, what was heard of a word, and whether one was heard."""

    connection: int
    descriptor: int
    rest: bytes
    known: bool


class Kept(msgspec.Struct, frozen=True):
    """All that a desk knows, for the code that takes over from its own; a claim lives as long as its connection."""

    listening: int = -1
    lines: list[Line] = []
    mates: dict[int, wire.Mate] = {}
    open: dict[int, wire.Mate] = {}
    claims: claims.Claims = msgspec.field(default_factory=claims.Claims)
    lockouts: lockout.Kept = lockout.Kept()
    totals: Totals = msgspec.field(default_factory=Totals)
    probes: dict[int, str] = {}
    """By leg: whose sign of life is waited for."""
    connections: int = 1
    tickets: int = 1
    """The first that is free; 0 is every reload's."""
    errands: list[tuple[int, wire.Errand]] = []
    """What commands wait for, by the line they asked on."""
    upgrades: list[int] = []
    """The lines of those that wait for the very thing that comes about."""
