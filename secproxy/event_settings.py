"""What ``bollard.toml`` says about security events: how long they are kept, where they are sent, when they alarm.

Each kind of sink has its own keys, and one that does nothing for a kind is refused, as is a type or a cause that no
event can have: a slip of the pen must not look like a quiet night.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict
from urllib.parse import urlsplit

from pki.errors import InputError
from pki.names import Host
from pki.tables import meant, read_tables, wrong
from secproxy.alerts import CAUSE, AlertRule
from secproxy.causes import CAUSES
from secproxy.export.formats import FORMATS
from secproxy.kinds import RANKS, Severity
from secproxy.standard_events import STANDARD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pki.tables import Table, Tables
    from secproxy.export.event import Event

MIB: Final = 1024 * 1024  # bytes
KEEP_DAYS_MOST: Final = 36_525  # days; a century
KEEP_ROWS: Final = 500_000  # events; a fleet of 10,000 stations at 50 events each
KEEP_MIB: Final = 1_024  # MiB of events.db in use; KEEP_ROWS events of 2 KiB each
ROTATE_MIB: Final = 256  # MiB of a sink's file before it is set aside; two such files are the most it takes
SINKS_MOST: Final = 16  # each reads every event
ALERTS_MOST: Final = 64  # each looks at every event
COUNT_MOST: Final = 1_000  # events that an alert counts
WITHIN_MOST: Final = 604_800  # seconds of an alert's window; a week

_COMMON: Final = frozenset({"name", "kind", "severity", "types", "causes"})
_TLS: Final = frozenset({"ca_file", "certificate", "key"})
_KEYS: Final[Mapping[str, frozenset[str]]] = {  # by kind
    "file": _COMMON | {"path", "format", "rotate_mib"},
    "syslog-udp": _COMMON | {"address", "format"},
    "syslog-tcp": _COMMON | {"address", "format"},
    "syslog-tls": _COMMON | {"address", "format"} | _TLS,
    "webhook": _COMMON | {"url", "secret_file", "token_file"} | _TLS,
    "otlp": _COMMON | {"url", "token_file"} | _TLS,
}
EVENT_TABLES: Final[Mapping[str, frozenset[str]]] = {
    "events": frozenset({"keep_days", "keep_rows", "keep_mib"}),
    "event_sink": frozenset().union(*_KEYS.values()),
    "alert": frozenset({"name", "type", "cause", "per", "count", "within"}),
}
TYPES: Final = {kind.type for kind in CAUSES.values()} | {
    known.kind.type for names in STANDARD.values() for known in names.values()
}
"""Every type that an event can have."""
_ON_SYSLOG: Final = tuple(name for name in FORMATS if name != "otlp")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_TARGET: Final = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class Retention:
    """How much ``events.db`` keeps: days (0: no bound by age), events, and bytes."""

    keep_days: int = 0
    keep_rows: int = KEEP_ROWS
    keep_bytes: int = KEEP_MIB * MIB


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events a sink takes: this severity or a worse one, of these types, with these causes; empty: of all."""

    severity: Severity = Severity.INFO
    types: frozenset[str] = frozenset()
    causes: frozenset[str] = frozenset()

    def accepts(self, event: Event) -> bool:
        """Tell whether an event passes."""
        named = (not self.types or event.type in self.types) and (not self.causes or event.cause in self.causes)
        return named and RANKS[event.severity] >= RANKS[self.severity]


@dataclass(frozen=True, slots=True)
class Sink:
    """One place that events are sent to. Which of the fields below ``wanted`` are used depends on ``kind``."""

    name: str
    kind: str
    wanted: Wanted
    format: str = ""
    path: str = ""
    rotate_mib: int = ROTATE_MIB
    host: str = ""
    port: int = 0
    target: str = ""
    """The URL's path and query."""
    tls: bool = False
    ca_file: str = ""
    certificate: str = ""
    key: str = ""
    secret_file: str = ""
    token_file: str = ""


class Files(TypedDict):
    """The files that a collector is reached with, by key; an empty text is one that was not given."""

    ca_file: str
    certificate: str
    key: str
    token_file: str


@dataclass(frozen=True, slots=True)
class EventSettings:
    """All that is said about events."""

    retention: Retention = Retention()
    sinks: tuple[Sink, ...] = ()
    alerts: tuple[AlertRule, ...] = ()


def parse_event_settings(text: str) -> EventSettings:
    """Read them out of ``bollard.toml``. Raises ``InputError`` with every mistake as a finding."""
    file = read_tables(text)
    settings = read_event_settings(file)
    file.settle()
    return settings


def read_event_settings(file: Tables) -> EventSettings:
    """Read them out of the file's tables; what is wrong with them is noted."""
    kept = file.one("events")
    kept.only(EVENT_TABLES["events"])
    sinks, alerts = _named_apart(file, "event_sink", SINKS_MOST), _named_apart(file, "alert", ALERTS_MOST)
    return EventSettings(_retention(kept), tuple(map(_sink, sinks)), tuple(map(_alert, alerts)))


