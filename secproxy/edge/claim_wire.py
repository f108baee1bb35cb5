"""What workers and the supervisor say to each other about who may have which station's connection, who may
offer a password, and over what they say it.

One JSON object a line over the Unix socket ``run/claims.sock``; ``says`` names the record. Bytes are base64 there. The
rules stand in ``secproxy.claims`` and ``secproxy.lockout``; these are the words on the wire.

Workers report what they have counted over the same line (``Report``), and whoever wants to see how the house stands
connects, says ``Look`` and is told ``Seen``. Spans go the same way: ``Spans``, ``TakeSpans``, ``SpansTaken``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import msgspec

from pki.edge.wire import short_path

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

LINE_BYTES: Final = 512 * 1024  # bytes of one line; a report about the most URLs there can be has a quarter of it


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="says", tag=str.lower):
    """One line."""


class Mate(NamedTuple):
    """One worker: its number, from 0 on, and its generation, from 1 on."""

    number: int
    generation: int = 1


class Hello(Word, frozen=True):
    """The first line of a worker: its number, and the generation it is of."""

    worker: int
    generation: int = 1


class Prepared(Word, frozen=True):
    """The worker has all that it needs but its sockets."""


class Ready(Word, frozen=True):
    """The worker's listeners are open."""


class Shut(Word, frozen=True):
    """They are open no more: the worker ends, perhaps once its stations have gone one after the other."""


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


class Attempt(Word, frozen=True):
    """Somebody of this network offers a password for a station: may it be looked at?"""

    ticket: int
    identity: str
    network: str


class Failed(Word, frozen=True):
    """The password was wrong, or could not have helped."""

    network: str


class Proved(Word, frozen=True):
    """The password was right."""

    identity: str
    network: str


class Report(Word, frozen=True):
    """What this worker has counted since it began, and how things stand: series as ``secproxy.tally`` names them."""

    counters: dict[str, float]
    gauges: dict[str, float]


class Spans(Word, frozen=True):
    """Spans of this worker's arrivals and sessions, as ``secproxy.spans`` writes them, for whoever sends them on."""

    spans: list[msgspec.Raw]


class TakeSpans(Word, frozen=True):
    """No worker's word: give out spans that wait. Since the last time so many were sent, and so many could not be."""

    sent: int = 0
    dropped: int = 0


class SpansTaken(Word, frozen=True):
    """They are yours now."""

    spans: list[msgspec.Raw]


class Look(Word, frozen=True):
    """No worker's word: how does the house stand? Answered with ``Seen``."""


class Process(msgspec.Struct, frozen=True):
    """One process that the supervisor keeps. ``pid`` is 0 while it does not run, ``since`` seconds since 1970.

    ``generation`` is how often the code had been exchanged when it was started, from 1 on; one that is ``leaving`` lets
    its stations go and is not started again.
    """

    name: str
    pid: int
    since: float
    restarts: int
    generation: int = 1
    leaving: bool = False


class Seen(Word, frozen=True):
    """How the house stands: its processes, the numbers of the workers whose listeners are open, and what all workers
    have counted."""

    processes: list[Process]
    open: list[int]
    counters: dict[str, float]
    gauges: dict[str, float]


class Granted(Word, frozen=True):
    """The station may have the connection; its leg is named by this number until it ends."""

    ticket: int
    leg: int


class Denied(Word, frozen=True):
    """The station may not: ``cause`` is a key of ``secproxy.events.CAUSES``, ``evidence`` its facts."""

    ticket: int
    cause: str
    evidence: dict[str, str] = {}


class Probe(Word, frozen=True):
    """Ask the station of this leg for a sign of life."""

    leg: int


class Drop(Word, frozen=True):
    """End this leg: its station came back elsewhere."""

    leg: int


class Tried(Word, frozen=True):
    """The answer to an attempt: look at the password, or, where ``seconds`` are left to wait, do not.

    ``scope`` is one of ``secproxy.lockout``; ``begun`` is said once for each lock, whose number ``locks`` is.
    """

    ticket: int
    seconds: float = 0.0
    scope: str = ""
    locks: int = 0
    begun: bool = False


class Reload(Word, frozen=True):
    """New settings are in force: take them in."""


class Reloaded(Word, frozen=True):
    """The worker took them in; or, with an error's words, it goes on by those it had."""

    code: str = ""
    cause: str = ""
    advice: str = ""


