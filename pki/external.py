"""An authority of others that issues certificates on our behalf, as for ISO 15118: how it is named in the settings.

We stand between the station and it (a registration authority, RFC 7030 2.6): we judge the request first, so that
nothing is forwarded that would come back as a certificate nobody can use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pki.errors import InputError
from pki.findings import Finding, error
from pki.names import SeccId
from pki.strength import name_key
from pki.v2g import RULES, V2gRules

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from pki.tables import Table

URL_LENGTH: Final = 400  # characters; far above any address that is typed

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PAIRS: Final = (("client_certificate", "client_key"), ("user", "password_file"))
KEYS: Final = frozenset({"name", "kind", "url", "anchor", "chain_anchor", "certificate_profile"}).union(*_PAIRS)
"""The keys of one ``[[external_issuer]]``."""
_RULES_BY_PROFILE: Final = {f"v2g-secc-{edition}": rules for edition, rules in RULES.items()}


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


def read_external(table: Table) -> ExternalIssuer:
    """Read one ``[[external_issuer]]``; what is wrong with it is noted."""
    table.only(KEYS)
    table.word("kind", None, ("est",))
    anchor = table.path("anchor", needed=True)
    issuer = ExternalIssuer(
        name=table.text("name"),
        url=table.text("url").rstrip("/"),
        certificate_profile=table.text("certificate_profile"),
        anchor=anchor,
        chain_anchor=table.path("chain_anchor") or anchor,
        client_certificate=table.path("client_certificate"),
        client_key=table.path("client_key"),
        user=table.text("user", ""),
        password_file=table.path("password_file"),
    )
    if not _NAME.fullmatch(issuer.name):
        table.wrong("name", "it is of lower-case letters, digits and '-', 32 at most")
    if not _is_est(issuer.url):
        table.wrong("url", "it is not of the form https://HOST/.well-known/est (RFC 7030 3.2.2)")
    _refuse_halves(table, issuer)
    return issuer


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


def _refuse_halves(table: Table, issuer: ExternalIssuer) -> None:
    """Whoever asks says who it is: by certificate and key, or by user and password."""
    whole = [pair for pair in _PAIRS if all(getattr(issuer, key) for key in pair)]
    halves = [key for pair in _PAIRS if pair not in whole for key in pair if getattr(issuer, key)]
    if halves or not whole:
        [key, *_] = halves or ["user"]
        says = "give client_certificate and client_key, or user and password_file, each pair whole"
        table.wrong(key, says, *(each for pair in _PAIRS for each in pair))
    if ":" in issuer.user or not issuer.user.isprintable():
        table.wrong("user", "it holds a colon or what cannot be printed (RFC 7617 2)")


def _is_est(url: str) -> bool:
    try:
        parts = urlsplit(url)
        whole = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and not any(mark in url for mark in ' ?#@"<>\\')
    return whole and plain and len(url) <= URL_LENGTH and "/.well-known/est" in url