def _named_apart(file: Tables, name: str, most: int) -> list[Table]:
    """Take the tables of this name, each of which has a name of its own."""
    tables = file.many(name)
    if len(tables) > most:
        file.wrong(name, f"there are {len(tables)} of them, and {most} at most are taken")
        return []
    names = [table.raw.get("name") for table in tables]
    for number, table in enumerate(tables):
        if names[number] is not None and names[number] in names[:number]:
            table.wrong("name", f"another [[{name}]] has this name; choose one of its own")
    return tables


def _retention(table: Table) -> Retention:
    return Retention(
        keep_days=table.number("keep_days", 0, KEEP_DAYS_MOST),
        keep_rows=table.number("keep_rows", KEEP_ROWS, 100_000_000, least=1_000),
        keep_bytes=table.number("keep_mib", KEEP_MIB, 1_048_576, least=16) * MIB,
    )


def _sink(table: Table) -> Sink:
    kind, name, wanted = table.word("kind", None, _KEYS), _named(table), _wanted(table)
    if not table.sound("kind"):
        return Sink(name, kind, wanted)  # what else belongs there is not known
    table.only(_KEYS[kind], f" of kind {kind}")
    host, port, target, tls = _place(table, kind)
    return Sink(
        name=name,
        kind=kind,
        wanted=wanted,
        format=_format(table, kind),
        path=table.path("path", needed=kind == "file"),
        rotate_mib=table.number("rotate_mib", ROTATE_MIB, 1_048_576),
        host=host,
        port=port,
        target=target,
        tls=tls,
        secret_file=table.path("secret_file", needed=kind == "webhook"),
        **read_files(table),
    )


def read_files(table: Table) -> Files:
    """Read the files that a collector is reached with."""
    if bool(table.raw.get("certificate")) is not bool(table.raw.get("key")):
        table.wrong("key", "certificate and key go together; write both, or neither", "certificate")
    return Files(
        ca_file=table.path("ca_file"),
        certificate=table.path("certificate"),
        key=table.path("key"),
        token_file=table.path("token_file"),
    )


def _format(table: Table, kind: str) -> str:
    if "format" not in _KEYS[kind]:
        return ""
    return table.word("format", "jsonl", FORMATS) if kind == "file" else table.word("format", "rfc5424", _ON_SYSLOG)


def _wanted(table: Table) -> Wanted:
    severity = Severity(table.word("severity", Severity.INFO.value, [each.value for each in Severity]))
    return Wanted(severity, table.words("types", TYPES), table.words("causes", CAUSES))


def _alert(table: Table) -> AlertRule:
    table.only(EVENT_TABLES["alert"])
    kind, cause = table.text("type", ""), table.text("cause", "")
    counted = "type" if kind else "cause"
    if bool(kind) is bool(cause):
        table.wrong("type", "an alert has either a type or a cause; write one of the two", "cause")
    elif (given := kind or cause) not in (known := TYPES if kind else CAUSES.keys()):
        table.wrong(counted, f"{given[:60]!r} is not known{meant(given, known)}")
    if cause == CAUSE or kind == CAUSES[CAUSE].type:
        table.wrong(counted, "an alert cannot count alerts")
    return AlertRule(
        name=_named(table),
        type=kind,
        cause=cause,
        count=table.number("count", None, COUNT_MOST, least=1),
        within=table.number("within", None, WITHIN_MOST, least=1),
        each_station=table.word("per", "station", ("station", "all")) == "station",
    )


def _named(table: Table) -> str:
    name = table.text("name")
    if not _NAME.fullmatch(name):
        table.wrong("name", f"{name[:60]!r} is not of small letters, digits and dashes, at most 40")
    return name


def _place(table: Table, kind: str) -> tuple[str, int, str, bool]:
    """Read where a sink listens: host, port, what is asked for there, and whether over TLS."""
    if kind == "file":
        return "", 0, "", False
    if kind.startswith("syslog"):
        host, port = table.parsed("address", _address, "unread.example:1")
        return host, port, "", kind == "syslog-tls"
    return table.parsed("url", lambda url: read_url(url, "event_sink.url"), "https://unread.example")


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    try:
        return _host(host.removeprefix("[").removesuffix("]")), _port(port)
    except (InputError, ValueError):
        says = f"{text[:80]!r} is not of the form syslog.example.org:6514 or [::1]:6514"
        raise wrong("event_sink.address", says) from None


def read_url(text: str, key: str) -> tuple[str, int, str, bool]:
    """Read a URL: host, port, path with query, and whether over TLS.

    What is sent may hold what must not be read on the way, so plain http is for this host alone. ``InputError`` names
    the key.
    """
    try:
        parts = urlsplit(text)
        host, port = _host(parts.hostname or ""), parts.port
    except (InputError, ValueError):
        raise wrong(key, "it is not of the form https://host/path") from None
    target = f"{parts.path or '/'}{f'?{parts.query}' * bool(parts.query)}"
    plain = parts.username is None and not parts.fragment and _TARGET.fullmatch(target)
    if parts.scheme not in {"https", "http"} or not plain or port == 0:
        raise wrong(key, "it is not of the form https://host/path, without user and fragment")
    if parts.scheme == "http" and not _is_loopback(host):
        raise wrong(key, "http is for a program on this host alone; write https")
    return host, port or (443 if parts.scheme == "https" else 80), target, parts.scheme == "https"


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return Host.parse(text).text


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 65_535:
        raise ValueError(text)
    return int(text)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
