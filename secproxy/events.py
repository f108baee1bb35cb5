"""What the proxy noticed, in words a person can act on.

Rules this file keeps:

* A ``Note`` is what the core saw; the journal adds an id and the time, ``CAUSES`` what it means and what to do next.
* Whatever a stranger chose is cut, and its control characters are written out, before it reaches a log or a terminal.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pki.errors import InputError
from pki.names import StationIdentity
from secproxy.causes import CAUSES
from secproxy.kinds import Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CAUSES", "Kind", "Note", "Severity", "Value", "render", "station_name", "written_out"]

SCHEMA_VERSION: Final = 1
TEXT_LENGTH: Final = 256  # characters of any one text in an event; an OCPP techInfo holds 255
NAME_LENGTH: Final = 64  # characters of a station name that is not a valid identity; a valid one has at most 48

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Note:
    """One thing noticed.

    ``cause`` is a key of ``CAUSES``, ``station`` the identity claimed or proved (empty when none is known), ``remote``
    the peer as ``ip:port``, ``evidence`` the facts; no secret may be among them. ``reported`` stands before what
    ``CAUSES`` says where somebody else named the event: a station, by one of the standard's names.
    """

    cause: str
    station: str = ""
    remote: str = ""
    evidence: Mapping[str, Value] = field(default_factory=dict)
    reported: Kind | None = None

    @property
    def kind(self) -> Kind:
        """What it means and how much it weighs."""
        return self.reported or CAUSES[self.cause]

    def __post_init__(self) -> None:
        if self.cause not in CAUSES:
            raise ValueError(f"{self.cause!r} is no cause in CAUSES")


def render(note: Note, id: str, time: dt.datetime) -> dict[str, object]:  # noqa: A002 - the event's own key
    """Write a note as the event's JSON object; ``time`` is aware and comes out in UTC, RFC 3339, microseconds."""
    kind = note.kind
    return {
        "schema_version": SCHEMA_VERSION,
        "id": id,
        "time": time.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "type": kind.type,
        "severity": kind.severity.value,
        "station": station_name(note.station),
        "remote": written_out(note.remote, NAME_LENGTH),
        "cause": note.cause,
        "clause": kind.clause,
        "says": kind.says,
        "advice": kind.advice,
        "evidence": {written_out(name, NAME_LENGTH): _value(value) for name, value in note.evidence.items()},
    }


def station_name(name: str) -> str:
    """Write the name of a station as events tell it, whether it is a valid identity or not."""
    try:
        return StationIdentity.parse(name).text
    except InputError:
        return written_out(name, NAME_LENGTH)


def _value(value: Value) -> Value:
    return written_out(value, TEXT_LENGTH) if isinstance(value, str) else value


def written_out(text: str, limit: int) -> str:
    """Cut a text and write out what is not printable: line breaks, terminal escapes, direction marks, surrogates.

    What it returns is one line in every reader's eyes, and can be encoded in UTF-8.
    """
    cut = text if len(text) <= limit else text[:limit] + "..."
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