class Retire(Word, frozen=True):
    """Others take your place: accept no more, let in who is on the way, let all go in their turn, and end."""


class AskReload(Word, frozen=True):
    """A command asks that ``bollard.toml`` be read again."""


class ReloadDone(Word, frozen=True):
    """What became of it: the tables that changed, or an error's words."""

    changed: tuple[str, ...] = ()
    code: str = ""
    cause: str = ""
    advice: str = ""


class AskUpgrade(Word, frozen=True):
    """A command asks that the code which is installed now take over, or, ``dry``, whether it could."""

    dry: bool = False


class UpgradeDone(Word, frozen=True):
    """What became of it: the generation that serves, and its version; or an error's words."""

    generation: int = 0
    version: str = ""
    code: str = ""
    cause: str = ""
    advice: str = ""


class AskRecord(Word, frozen=True):
    """A command asks that what a station and its CSMS say be recorded for some minutes, or, with 0, no longer."""

    identity: str
    minutes: int
    plain: bool = False


class Record(Word, frozen=True):
    """Whoever holds the station is to do so."""

    ticket: int
    identity: str
    minutes: int
    plain: bool


class Recorded(Word, frozen=True):
    """A worker did, and into which file; or, with an error's words, it did not; it says neither of a station that it
    does not hold."""

    ticket: int
    file: str = ""
    code: str = ""
    cause: str = ""
    advice: str = ""


class RecordDone(Word, frozen=True):
    """What became of it: the file's name, or an error's words."""

    file: str = ""
    code: str = ""
    cause: str = ""
    advice: str = ""


FromCommand = AskReload | AskUpgrade | AskRecord | Look | TakeSpans
Errand = AskReload | AskUpgrade | AskRecord
FromWorker = (
    Hello
    | Prepared
    | Ready
    | Shut
    | Want
    | Probed
    | Release
    | Attempt
    | Failed
    | Proved
    | Reloaded
    | Recorded
    | Report
    | Spans
    | FromCommand
)
FromDesk = (
    Granted
    | Denied
    | Probe
    | Drop
    | Tried
    | Reload
    | ReloadDone
    | Retire
    | UpgradeDone
    | Record
    | RecordDone
    | Seen
    | SpansTaken
)
Done = ReloadDone | UpgradeDone | RecordDone


def line(word: Word) -> bytes:
    """Write a word as its line."""
    return msgspec.json.encode(word) + b"\n"


class Wire(asyncio.Protocol):
    """One end of a line: a protocol, not a stream, because every connection of a station passes here twice.

    ``hear`` gets each line without its end and may raise ``ValueError``, which ends the line; ``ended`` is called once,
    when it is over.
    """

    def __init__(self, hear: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._hear = hear
        self._ended = ended
        self.rest = b""
        """What was heard of a line whose end is still to come."""
        self._transport: asyncio.Transport | None = None

    @property
    def open(self) -> bool:
        """Whether there is another end."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def peer(self) -> socket.socket:
        """The socket, while the line is open."""
        assert self._transport is not None  # noqa: S101 (asked for in connection_made at the earliest)
        found: socket.socket = self._transport.get_extra_info("socket")
        return found

    @property
    def unread(self) -> int:
        """Bytes said that the other end has not taken."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        self._transport = cast("asyncio.Transport", transport)  # a socket's; uvloop's own class is none of asyncio's

    def data_received(self, data: bytes) -> None:
        """Part of asyncio's protocol."""
        *lines, self.rest = (self.rest + data).split(b"\n")
        try:
            for each in lines:
                self._hear(each)
        except ValueError:
            self.abort()
        if len(self.rest) > LINE_BYTES:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio names it)
        """Part of asyncio's protocol."""
        self._transport = None
        self._ended()

    def say(self, *words: Word) -> None:
        """Say these words at once; nobody hears them when the line is over."""
        if words and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(map(line, words)))

    def close(self) -> None:
        """Hang up once everything said has been taken."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()


async def ask(path: Path, word: FromCommand) -> bytes:
    """Ask the supervisor that listens at ``path`` one thing; return its one line, empty when it hung up.

    The caller bounds the time. Raises ``OSError`` when nobody listens there.
    """
    with short_path(path) as near:
        reader, writer = await asyncio.open_unix_connection(near, limit=LINE_BYTES)
    try:
        writer.write(line(word))
        return await reader.readline()
    finally:
        writer.close()
