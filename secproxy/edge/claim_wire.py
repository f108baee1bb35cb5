"""What workers and the supervisor say to each other about who may have which station's connection, who may
offer a password.

One JSON object a line over the Unix socket ``run/claims.sock``; ``says`` names the record. Bytes are base64 there. The
rules stand in ``secproxy.claims`` and ``secproxy.lockout``; these are the words, and ``line_end`` carries them.

Workers report what they have counted over the same line (``Report``), and whoever wants to see how the house stands
connects, says ``Look`` and is told ``Seen``. Spans go the same way: ``Spans``, ``TakeSpans``, ``SpansTaken``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec


class Word(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="says", tag=str.lower):
    """One line."""


BEQUEST_FORM: Final = 1
"""Of what a worker hands on. Who changes what it says makes another form; those of another are left alone."""


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


class Retire(Word, frozen=True, omit_defaults=True):
    """Others take your place: accept no more, let in who is on the way, let all go in their turn, and end. ``heir`` is
    the form in which they read what you know; 0 where they read none, and whenever you are older than this."""

    heir: int = 0


class Bequeath(Word, frozen=True):
    """A worker that retires tells what it knows to the one that takes its place, through the desk, which reads none."""

    form: int
    known: msgspec.Raw


class AskReload(Word, frozen=True, omit_defaults=True):
    """A command asks that ``bollard.toml`` be read again, or, ``dry``, what would become of that."""

    dry: bool = False


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
    | Bequeath
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
    | Bequeath
    | UpgradeDone
    | Record
    | RecordDone
    | Seen
    | SpansTaken
)
Done = ReloadDone | UpgradeDone | RecordDone
