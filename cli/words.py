"""Words on the command line that mean more than their letters: names, lengths of time, addresses.

Each is parsed once, before the command runs, into a type that cannot be wrong.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final, TypeVar

import click

from pki.errors import InputError
from pki.names import CertificateSerial, Host, Organisation, StationIdentity, StationSerial

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

SPAN_MOST: Final = 3_155_760_000  # seconds; a hundred years, so that no time counted from now leaves the calendar
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}  # seconds
_SPAN: Final = re.compile(r"([0-9]{1,6})([smhdw])")


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


def parse_listen(text: str) -> tuple[str, int]:
    """Read ``ADDRESS=PROFILE``, for example ``0.0.0.0:8443=3``; the address is judged where the configuration is."""
    address, _, profile = text.rpartition("=")
    if not address or profile not in {"2", "3"}:  # 1 has no TLS and is not served, as in bollard.toml
        says = f"{text[:80]!r} is no listener of security profile 2 or 3"
        raise InputError("usage.listen", says, "Write ADDRESS:PORT=PROFILE, for example 0.0.0.0:8443=3.")
    return address, int(profile)


SPAN: Final = Parsed("span", parse_span)
LISTEN: Final = Parsed("address=profile", parse_listen)
PROFILE: Final = click.Choice(["1", "2", "3"])
KEY_KIND: Final = click.Choice(
    ["ec-p256", "ec-p384", "ec-p521", "rsa-2048", "rsa-3072", "rsa-4096", "ed25519", "ed448"]
)
PADDING: Final = click.Choice(["pkcs1", "pss"])
PURPOSE: Final = click.Choice(["station", "firmware", "csms"])
IDENTITY: Final = Parsed("identity", StationIdentity.parse)
SERIAL: Final = Parsed("serial", StationSerial.parse)
CERTIFICATE_SERIAL: Final = Parsed("serial", CertificateSerial.parse)
HOST: Final = Parsed("host", Host.parse)
ORGANISATION: Final = Parsed("name", Organisation.parse)
