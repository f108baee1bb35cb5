"""Certificate profiles: what each kind of certificate looks like, kept as data so that nobody edits code to change it.

A profile is TOML as people write it (``policies/certificates/*.toml``) and a frozen ``CertificateProfile`` as the rest
uses it; ``parse_profile`` is the only way from one to the other. Unknown keys are refused, nothing has a hidden default
that weakens, and a refusal names every mistake at once, each with its line and its clause. A table ``versions`` says
what differs for one version of OCPP, or one edition of it; what no version can have is refused even if nobody asks for
that version.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from pki.errors import InputError
from pki.findings import Finding, error
from pki.names import ProtocolVersion
from pki.profile_keys import (
    CHAIN_LENGTH_MOST,
    PEM_LENGTH_MOST,
    SAMPLE,
    AsRead,
    CertificatePurpose,
    CountryRule,
    KeyUse,
    SanRule,
)
from pki.profile_rules import CLAUSES, RULES
from pki.toml_lines import Place, line_of, locate
from pki.toml_text import read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

__all__ = ["CertificateProfile", "CertificatePurpose", "CountryRule", "KeyUse", "SanRule", "parse_profile"]

STATION_DAYS_LEAST: Final = (
    90  # days; stations renew one month before the end (A03.FR.02), many at every boot within it
)

EXTENDED_KEY_USES: Final[dict[str, ObjectIdentifier]] = {
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code_signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}
"""The extended key usages that a profile may grant, by the names it uses."""


@dataclass(frozen=True, slots=True)
class CertificateProfile:
    """One kind of certificate, as used. Made by ``parse_profile`` alone."""

    name: str
    purpose: CertificatePurpose
    lifetime: dt.timedelta
    """From now on, unless asked otherwise."""
    longest: dt.timedelta
    """The longest lifetime that may be asked for."""
    backdate: dt.timedelta
    """How far before now the validity begins, for stations with a slow clock (A02.FR.06)."""
    key_usage: frozenset[KeyUse]
    eku: tuple[ObjectIdentifier, ...]
    san: SanRule
    path_length: int | None
    """How many authorities may stand below this one; ``None`` for no bound and for leaves."""
    organisation: bool
    """Whether the subject carries an organisation (A00.FR.509)."""
    country: CountryRule = CountryRule.NONE
    domain_component: str = ""
    """The subject's DC; empty for none."""
    keys: tuple[str, ...] = ()
    """The kinds of key that may be certified, as ``pki.strength.name_key`` writes them; empty: every strong one."""
    pem_length: int = PEM_LENGTH_MOST
    """Characters of PEM that one certificate may take."""
    chain_length: int = CHAIN_LENGTH_MOST
    """Characters of PEM that a leaf and the authorities above it, without the root, may take."""
    der_length: int = 0
    """Bytes of DER that one certificate may take; 0 for no bound of its own."""
    crl: bool = False
    """Whether it says where the list of revoked certificates lies."""
    ocsp: bool = False
    """Whether it says where to ask about its status."""

    @property
    def is_ca(self) -> bool:
        """Whether certificates of this profile sign others."""
        return self.purpose.is_ca

    @property
    def days(self) -> int:
        """The lifetime in whole days; 0 when it is shorter than one."""
        return self.lifetime.days

    @property
    def longest_days(self) -> int:
        """The longest lifetime in whole days."""
        return self.longest.days


def parse_profile(name: str, text: str, version: ProtocolVersion | None = None) -> CertificateProfile:
    """Read a profile from TOML, as it holds for one version of OCPP, or where none is known.

    ``name`` is used in errors (``policies/certificates/station.toml`` is ``station``). Raises
    ``InputError("profile.wrong")`` with every mistake as a finding, those of other versions too.
    """
    try:
        raw = read_toml(text)
    except tomllib.TOMLDecodeError as problem:
        raise _wrong(name, [error("profile.value", "", str(problem)[:120])]) from None
    mistakes, variants = _split(raw, locate(text)), {}
    for variant, keys in _variants(raw).items():
        found, variants[variant] = _read(_Keys(keys, text, variant))
        mistakes += [mistake for mistake in found if mistake not in mistakes]
    if mistakes:
        raise _wrong(name, mistakes)
    return _make(name, next(variants[wanted] for wanted in _preferred(version) if wanted in variants))


