"""The few settings that the authority needs: whose system this is, the name stations dial, where downloads are found.

They stand in ``bollard.toml`` beside the proxy's, which ``secproxy.config`` reads; other tables are left to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pki.errors import InputError
from pki.external import read_external
from pki.names import Host, Organisation
from pki.services import HTTP, URL_LENGTH
from pki.tables import read_tables, shown, split
from pki.waiting import Way, parse_way

if TYPE_CHECKING:
    from pki.external import ExternalIssuer
    from pki.tables import Table, Tables

PUBLIC_URL_LENGTH: Final = 400  # characters; firmware.location has 512 in 1.6 and 2.0.1, our path takes about 70
PATH_LENGTH: Final = 4_096  # characters; PATH_MAX of Linux
TOKEN_LENGTH: Final = 32  # bytes; CK_TOKEN_INFO.label of PKCS#11
SLOT_MOST: Final = 2**64 - 1  # CK_SLOT_ID is an unsigned long
HOURS_LEAST: Final = 4  # hours; backdated by one, half of it gone when renewal is due, and an hour to notice a failure
HOURS_MOST: Final = 398 * 24  # hours; as many as the certificate profile allows at most
KEEP_OLD_DAYS: Final = 30  # days; a month for a station that goes back to its former certificate (A02.FR.10)
KEEP_OLD_DAYS_MOST: Final = 1096  # days; no station certificate lives longer

LOG_FORMATS: Final = ("text", "json")
UNREAD: Final = "unread.example"
"""What stands for a name that cannot be read while the rest of the file is looked at; nothing is ever called so."""
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
    keep_old_days: int = KEEP_OLD_DAYS
    """How long a station's former certificate stays valid after a newer one was seen in use (A02.FR.10)."""
    est: bool = False
    """Whether stations may ask for certificates over EST; off in a home from before it existed."""
    approval: frozenset[Way] = frozenset()
    """The ways of asking that wait for a person's yes."""
    external_issuers: tuple[ExternalIssuer, ...] = ()
    """Authorities of others that issue for us, each one certificate profile."""
    log_format: str = "text"
    """How processes write what they say on stderr: ``text`` for people, ``json`` for programs."""

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
        if slot is not None and not 0 <= slot <= SLOT_MOST:
            raise _wrong_hsm(f"slot = {slot} is no slot number")
        return cls(parse_module(module), parse_token(token), slot)


def parse_module(module: str) -> str:
    """Read the path of a PKCS#11 library; ``InputError("settings.hsm")`` when it is none."""
    if not module.startswith("/") or not module.isprintable() or len(module) > PATH_LENGTH:
        raise _wrong_hsm(f"module = {module[:80]!r} is no absolute path of a PKCS#11 library")
    return module


def parse_token(token: str) -> str:
    """Read the label of a token; ``InputError("settings.hsm")`` when it is none."""
    if not 1 <= len(token.encode()) <= TOKEN_LENGTH or not token.isprintable() or token != token.strip():
        raise _wrong_hsm(f"token = {token[:40]!r} is no label of a token: 1 to {TOKEN_LENGTH} bytes of plain text")
    return token


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """Paths of a PEM chain, leaf first, and of its unencrypted private key: a certificate that others issued for us.

    ``host`` names whom it is presented to: those who ask for that host; without one, everybody.
    """

    certificate: str
    key: str
    host: Host | None = None


def parse_settings(text: str) -> Settings:
    """Read ``bollard.toml``. Raises ``InputError`` with every mistake in what the authority reads as a finding."""
    file = read_tables(text)
    settings = settings_of(file)
    file.settle()
    return settings


