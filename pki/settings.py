"""The few settings that the authority needs: whose system this is, the name stations dial, where downloads are found.

They stand in ``bollard.toml`` beside the proxy's, which ``secproxy.config`` reads; other tables are left to it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pki.errors import InputError
from pki.external import parse_external
from pki.names import Host, Organisation
from pki.services import HTTP, URL_LENGTH
from pki.toml_text import read_toml
from pki.waiting import parse_approval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pki.external import ExternalIssuer
    from pki.waiting import Way

PUBLIC_URL_LENGTH: Final = 400  # characters; firmware.location has 512 in 1.6 and 2.0.1, our path takes about 70
PATH_LENGTH: Final = 4_096  # characters; PATH_MAX of Linux
TOKEN_LENGTH: Final = 32  # bytes; CK_TOKEN_INFO.label of PKCS#11
SLOT_MOST: Final = 2**64 - 1  # CK_SLOT_ID is an unsigned long
HOURS_LEAST: Final = 4  # hours; backdated by one, half of it gone when renewal is due, and an hour to notice a failure
HOURS_MOST: Final = 398 * 24  # hours; as many as the certificate profile allows at most
KEEP_OLD_DAYS_MOST: Final = 1096  # days; no station certificate lives longer

LOG_FORMATS: Final = ("text", "json")
_ADVICE: Final = "Correct bollard.toml in the home folder."
_STATUS_URL: Final = re.compile(HTTP)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the authority, as used."""

    organisation: Organisation
    csms_host: Host
    public_url: str
    """Where stations reach the web process: https, no path ending in a slash, no query."""
    status_url: str = ""
    """Where anybody finds lists of revoked certificates and OCSP answers: http, no path; empty: nowhere."""
    server_certificates: tuple[ServerCertificate, ...] = ()
    """What listeners present instead of our own certificates; empty: our own."""
    hsm: Hsm | None = None
    """The token that holds CA keys; ``None``: all keys are files."""
    unsafe_experimental_ml_dsa: bool = False
    """Whether authorities may have ML-DSA keys, which no station can verify yet."""
    certificate_hours: int = 0
    """How long our own server certificates live (A00.FR.701); 0 takes the certificate profile's days."""
    keep_old_days: int = 30
    """How long a station's former certificate stays valid after a newer one was seen in use (A02.FR.10)."""
    est: bool = False
    """Whether stations may ask for certificates over EST; off in a home from before it existed."""
    approval: frozenset[Way] = frozenset()
    """The ways of asking that wait for a person's yes."""
    external_issuers: tuple[ExternalIssuer, ...] = ()
    log_format: str = "text"
    """How processes write what they say on stderr: ``text`` for people, ``json`` for programs."""
    """Authorities of others that issue for us, each one certificate profile."""

    def in_certificates(self) -> dict[str, str]:
        """Return by name what decides over what certificates say, or by which kinds of key they are signed."""
        return {
            "organisation.name": self.organisation.text,
            "csms.host": self.csms_host.text,
            "csms.certificate_hours": str(self.certificate_hours),
            "web.status_url": self.status_url,
            "keys.unsafe_experimental_ml_dsa": str(self.unsafe_experimental_ml_dsa).lower(),
        }


@dataclass(frozen=True, slots=True)
class Hsm:
    """Where a PKCS#11 token is: the path of its module, its label, and the slot where labels repeat. No PIN is here."""

    module: str
    token: str
    slot: int | None = None

    @classmethod
    def parse(cls, module: str, token: str, slot: int | None = None) -> Hsm:
        """Read what names a token; ``InputError("settings.hsm")`` when it cannot."""
        if not module.startswith("/") or not module.isprintable() or len(module) > PATH_LENGTH:
            raise _wrong_hsm(f"module = {module[:80]!r} is no absolute path of a PKCS#11 library")
        if not 1 <= len(token.encode()) <= TOKEN_LENGTH or not token.isprintable() or token != token.strip():
            raise _wrong_hsm(f"token = {token[:40]!r} is no label of a token: 1 to {TOKEN_LENGTH} bytes of plain text")
        if slot is not None and not 0 <= slot <= SLOT_MOST:
            raise _wrong_hsm(f"slot = {slot} is no slot number")
        return cls(module, token, slot)


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """Paths of a PEM chain, leaf first, and of its unencrypted private key: a certificate that others issued for us.

    ``host`` names whom it is presented to: those who ask for that host; without one, everybody.
    """

    certificate: str
    key: str
    host: Host | None = None


