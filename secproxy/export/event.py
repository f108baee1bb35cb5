"""One stored event, as every format takes it.

Whatever the line said, no text of an ``Event`` holds a line break, a control character or anything else that is not
printable, and none is longer than it may be: so a format has to think of its own special characters alone.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads annotations at run time
import ipaddress
import math
import re
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from secproxy.events import NAME_LENGTH, TEXT_LENGTH, Value, written_out
from secproxy.kinds import Severity  # noqa: TC001 - as above

SENTENCE_LENGTH: Final = 512  # characters of our own sentences; the longest has about 200
EVIDENCE_MOST: Final = 64  # facts of one event; ours have about ten
WIDTH_MOST: Final = 10  # characters that one character takes when it is written out: ``\\U0001f600``
HOST_LENGTH: Final = 255  # RFC 5424 6: HOSTNAME

_NOT_HOST: Final = re.compile(r"[^A-Za-z0-9.:_-]")


@dataclass(frozen=True, slots=True)
class Origin:
    """Who tells: the name of this host, and the version of Bollard."""

    host: str
    version: str

    @classmethod
    def of(cls, host: str, version: str) -> Origin:
        """Make a host's name fit for every format: ASCII letters, digits and ``.:_-``; ``-`` where nothing is left."""
        return cls(_NOT_HOST.sub("", host)[:HOST_LENGTH] or "-", _NOT_HOST.sub("", version)[:NAME_LENGTH] or "-")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event; the fields are those of ``secproxy.events.render``, the time is aware."""

    schema_version: int = 1
    id: str
    time: dt.datetime
    type: str
    severity: Severity
    station: str = ""
    remote: str = ""
    cause: str
    clause: str = ""
    says: str = ""
    advice: str = ""
    evidence: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise ValueError("a time without an offset")
        for name in ("id", "type", "station", "remote", "cause", "clause"):
            _set(self, name, _again(getattr(self, name), NAME_LENGTH))
        for name in ("says", "advice"):
            _set(self, name, written_out(getattr(self, name), SENTENCE_LENGTH))
        facts = list(self.evidence.items())[:EVIDENCE_MOST]
        _set(self, "evidence", {_again(name, NAME_LENGTH): _plain(value) for name, value in facts})

    @property
    def peer(self) -> tuple[str, int] | None:
        """The IP address and port at the other end, where they are known."""
        host, _, port = self.remote.rpartition(":")
        try:
            address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
        except ValueError:
            return None
        return (str(address), int(port)) if port.isascii() and port.isdecimal() and int(port) <= 65_535 else None


def read_event(line: bytes) -> Event:
    """Read one line of the journal; ``ValueError`` when it is no event."""
    return msgspec.json.decode(line, type=Event)


def word(value: Value) -> str:
    """Write a fact as text, the same in every format that has only text."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def _plain(value: object) -> Value:
    """Keep a scalar; of whatever else stands there its text is kept."""
    match value:
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case str():
            return _again(value, TEXT_LENGTH)
        case _:
            return written_out(repr(value), TEXT_LENGTH)


def _again(text: str, limit: int) -> str:
    """Write out what the journal may have cut and written out already: then nothing changes."""
    return written_out(text, limit * WIDTH_MOST + 3)  # its three dots


def _set(event: Event, name: str, value: object) -> None:
    msgspec.structs.force_setattr(event, name, value)  # before anybody has seen it