Table: TypeAlias = "dict[str, object]"

_ALTERNATIVES: Final = {"days": ("hours", "longest_hours"), "hours": ("days", "longest_days")}
"""A lifetime is given in one unit: whoever names one for a version drops the other's."""

_FIXED: Final = frozenset({"purpose", "is_ca"})  # keys that no version changes: it would be another profile
_EDITION: Final = re.compile(r"edition[1-9]")


def versions_of(text: str) -> tuple[str, ...]:
    """Return the versions for which a readable profile says something of its own, as people write them."""
    return tuple(str(variant) for variant in _variants(read_toml(text)) if variant is not None)


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of a profile as they hold for one variant, and the text they come from."""

    keys: Mapping[str, object]
    text: str
    variant: ProtocolVersion | None

    def line(self, key: str) -> int | None:
        """The line that counts: the most special table's that has the key."""
        lines = locate(self.text)
        return next((lines[(*table, key)] for table in self._tables() if (*table, key) in lines), None)

    def first_line(self) -> int:
        """The line where what holds for this variant begins: a key that is missing could stand from there on."""
        lines = locate(self.text)
        return next((lines[table] for table in self._tables() if table in lines), 1)

    def _tables(self) -> list[tuple[str, ...]]:
        if self.variant is None:
            return [()]
        table = ("versions", self.variant.protocol)
        exact = [(*table, f"edition{self.variant.edition}")] if self.variant.edition else []
        return [*exact, table, ()]


def _mistake(code: str, clause: str, given: _Keys, key: str, says: str) -> Finding:
    """Make a finding that says where the key stands, or for which version it is missing."""
    line = given.line(key)
    where = f"line {line or given.first_line()}: "
    return error(code, clause, f"{where}{says}{'' if line or given.variant is None else f' for {given.variant}'}")


def _split(raw: Table, lines: Mapping[Place, int]) -> list[Finding]:
    """Find tables of versions that are none, each with its line."""
    tables = raw.get("versions", {})
    if not isinstance(tables, dict):
        says = 'versions is a table of tables: [versions."ocpp1.6"]'
        return [error("profile.value", "OCPP-J 3.1.2", f"line {line_of(('versions',), lines)}: {says}")]
    strange: list[tuple[Place, str]] = [
        (("versions", name), f"versions.{name[:40]!r} is no version of OCPP known here")
        for name, table in tables.items()
        if not isinstance(table, dict) or not _is_version(name)
    ]
    for name, table in tables.items():
        inner = table if isinstance(table, dict) else {}
        strange += [
            (
                ("versions", name, key),
                f"versions.{name[:40]!r} has a table {key[:40]!r}, which is no edition of it",
            )
            for key, value in inner.items()
            if isinstance(value, dict) and not _is_edition(name, key)
        ]
        strange += [
            (("versions", name, key), f"versions.{name[:40]!r}: {key} is the same in every version")
            for key in sorted(_FIXED & inner.keys())
        ]
    return [error("profile.key", "OCPP-J 3.1.2", f"line {line_of(path, lines)}: {says}") for path, says in strange]


def _is_edition(version: str, key: str) -> bool:
    """Tell whether a table's name is that of an edition that there is, of a version that there is."""
    if not _EDITION.fullmatch(key) or not _is_version(version):
        return False
    try:
        ProtocolVersion.parse(f"{version}/{key.removeprefix('edition')}")
    except InputError:
        return False
    return True


def _is_version(text: str) -> bool:
    try:
        return not ProtocolVersion.parse(text).edition
    except InputError:
        return False