def parse_settings(text: str) -> Settings:
    """Read ``bollard.toml``. Raises ``InputError("settings.…")`` naming the key."""
    try:
        tables = read_toml(text)
    except tomllib.TOMLDecodeError as problem:
        raise InputError("settings.unreadable", f"bollard.toml is no TOML: {str(problem)[:120]}", _ADVICE) from None
    return Settings(
        organisation=Organisation.parse(_text(tables, "organisation", "name")),
        csms_host=Host.parse(_text(tables, "csms", "host")),
        public_url=_public_url(_text(tables, "web", "public_url")),
        status_url=parse_status_url(_text(tables, "web", "status_url", "")),
        server_certificates=tuple(_server_certificate(table) for table in _array(tables, "server_certificate")),
        hsm=_hsm(tables),
        unsafe_experimental_ml_dsa=_flag(tables, "keys", "unsafe_experimental_ml_dsa"),
        certificate_hours=_whole(tables, ("csms", "certificate_hours"), 0, range(HOURS_LEAST, HOURS_MOST + 1)),
        keep_old_days=_whole(tables, ("issuing", "keep_old_days"), 30, range(KEEP_OLD_DAYS_MOST + 1)),
        est=_flag(tables, "est", "enabled"),
        approval=parse_approval(_words(tables, "issuing", "approval")),
        external_issuers=_external_issuers(_array(tables, "external_issuer")),
        log_format=_log_format(_text(tables, "log", "format", "text")),
    )


def _log_format(text: str) -> str:
    if text not in LOG_FORMATS:
        raise InputError("settings.log", f"[log] format is none of {', '.join(LOG_FORMATS)}", _ADVICE)
    return text


def _external_issuers(tables: list[object]) -> tuple[ExternalIssuer, ...]:
    found = tuple(parse_external(table) for table in tables)
    profiles = [issuer.certificate_profile for issuer in found]
    if len(set(profiles)) < len(profiles):
        raise InputError(
            "settings.external_issuer", "two [[external_issuer]] are for one certificate_profile", "Keep one of them."
        )
    return found


def _words(tables: Mapping[str, object], table: str, key: str) -> list[object]:
    value = _value(tables, table, key)
    if value is not None and not isinstance(value, list):
        raise InputError("settings.type", f"[{table}] {key} is no list of words", _ADVICE)
    return value or []


def _value(tables: Mapping[str, object], table: str, key: str) -> object:
    found = tables.get(table, {})
    return found.get(key) if isinstance(found, dict) else None


def _hsm(tables: Mapping[str, object]) -> Hsm | None:
    table = tables.get("hsm")
    if table is None:
        return None
    slot = table.get("slot") if isinstance(table, dict) else None
    if slot is not None and (not isinstance(slot, int) or isinstance(slot, bool)):
        raise InputError("settings.type", "[hsm] slot is no whole number", _ADVICE)
    return Hsm.parse(_text(tables, "hsm", "module"), _text(tables, "hsm", "token"), slot)


def _flag(tables: Mapping[str, object], table: str, key: str) -> bool:
    found = tables.get(table, {})
    value = found.get(key, False) if isinstance(found, dict) else None
    if not isinstance(value, bool):
        raise InputError("settings.type", f"[{table}] {key} is neither true nor false", _ADVICE)
    return value


def _wrong_hsm(says: str) -> InputError:
    advice = "Correct [hsm] in bollard.toml, or what 'bollard init' was given."
    return InputError("settings.hsm", f"[hsm] {says}", advice)


def _array(tables: Mapping[str, object], name: str) -> list[object]:
    found = tables.get(name, [])
    if not isinstance(found, list):
        raise InputError("settings.type", f"write [[{name}]], with two brackets", _ADVICE)
    return found


def _server_certificate(table: object) -> ServerCertificate:
    named = {"server_certificate": table}
    host = _text(named, "server_certificate", "host", "")
    return ServerCertificate(
        certificate=_path(named, "server_certificate", "certificate"),
        key=_path(named, "server_certificate", "key"),
        host=Host.parse(host) if host else None,
    )


def _path(tables: Mapping[str, object], table: str, key: str) -> str:
    """A relative one would lead each process, and whoever runs a command, somewhere else."""
    found = _text(tables, table, key)
    if not found.startswith("/"):
        raise InputError("settings.type", f"[{table}] {key} is no absolute path", _ADVICE)
    return found


def _text(tables: Mapping[str, object], table: str, key: str, default: str | None = None) -> str:
    found = tables.get(table, {})
    value = found.get(key, default) if isinstance(found, dict) else None
    if value is None:
        raise InputError("settings.missing", f"bollard.toml lacks [{table}] {key}", _ADVICE)
    if not isinstance(value, str):
        raise InputError("settings.type", f"[{table}] {key} is not text", _ADVICE)
    return value


def parse_status_url(url: str) -> str:
    """RFC 5280 8: status over https would need what it is to give; a host and a port, since it stands in certificates.

    RFC 6960 A.1 says the same of OCSP.
    """
    if url and (not _STATUS_URL.fullmatch(url) or len(url) > URL_LENGTH):
        raise InputError(
            "settings.status_url",
            f"[web] status_url = {url[:80]!r} is not of the form http://host:port (RFC 5280 8)",
            "Write it like 'http://csms.example.org:8480', or leave it out.",
        )
    return url


def _whole(tables: Mapping[str, object], key: tuple[str, str], default: int, bounds: range) -> int:
    """Read a whole number that may be left out."""
    found = tables.get(key[0], {})
    value = found.get(key[1], default) if isinstance(found, dict) else default
    if not isinstance(value, int) or isinstance(value, bool) or (value != default and value not in bounds):
        says = f"[{key[0]}] {key[1]} is no whole number from {bounds[0]} to {bounds[-1]}"
        raise InputError("settings.number", says, _ADVICE)
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
