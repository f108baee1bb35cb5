"""A recording: what a station, its CSMS and the proxy said to each other, one JSON object a line, without its secrets.

The first line says whose it is and under what; every other is a message. What could not be read is told and not kept,
since nobody knows where its secrets are.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads annotations at run time
from typing import TYPE_CHECKING, Final

import msgspec

from pki.errors import InputError
from pki.names import StationIdentity
from pki.station import SecurityProfile
from secproxy import reader
from secproxy.admission import SUBPROTOCOLS
from secproxy.reader import UnreadableError
from secproxy.redaction import holds_masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from secproxy.redaction import Redaction

FORM: Final = 1
SPEAKERS: Final = frozenset({"station", "csms", "proxy"})
LINE_BYTES: Final = 4 * 1024 * 1024  # of one line; a message has 262,144 bytes at most, and escapes make six of one
YEARS: Final = range(1970, 9999)  # that every zone knows
CALLS_KEPT: Final = 64  # calls remembered that may still be answered; a side has one or two that wait


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line: whose recording it is, what the policy knows of the station, and since when."""

    recording: int
    station: str
    group: str
    profile: int
    version: str
    began: dt.datetime


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"speaker": "from"}, omit_defaults=True):
    """A message; in the place of one that could not be read, what is wrong with it and its size in bytes."""

    time: dt.datetime
    version: str
    speaker: str
    message: object = None
    unreadable: str = ""
    bytes: int = 0


_CALLERS: Final = {"station": ("csms",), "csms": ("station",), "proxy": ("station", "csms")}
"""Whose calls each speaker answers."""
_encoder: Final = msgspec.json.Encoder()
_head: Final = msgspec.json.Decoder(Head)
_line: Final = msgspec.json.Decoder(Line)


class Recorder:
    """Writes the lines of one recording; remembers of each side's calls the action, and whether they held secrets."""

    def __init__(self, head: Head, redaction: Redaction) -> None:
        self._version, self._redaction = head.version, redaction
        self._asked: dict[tuple[str, str], tuple[str, bool]] = {}
        self.first = _encoder.encode(head) + b"\n"

    def line(self, speaker: str, message: bytes, at: dt.datetime) -> bytes:
        """Write a message that ``speaker`` said."""
        try:
            said = Line(at, self._version, speaker, self._redacted(speaker, reader.read(message)))
        except UnreadableError as fault:
            said = Line(at, self._version, speaker, unreadable=fault.name, bytes=len(message))
        return _encoder.encode(said) + b"\n"

    def _redacted(self, speaker: str, message: object) -> object:
        """Redact a message: an answer by the call that it answers, and that was redacted before it."""
        if not isinstance(message, list) or len(message) < 3 or not isinstance(message[1], str):
            return self._redaction.redact_read(message)
        if message[0] in (2, 6):
            redacted = self._redaction.redact_read(message)
            caller = "csms" if speaker == "proxy" else speaker  # what we say in its place bears the CSMS's id
            self._remember((caller, message[1]), str(message[2]), holds_masked(redacted))
            return redacted
        action, secret = self._find(speaker, message[0] == 5, message[1])
        return self._redaction.redact_read(message, action, repeats=secret and speaker != "proxy")

    def _remember(self, call: tuple[str, str], action: str, secret: bool) -> None:
        self._asked.pop(call, None)
        self._asked[call] = action, secret
        if len(self._asked) > CALLS_KEPT:
            del self._asked[next(iter(self._asked))]

    def _find(self, speaker: str, objects: bool, message_id: str) -> tuple[str, bool]:
        """The call that is answered: the other side's, or, where a caller objects to a result, one's own. Of a call
        that nobody remembers anything may be said."""
        callers = _CALLERS[speaker] if not objects or speaker == "proxy" else (speaker,)
        found = [self._asked[caller, message_id] for caller in callers if (caller, message_id) in self._asked]
        return found[0] if len(found) == 1 else ("", True)


def read_head(line: bytes) -> Head:
    """Read the first line. ``InputError("recording.wrong")``."""
    try:
        head = _head.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as wrong:
        raise _wrong(1, str(wrong)) from None
    if head.recording != FORM:
        raise _wrong(1, f"a recording of form {head.recording}, {FORM} is known")
    if head.version not in SUBPROTOCOLS or head.profile not in set(map(int, SecurityProfile)):
        raise _wrong(1, f"version {head.version[:20]!r}, security profile {head.profile}: not all of this is known")
    try:
        StationIdentity.parse(head.station)
    except InputError as wrong:
        raise _wrong(1, wrong.cause) from None
    return head


def read_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, Line]]:
    """Read what follows the first line, with the numbers of the lines. ``InputError("recording.wrong")``.

    The last line may be cut: whoever wrote it may have been killed.
    """
    for number, text in enumerate(lines, 2):
        if len(text) > LINE_BYTES:
            raise _wrong(number, f"it has more than {LINE_BYTES} bytes")
        if not text.endswith(b"\n"):
            return
        try:
            line = _line.decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as wrong:
            raise _wrong(number, str(wrong)) from None
        if line.speaker not in SPEAKERS or line.time.tzinfo is None or line.time.year not in YEARS:
            raise _wrong(number, "nobody of that name speaks here, or its time is none")
        yield number, line


def _wrong(number: int, says: str) -> InputError:
    return InputError(
        "recording.wrong", f"line {number}: {says[:200]}", "Give a file that 'bollard station record' wrote."
    )
