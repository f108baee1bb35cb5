"""Events as strangers might shape them, and readers of each format that know nothing of its writer."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import msgspec
from hypothesis import strategies as st

from secproxy.edge.journal import event_id, event_line
from secproxy.events import CAUSES, Note
from secproxy.export.event import Event, Origin, read_event

NOON = dt.datetime(2026, 6, 1, 12, 0, 0, 5, tzinfo=dt.UTC)
ORIGIN = Origin("csms.example.org", "1.2.3")

nasty = st.text(st.one_of(st.characters(), st.sampled_from('\\"]=|\n\r\t\x00\x1b\x7f\x85\u2028\u202e\udc80 \ufeff')))
values = st.one_of(nasty, st.integers(), st.booleans(), st.none(), st.floats())
notes = st.builds(
    Note, st.sampled_from(sorted(CAUSES)), nasty, nasty, st.dictionaries(nasty, values, max_size=8), st.none()
)


def stored(note: Note) -> Event:
    """A note as it comes back from the journal."""
    return read_event(event_line(note, event_id(NOON, bytes(8)), NOON))


def forged(text: str) -> Event:
    """An event from a journal that somebody edited: every text is his."""
    line = {
        "id": text, "time": NOON, "type": text, "severity": "critical", "station": text, "remote": text, "cause": text,
        "clause": text, "says": text, "advice": text, "evidence": {text: text, "list": [text], "big": 2**80},
    }  # fmt: skip
    return msgspec.convert(line, Event)


events = st.one_of(notes.map(stored), nasty.map(forged))

SAMPLE = stored(
    Note(
        "cert.revoked",
        "CP-001",
        "192.0.2.7:4000",
        {"serial": "4d", "tries": 2, "said": 'a "b" \\c] d=e|f', "shown": True, "ratio": 0.5, "none": None},
    )
)
SIX = stored(Note("cert.revoked", "CP-001", "[2001:db8::7]:4000"))


def is_harmless(line: bytes) -> bool:
    """Whether bytes are UTF-8 on one line with nothing in them that could act on a terminal or a log."""
    return line.decode("utf-8").replace("\ufeff", "").isprintable()


@dataclass(frozen=True, slots=True)
class Syslog:
    """A message of RFC 5424, read by its grammar."""

    priority: int
    time: str
    host: str
    app: str
    message_id: str
    data: dict[str, list[tuple[str, str]]]
    message: str


_HEAD = re.compile(r"<(\d{1,3})>1 (\S+) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) ")
_PARAMETER = re.compile(r' ([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"')
_ELEMENT = re.compile(rf"\[([!#-<>-\\^-~]{{1,32}})((?:{_PARAMETER.pattern})*)\]")


def read_syslog(line: bytes) -> Syslog:
    """Read a message strictly; an assertion fails where the grammar does."""
    text = line.decode()
    head = _HEAD.match(text)
    assert head, text
    rest, data = text[head.end() :], {}
    rest = rest.removeprefix("-")
    while rest.startswith("["):
        element = _ELEMENT.match(rest)
        assert element, rest
        found = _PARAMETER.findall(element[2])
        data[element[1]] = [(name, re.sub(r"\\(.)", r"\1", value)) for name, value in found]
        rest = rest[element.end() :]
    assert rest == "" or rest.startswith(" "), rest
    return Syslog(int(head[1]), head[2], head[3], head[4], head[6], data, rest[1:])


_CEF = re.compile(r"((?:[^\\|]|\\.)*)\|" * 7 + "(.*)")
_PAIR = re.compile(r"(\w+)=((?:[^\\=]|\\.)*)(?: (?=\w+=)|$)")


def read_cef(line: bytes) -> tuple[list[str], dict[str, str]]:
    """Read a line of CEF: its seven fields of the header, and its names with their values."""
    found = _CEF.fullmatch(line.decode())
    assert found, line
    *head, rest = found.groups()
    pairs = list(_PAIR.finditer(rest))
    assert "".join(pair[0] for pair in pairs) == rest, rest
    return [_plain(part) for part in head], {pair[1]: _plain(pair[2]) for pair in pairs}


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
