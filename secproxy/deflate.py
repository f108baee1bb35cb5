"""Compression on a station's leg (permessage-deflate, RFC 7692): what is agreed on, and inflating within bounds.

Rules this file keeps:

* Nothing of one message is kept for the next (no context takeover), so a connection that is silent holds no window.
* What a message becomes is bounded while it is inflated, by its size and by how many times larger it grew.
* We only inflate: towards the station nothing is compressed, which the extension leaves to each side (6.1).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from websockets.exceptions import InvalidHeader
from websockets.headers import parse_extension

NAME: Final = "permessage-deflate"
WINDOW_BITS: Final = 11  # 2 KiB: larger than most messages of a station; what we ask for where a station lets us choose
WIDEST_BITS: Final = 15  # the largest window there is, and what a station uses that lets us choose nothing (7.1.2.2)
RATIO: Final = 100  # times; meter values of 40 kB, the most repetitive that stations say, come to about 30
SMALL: Final = 4_096  # bytes that may come of any message, however small
_TAIL: Final = b"\x00\x00\xff\xff"  # what senders leave away (7.2.1)

_BITS: Final = frozenset(map(str, range(8, WIDEST_BITS + 1)))
_FLAGS: Final = ("server_no_context_takeover", "client_no_context_takeover")
_OURS, _THEIRS = "server_max_window_bits", "client_max_window_bits"


@dataclass(frozen=True, slots=True)
class Compression:
    """What was agreed on: the header's value for our 101, and the bits of the window that the station uses."""

    answer: str
    bits: int


class BombError(Exception):
    """A message becomes more than it may: ``too_big``, or else too much larger than it came. ``says`` is for the
    journal."""

    def __init__(self, says: str, *, too_big: bool) -> None:
        super().__init__(says)
        self.says = says
        self.too_big = too_big


def accept(offers: str) -> Compression | None:
    """Choose the first offer that we can keep to, of ``Sec-WebSocket-Extensions``; None if there is none."""
    try:
        offered = parse_extension(offers) if offers else []
    except InvalidHeader:
        return None
    answers = (_answer(dict(settings), len(settings)) for name, settings in offered if name == NAME)
    return next((answer for answer in answers if answer is not None), None)


def _answer(settings: dict[str, str | None], count: int) -> Compression | None:
    if len(settings) < count or not settings.keys() <= {*_FLAGS, _OURS, _THEIRS}:
        return None
    if any(settings.get(flag) is not None for flag in _FLAGS):
        return None
    lines, bits = [NAME, *_FLAGS], WIDEST_BITS
    if _OURS in settings:
        if settings[_OURS] not in _BITS:
            return None
        lines.append(f"{_OURS}={settings[_OURS]}")
    if _THEIRS in settings:
        theirs = settings[_THEIRS] or str(WIDEST_BITS)
        if theirs not in _BITS:
            return None
        bits = min(int(theirs), WINDOW_BITS)
        lines.append(f"{_THEIRS}={bits}")
    return Compression("; ".join(lines), bits)


def inflate(payload: bytes, bits: int, limit: int) -> bytes:
    """Inflate a message to at most ``limit`` bytes. Raises ``BombError``, and ``ValueError`` for what is broken."""
    most = min(limit, max(SMALL, RATIO * len(payload)))
    inflater = zlib.decompressobj(-bits)
    try:
        message = inflater.decompress(payload + _TAIL, most + 1)
    except zlib.error:
        raise ValueError("a compressed message that cannot be read") from None
    if len(message) > most:
        if most == limit:
            raise BombError(f"a compressed message of more than {limit} bytes", too_big=True)
        raise BombError(f"a message that was compressed to less than a part in {RATIO}", too_big=False)
    if inflater.unconsumed_tail or (inflater.eof and inflater.unused_data != _TAIL):
        raise ValueError("a compressed message with something behind its end")
    return message