def settings_of(file: Tables) -> Settings:
    """Read the tables of the authority; whoever began to read the file settles its mistakes."""
    csms, web, issuing = file.one("csms"), file.one("web"), file.one("issuing")
    return Settings(
        organisation=file.one("organisation").parsed("name", Organisation.parse, UNREAD),
        csms_host=csms.parsed("host", Host.parse, UNREAD),
        public_url=web.parsed("public_url", parse_public_url, f"https://{UNREAD}"),
        status_url=web.parsed("status_url", parse_status_url, "", ""),
        server_certificates=tuple(map(_server_certificate, file.many("server_certificate"))),
        hsm=_hsm(file.one("hsm")) if "hsm" in file.raw else None,
        unsafe_experimental_ml_dsa=file.one("keys").flag("unsafe_experimental_ml_dsa", default=False),
        certificate_hours=_certificate_hours(csms),
        keep_old_days=issuing.number("keep_old_days", KEEP_OLD_DAYS, KEEP_OLD_DAYS_MOST),
        est=file.one("est").flag("enabled", default=False),
        approval=frozenset[Way]().union(*issuing.listed("approval", parse_way)),
        external_issuers=_external_issuers(file.many("external_issuer")),
        log_format=file.one("log").word("format", LOG_FORMATS[0], LOG_FORMATS),
    )


def _certificate_hours(csms: Table) -> int:
    """So short a life that no renewal could keep up with it is none."""
    found = csms.number("certificate_hours", 0, HOURS_MOST)
    if 0 < found < HOURS_LEAST:
        csms.wrong("certificate_hours", f"it is 0 for the certificate profile's days, or {HOURS_LEAST} to {HOURS_MOST}")
    return found


def _external_issuers(tables: list[Table]) -> tuple[ExternalIssuer, ...]:
    found = tuple(map(read_external, tables))
    profiles: set[str] = set()
    for table, issuer in zip(tables, found, strict=True):
        if issuer.certificate_profile in profiles:
            table.wrong("certificate_profile", "two [[external_issuer]] are for it; keep one of them")
        profiles.add(issuer.certificate_profile)
    return found


def _hsm(table: Table) -> Hsm:
    module, token = table.parsed("module", parse_module, "/unread"), table.parsed("token", parse_token, UNREAD)
    return Hsm(module, token, table.number("slot", None, SLOT_MOST) if "slot" in table.raw else None)


def _wrong_hsm(says: str) -> InputError:
    advice = "Correct [hsm] in bollard.toml, or what 'bollard init' was given."
    return InputError("settings.hsm", f"[hsm] {says}", advice)


def _server_certificate(table: Table) -> ServerCertificate:
    return ServerCertificate(
        certificate=table.path("certificate", needed=True),
        key=table.path("key", needed=True),
        host=table.parsed("host", lambda text: Host.parse(text) if text else None, "", ""),
    )


def parse_status_url(url: str) -> str:
    """RFC 5280 8: status over https would need what it is to give; a host and a port, since it stands in certificates.

    RFC 6960 A.1 says the same of OCSP.
    """
    if url and (not _STATUS_URL.fullmatch(url) or len(url) > URL_LENGTH):
        raise InputError(
            "settings.status_url",
            f"web.status_url: {url[:80]!r} is not of the form http://host:port (RFC 5280 8)",
            "Write it like 'http://csms.example.org:8480', or leave it out.",
        )
    return url


def parse_public_url(url: str) -> str:
    """L01.FR.08: firmware travels encrypted, so the address stations fetch it from is https."""
    plain = url.isascii() and url.isprintable() and not any(mark in url for mark in ' ?#@"<>\\')
    try:
        parts, port = split(url, "web.public_url")
    except InputError:
        raise _wrong_public_url("it") from None
    if parts.scheme != "https" or not parts.hostname or port == 0 or not plain or len(url) > PUBLIC_URL_LENGTH:
        raise _wrong_public_url(repr(shown(parts)))
    return url.rstrip("/")


def _wrong_public_url(what: str) -> InputError:
    says = f"web.public_url: {what} is no plain https address (L01.FR.08)"
    return InputError("settings.public_url", says, "Write it like 'https://csms.example.org:8440'.")
