"""An authority of others that issues certificates on our behalf, as for ISO 15118: how it is named in the settings.

We stand between the station and it (a registration authority, RFC 7030 2.6): we judge the request first, so that
nothing is forwarded that would come back as a certificate nobody can use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from pki.errors import InputError
from pki.findings import Finding, error
from pki.names import SeccId
from pki.strength import name_key
from pki.v2g import RULES, V2gRules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

URL_LENGTH: Final = 400  # characters; far above any address that is typed

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_REQUIRED: Final = frozenset({"name", "kind", "url", "anchor", "certificate_profile"})
_PAIRS: Final = (("client_certificate", "client_key"), ("user", "password_file"))
KEYS: Final = _REQUIRED | {"chain_anchor"} | {key for pair in _PAIRS for key in pair}
"""The keys of one ``[[external_issuer]]``."""
_FILES: Final = KEYS & {"anchor", "chain_anchor", "client_certificate", "client_key", "password_file"}
_RULES_BY_PROFILE: Final = {f"v2g-secc-{edition}": rules for edition, rules in RULES.items()}
_ADVICE: Final = "Correct [[external_issuer]] in bollard.toml."


@dataclass(frozen=True, slots=True)
class ExternalIssuer:
    """An external authority, as used. Paths are files; an empty text is one that was not given."""

    name: str
    url: str
    """Up to and with ``/.well-known/est`` and a label, if it has one; no slash at the end."""
    certificate_profile: str
    anchor: str
    """PEM file: whom its server's certificate must come from. Nothing else is trusted."""
    chain_anchor: str
    """PEM file: the root that what it issues must end in."""
    client_certificate: str = ""
    client_key: str = ""
    user: str = ""
    password_file: str = ""


def parse_external(table: object) -> ExternalIssuer:
    """Read one ``[[external_issuer]]``. Raises ``InputError("settings.external_issuer")`` naming the key."""
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise _wrong("every key of it is a text in quotes")
    given = cast("Mapping[str, str]", table)
    for key in sorted(given.keys() - KEYS):
        raise _wrong(f"{key[:40]!r} is no key of it; it has {', '.join(sorted(KEYS))}")
    for key in sorted(_REQUIRED - given.keys()):
        raise _wrong(f"{key} is missing")
    if given["kind"] != "est" or not _NAME.fullmatch(given["name"]):
        raise _wrong("kind is \"est\", and name is of lower-case letters, digits and '-'")
    _refuse_halves(given)
    _refuse_relative(given)
    rest = {key: value for key, value in given.items() if key not in {"kind", "url"}}
    return ExternalIssuer(**{"chain_anchor": given["anchor"], **rest, "url": _url(given["url"])})


def examine_vehicle_side(profile: str, names: tuple[str, ...], key: CertificatePublicKeyTypes) -> list[Finding]:
    """Find what is wrong with a request for a certificate towards vehicles (A00.FR.513); other profiles have no rules
    here. ``names`` are its common names."""
    rules = _RULES_BY_PROFILE.get(profile)
    return [] if rules is None else [*_examine_secc_id(names, rules.subject_clause), *_examine_kind(key, rules)]


def _examine_secc_id(names: tuple[str, ...], clause: str) -> list[Finding]:
    if len(names) != 1:
        return [error("csr.secc_id", clause, f"it has {len(names)} common names; exactly one is due, the SECCID")]
    try:
        SeccId.parse(names[0])
    except InputError as wrong:
        return [error("csr.secc_id", clause, wrong.cause)]
    return []


def _examine_kind(key: CertificatePublicKeyTypes, rules: V2gRules) -> list[Finding]:
    if name_key(key) in rules.keys:
        return []
    says = f"its key is of kind {name_key(key)}; vehicles take {' or '.join(rules.keys)}"
    return [error("alg.unsupported", rules.keys_clause, says)]


def _refuse_halves(given: Mapping[str, str]) -> None:
    """Whoever asks says who it is: by certificate and key, or by user and password."""
    whole = [pair for pair in _PAIRS if all(given.get(key) for key in pair)]
    halves = [pair for pair in _PAIRS if pair not in whole and any(given.get(key) for key in pair)]
    if halves or not whole:
        raise _wrong("give client_certificate and client_key, or user and password_file, each pair whole")
    if ":" in given.get("user", "") or not given.get("user", "x").isprintable():
        raise _wrong("user holds a colon or what cannot be printed (RFC 7617 2)")


def _refuse_relative(given: Mapping[str, str]) -> None:
    """A relative path would lead each process, and whoever runs a command, somewhere else."""
    for key in sorted(_FILES & given.keys()):
        if not given[key].startswith("/"):
            raise _wrong(f"{key} is no absolute path")


def _url(url: str) -> str:
    try:
        parts = urlsplit(url)
        whole = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        whole = False
    plain = url.isascii() and url.isprintable() and not any(mark in url for mark in ' ?#@"<>\\')
    if not whole or not plain or len(url) > URL_LENGTH or "/.well-known/est" not in url:
        raise _wrong("url is not of the form https://HOST/.well-known/est (RFC 7030 3.2.2)")
    return url.rstrip("/")


def _wrong(says: str) -> InputError:
    return InputError("settings.external_issuer", f"[[external_issuer]]: {says}", _ADVICE)
