"""Words on the command line that mean more than their letters: names, lengths of time, addresses.

Each is parsed once, before the command runs, into a type that cannot be wrong.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final, TypeVar

import click

from pki.errors import InputError
from pki.names import CertificateSerial, Host, Organisation, ProtocolVersion, StationIdentity, StationSerial
from pki.server_name import parse_server_name

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SPAN_MOST: Final = 3_155_760_000  # seconds; a hundred years, so that no time counted from now leaves the calendar
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}  # seconds
_SPAN: Final = re.compile(r"([0-9]{1,6})([smhdw])")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d))?", re.ASCII | re.IGNORECASE)


class Parsed(click.ParamType[T]):
    """A word with a parser of its own; what the parser refuses, the command refuses."""

    def __init__(self, name: str, parse: Callable[[str], T]) -> None:
        self.name = name
        self.parse = parse

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> T:  # noqa: ARG002 - click's
        """Parse the word as typed."""
        return self.parse(str(value))


def parse_span(text: str) -> dt.timedelta:
    """Read a length of time: a number and one of s, m, h, d, w."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise InputError("usage.span", f"{text[:40]!r} is no length of time", "Write it like 90s, 15m, 1h, 30d or 4w.")
    seconds = int(found[1]) * _UNITS[found[2]]
    if seconds > SPAN_MOST:
        raise InputError("usage.span", f"{text!r} is more than a hundred years", "Give a shorter time.")
    return dt.timedelta(seconds=seconds)


def parse_when(text: str) -> dt.timedelta | dt.datetime:
    """Read a moment, or a length of time, which stands for the moment that long ago."""
    if "-" in text:
        return parse_time(text)
    if _SPAN.fullmatch(text):
        return parse_span(text)
    says = f"{text[:40]!r} is neither a length of time nor a time"
    raise InputError("usage.span", says, "Write it like 90s, 15m, 1h or 30d, or like 2026-11-22T12:00:00Z.")


def parse_listen(text: str) -> tuple[str, int]:
    """Read ``ADDRESS=PROFILE``, for example ``0.0.0.0:8443=3``; the address is judged where the configuration is."""
    address, _, profile = text.rpartition("=")
    if not address or profile not in {"2", "3"}:  # 1 has no TLS and is not served, as in bollard.toml
        says = f"{text[:80]!r} is no listener of security profile 2 or 3"
        raise InputError("usage.listen", says, "Write ADDRESS:PORT=PROFILE, for example 0.0.0.0:8443=3.")
    return address, int(profile)


def parse_time(text: str) -> dt.datetime:
    """Read a moment as RFC 3339 writes it, with Z or an offset, or a date, which stands for its first second in UTC."""
    try:
        if _TIME.fullmatch(text):
            moment = dt.datetime.fromisoformat(text.upper())
            return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        pass
    says = f"{text[:40]!r} is no time"
    raise InputError("usage.time", says, "Write it like 2026-11-22T12:00:00Z or 2026-11-22T13:00:00+01:00.")


SPAN: Final = Parsed("span", parse_span)
TIME: Final = Parsed("time", parse_time)
WHEN: Final = Parsed("span or time", parse_when)
NAME: Final = Parsed("name", parse_server_name)
LISTEN: Final = Parsed("address=profile", parse_listen)
PROFILE: Final = click.Choice(["1", "2", "3"])
KEY_KIND: Final = click.Choice(
    ["ec-p256", "ec-p384", "ec-p521", "rsa-2048", "rsa-3072", "rsa-4096", "ed25519", "ed448"]
)
PADDING: Final = click.Choice(["pkcs1", "pss"])
PURPOSE: Final = click.Choice(
    ["station", "firmware", "csms", "V2GRootCertificate", "MORootCertificate", "OEMRootCertificate"]
)
HIERARCHY: Final = click.Choice(["root", "csms", "station", "operator", "manufacturer", "v2g"])
IMPORTED: Final = click.Choice(
    ["root", "csms", "station", "operator", "manufacturer", "v2g-root", "v2g-sub1", "v2g-sub2"]
)
PROTOCOL: Final = Parsed("version", ProtocolVersion.parse)
IDENTITY: Final = Parsed("identity", StationIdentity.parse)
SERIAL: Final = Parsed("serial", StationSerial.parse)
CERTIFICATE_SERIAL: Final = Parsed("serial", CertificateSerial.parse)
HOST: Final = Parsed("host", Host.parse)
ORGANISATION: Final = Parsed("name", Organisation.parse)