def _variants(raw: Table) -> dict[ProtocolVersion | None, Table]:
    """Lay the tables of versions over the base: one whole set of keys for each version and edition named."""
    base = {key: value for key, value in raw.items() if key != "versions"}
    variants: dict[ProtocolVersion | None, Table] = {None: base}
    tables = raw.get("versions", {})
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if not isinstance(table, dict) or not _is_version(name):
            continue
        editions = {key: value for key, value in table.items() if isinstance(value, dict) and _is_edition(name, key)}
        own = {key: value for key, value in table.items() if not isinstance(value, dict)}
        variants[ProtocolVersion(name)] = over = _lay_over(base, own)
        for edition, keys in editions.items():
            variants[ProtocolVersion(name, edition.removeprefix("edition"))] = _lay_over(over, keys)
    return variants


def _lay_over(base: Table, own: Table) -> Table:
    dropped = {name for key in own for name in _ALTERNATIVES.get(key, ())}
    return {key: value for key, value in base.items() if key not in dropped} | own


def _preferred(version: ProtocolVersion | None) -> Sequence[ProtocolVersion | None]:
    """From the most special to the base, which is always there."""
    return (None,) if version is None else (version, ProtocolVersion(version.protocol), None)


def _read(given: _Keys) -> tuple[list[Finding], AsRead]:
    """Read each key by itself, then judge those that could be read, alone and together."""
    found: list[Finding] = []
    good: Table = {}
    fields = {field.name: field for field in msgspec.structs.fields(AsRead)}
    for key, value in given.keys.items():
        if key not in fields:
            found.append(_mistake("profile.key", "", given, key, f"{key[:40]!r} is no key of a certificate profile"))
            continue
        try:
            good[key] = msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError as problem:
            found.append(_mistake("profile.value", CLAUSES[key], given, key, f"{key}: {problem}"[:160]))
    missing = SAMPLE.keys() - given.keys.keys()
    found += [_mistake("profile.key", CLAUSES[key], given, key, f"{key} is missing") for key in sorted(missing)]
    raw = msgspec.convert({**SAMPLE, **good}, AsRead)
    return [*found, *_judge(given, raw, missing | given.keys.keys() - good.keys())], raw


def _judge(given: _Keys, raw: AsRead, unsure: AbstractSet[str]) -> list[Finding]:
    judged = ((rule, rule.judge(raw)) for rule in RULES if unsure.isdisjoint(rule.keys))
    return [_mistake("profile.value", rule.clause, given, rule.keys[0], says) for rule, says in judged if says]


def _make(name: str, raw: AsRead) -> CertificateProfile:
    lifetime = dt.timedelta(days=raw.days or 0, hours=raw.hours or 0)
    return CertificateProfile(
        name=name,
        purpose=raw.purpose,
        lifetime=lifetime,
        longest=dt.timedelta(days=raw.longest_days, hours=raw.longest_hours) or lifetime,
        backdate=dt.timedelta(minutes=raw.backdate_minutes),
        key_usage=frozenset(raw.key_usage),
        eku=tuple(EXTENDED_KEY_USES[use] for use in raw.eku),
        san=raw.san,
        path_length=raw.path_length,
        organisation=raw.organisation,
        country=raw.country,
        domain_component=raw.domain_component,
        keys=tuple(raw.keys),
        pem_length=raw.pem_length,
        chain_length=raw.chain_length,
        der_length=raw.der_length,
        crl=raw.crl,
        ocsp=raw.ocsp,
    )


def _wrong(name: str, mistakes: Sequence[Finding]) -> InputError:
    says = "; ".join(mistake.says + f" ({mistake.clause})" * bool(mistake.clause) for mistake in mistakes)
    return InputError(
        "profile.wrong",
        f"certificate profile {name[:64]!r}: {says[:2000]}",
        f"Correct {name[:64]}.toml below policies/certificates.",
        findings=tuple(mistakes),
    )
