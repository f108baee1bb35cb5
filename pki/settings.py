"""The few settings that the authority needs: whose system this is, the name stations dial, where downloads are found.

They stand in ``bollard.toml`` beside the proxy's, which ``secproxy.config`` reads; other tables are left to it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pki.errors import InputError
from pki.names import Host, Organisation

if TYPE_CHECKING:
    from collections.abc import Mapping

PUBLIC_URL_LENGTH: Final = 400  # characters; firmware.location has 512 in 1.6 and 2.0.1, our path takes about 70

_ADVICE: Final = "Correct bollard.toml in the home folder."


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the authority, as used."""

    organisation: Organisation
    csms_host: Host
    public_url: str
    """Where stations reach the web process: https, no path ending in a slash, no query."""
    server_certificates: tuple[ServerCertificate, ...] = ()
    """What listeners present instead of our own certificates; empty: our own."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """Paths of a PEM chain, leaf first, and of its unencrypted private key: a certificate that others issued for us."""

    certificate: str
    key: str


def parse_settings(text: str) -> Settings:
    """Read ``bollard.toml``. Raises ``InputError("settings.…")`` naming the key."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise InputError("settings.unreadable", f"bollard.toml is no TOML: {str(problem)[:120]}", _ADVICE) from None
    return Settings(
        organisation=Organisation.parse(_text(tables, "organisation", "name")),
        csms_host=Host.parse(_text(tables, "csms", "host")),
        public_url=_public_url(_text(tables, "web", "public_url")),
        server_certificates=tuple(_server_certificate(table) for table in _array(tables, "server_certificate")),
    )


def _array(tables: Mapping[str, object], name: str) -> list[object]:
    found = tables.get(name, [])
    if not isinstance(found, list):
        raise InputError("settings.type", f"write [[{name}]], with two brackets", _ADVICE)
    return found


def _server_certificate(table: object) -> ServerCertificate:
    named = {"server_certificate": table}
    return ServerCertificate(
        certificate=_text(named, "server_certificate", "certificate"), key=_text(named, "server_certificate", "key")
    )


def _text(tables: Mapping[str, object], table: str, key: str) -> str:
    found = tables.get(table, {})
    value = found.get(key) if isinstance(found, dict) else None
    if value is None:
        raise InputError("settings.missing", f"bollard.toml lacks [{table}] {key}", _ADVICE)
    if not isinstance(value, str):
        raise InputError("settings.type", f"[{table}] {key} is not text", _ADVICE)
    return value


def _public_url(url: str) -> str:
    """L01.FR.08: firmware travels encrypted, so the address stations fetch it from is https."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    plain = url.isascii() and url.isprintable() and not any(mark in url for mark in ' ?#@"<>\\')
    if not whole or not plain or len(url) > PUBLIC_URL_LENGTH:
        raise InputError(
            "settings.public_url",
            f"[web] public_url = {url[:80]!r} is no plain https address (L01.FR.08)",
            "Write it like 'https://csms.example.org:8440'.",
        )
    return url.rstrip("/")
