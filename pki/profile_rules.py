"""What the values of a certificate profile must be, alone and together: a table of rules, each with its clause.

``RULES`` names, for each rule, the keys it looks at and the clause it comes from; the first key is the one whose line
is shown. Whatever the lint would refuse in every certificate of a profile is refused here, when it is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pki.profile_keys import (
    ALLOWED_USES,
    BACKDATE_MINUTES_MOST,
    CHAIN_LENGTH_MOST,
    DAYS_MOST,
    DER_LENGTH_LEAST,
    DER_LENGTH_MOST,
    DUE_USES,
    EXTENDED_USES,
    HOURS_A_DAY,
    KEY_KINDS,
    NEEDED_USES,
    PATH_LENGTHS,
    PEM_LENGTH_LEAST,
    PEM_LENGTH_MOST,
    AsRead,
    CertificatePurpose,
    CountryRule,
    KeyUse,
    SanRule,
)
from pki.v2g import DOMAIN_CPO, V2gEdition
from pki.v2g import RULES as V2G

if TYPE_CHECKING:
    from collections.abc import Callable

_DOMAIN = re.compile(r"[A-Za-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class ProfileRule:
    """What one key must be, or several together. ``judge`` returns what is wrong, or an empty text."""

    keys: tuple[str, ...]
    clause: str
    judge: Callable[[AsRead], str]


def _lifetime(raw: AsRead) -> str:
    if (raw.days is None) == (raw.hours is None):
        return "a lifetime is due, in days or in hours and not in both"
    return ""


def _days(raw: AsRead) -> str:
    return "" if raw.days is None or 1 <= raw.days <= DAYS_MOST else f"days = {raw.days} is outside 1..{DAYS_MOST}"


def _hours(raw: AsRead) -> str:
    most = DAYS_MOST * HOURS_A_DAY
    return "" if raw.hours is None or 1 <= raw.hours <= most else f"hours = {raw.hours} is outside 1..{most}"


def _longest(unit: str, least: int | None, longest: int, most: int) -> str:
    if not longest or (least is not None and least <= longest <= most):
        return ""
    bounds = f"is outside {least}..{most}" if least is not None else f"has no {unit} beside it"
    return f"longest_{unit} = {longest} {bounds}"


def _longest_days(raw: AsRead) -> str:
    return _longest("days", raw.days, raw.longest_days, DAYS_MOST)


def _longest_hours(raw: AsRead) -> str:
    return _longest("hours", raw.hours, raw.longest_hours, DAYS_MOST * HOURS_A_DAY)


def _backdate(raw: AsRead) -> str:
    if 0 <= raw.backdate_minutes <= BACKDATE_MINUTES_MOST:
        return ""
    return f"backdate_minutes = {raw.backdate_minutes} is outside 0..{BACKDATE_MINUTES_MOST}"


def _key_usage(raw: AsRead) -> str:
    return "" if raw.key_usage else "key_usage is empty"


def _eku(raw: AsRead) -> str:
    strange = [use for use in raw.eku if use not in EXTENDED_USES]
    return f"eku = {strange[0][:32]!r} is none of {', '.join(EXTENDED_USES)}" if strange else ""


def _eku_fits(raw: AsRead) -> str:
    """Of uses that there are, and of purposes that need not have one; ``_eku`` and ``_due_use`` speak of the others."""
    strange = [use for use in raw.eku if use in EXTENDED_USES and use not in ALLOWED_USES.get(raw.purpose, ())]
    if raw.is_ca or raw.purpose in DUE_USES or not strange:
        return ""
    return f"eku = {strange[0]!r} does not fit purpose {raw.purpose}"


def _eku_whole(raw: AsRead) -> str:
    """Where another rule has nothing to say of the uses named."""
    needed = NEEDED_USES.get(raw.purpose)
    if not needed or needed in raw.eku or not raw.eku or _eku(raw) or _eku_fits(raw):
        return ""
    return f"eku without '{needed}' does not fit purpose {raw.purpose}"


def _leaf_signs(raw: AsRead) -> str:
    """Where anything is granted, and nothing that authorities alone may: other rules speak of those."""
    if raw.purpose.is_ca or raw.is_ca or not raw.key_usage or KeyUse.KEY_CERT_SIGN in raw.key_usage:
        return ""
    if KeyUse.DIGITAL_SIGNATURE in raw.key_usage:
        return ""
    return "key_usage must hold digital_signature in a leaf, which signs its handshakes"


def _v2g_agrees(raw: AsRead) -> str:
    if not raw.purpose.is_secc or raw.keys == ["ed448"] or KeyUse.KEY_AGREEMENT in raw.key_usage:
        return ""
    return f"key_usage must hold key_agreement for purpose {raw.purpose}"


def _v2g_keys(edition: V2gEdition) -> Callable[[AsRead], str]:
    rules = V2G[edition]

    def judge(raw: AsRead) -> str:
        strange = [kind for kind in raw.keys if kind in KEY_KINDS and kind not in rules.keys]
        if raw.purpose.edition is not edition or not strange:
            return ""
        return f"keys = {strange[0]!r}: cars of this edition know {' or '.join(rules.keys)}"

    return judge


def _v2g_length(edition: V2gEdition) -> Callable[[AsRead], str]:
    rules = V2G[edition]

    def judge(raw: AsRead) -> str:
        if raw.purpose.edition is not edition or not rules.length_most < raw.der_length <= DER_LENGTH_MOST:
            return ""
        return f"der_length = {raw.der_length}: cars of this edition take {rules.length_most}"

    return judge


def _v2g_country(edition: V2gEdition) -> Callable[[AsRead], str]:
    def judge(raw: AsRead) -> str:
        if not raw.purpose.is_secc or raw.purpose.edition is not edition or raw.country is CountryRule.SECC_ID:
            return ""
        return f"country must be 'seccid' for purpose {raw.purpose}"

    return judge


def _v2g_domain(raw: AsRead) -> str:
    if not raw.purpose.is_secc or raw.domain_component == DOMAIN_CPO or not _DOMAIN.fullmatch(raw.domain_component):
        return ""
    return f"domain_component must be {DOMAIN_CPO!r} for purpose {raw.purpose}"


def _path_fits(raw: AsRead) -> str:
    due = PATH_LENGTHS.get(raw.purpose)
    if due is None or not raw.is_ca or raw.path_length == due:
        return ""
    return f"path_length must be {due} for purpose {raw.purpose}"


def _der_length(raw: AsRead) -> str:
    if raw.der_length == 0 or DER_LENGTH_LEAST <= raw.der_length <= DER_LENGTH_MOST:
        return ""
    return f"der_length = {raw.der_length} is neither 0 nor within {DER_LENGTH_LEAST}..{DER_LENGTH_MOST}"


def _keys(raw: AsRead) -> str:
    strange = [kind for kind in raw.keys if kind not in KEY_KINDS]
    return f"keys = {strange[0][:32]!r} is none of {', '.join(KEY_KINDS)}" if strange else ""


def _domain(raw: AsRead) -> str:
    if _DOMAIN.fullmatch(raw.domain_component):
        return ""
    return f"domain_component = {raw.domain_component[:32]!r} is not made of letters, digits and hyphens"


def _is_ca(raw: AsRead) -> str:
    if raw.is_ca == raw.purpose.is_ca:
        return ""
    return f"is_ca = {str(raw.is_ca).lower()} does not fit purpose {raw.purpose}"


def _signs(raw: AsRead) -> str:
    if (KeyUse.KEY_CERT_SIGN in raw.key_usage) == raw.is_ca:
        return ""
    return "key_usage must hold key_cert_sign in an authority and nowhere else"


def _path_length(raw: AsRead) -> str:
    if raw.path_length is None or (raw.is_ca and raw.path_length >= 0):
        return ""
    return f"path_length = {raw.path_length} fits authorities alone, from 0 up"


def _san(raw: AsRead) -> str:
    if raw.san is SanRule.NONE or raw.purpose is CertificatePurpose.CSMS:
        return ""
    return f"san = 'dns' does not fit purpose {raw.purpose}"


def _country(raw: AsRead) -> str:
    if raw.country is CountryRule.NONE or raw.purpose.is_secc:
        return ""
    return f"country = 'seccid' does not fit purpose {raw.purpose}, whose names are no SECCIDs"


def _points(raw: AsRead) -> str:
    if not (raw.crl or raw.ocsp) or not (raw.purpose.is_root or raw.purpose is CertificatePurpose.OCSP):
        return ""
    return f"crl and ocsp do not fit purpose {raw.purpose}: it is trusted as it is, and nobody asks about it"


def _due_use(purpose: CertificatePurpose) -> Callable[[AsRead], str]:
    """Whoever is for one thing alone says so, and nothing else."""
    use = DUE_USES[purpose]

    def judge(raw: AsRead) -> str:
        wrong = raw.purpose is purpose and raw.eku != [use]
        return f"eku must be ['{use}'] for purpose {purpose}" if wrong else ""

    return judge


def _between(key: str, least: int, most: int) -> Callable[[AsRead], str]:
    def judge(raw: AsRead) -> str:
        value: int = getattr(raw, key)
        return "" if least <= value <= most else f"{key} = {value} is outside {least}..{most}"

    return judge


RULES: Final[tuple[ProfileRule, ...]] = (
    ProfileRule(("days", "hours"), "RFC 5280 4.1.2.5", _lifetime),
    ProfileRule(("days",), "RFC 5280 4.1.2.5", _days),
    ProfileRule(("hours",), "RFC 5280 4.1.2.5", _hours),
    ProfileRule(("longest_days", "days"), "RFC 5280 4.1.2.5", _longest_days),
    ProfileRule(("longest_hours", "hours"), "RFC 5280 4.1.2.5", _longest_hours),
    ProfileRule(("backdate_minutes",), "A02.FR.06", _backdate),
    ProfileRule(("key_usage",), "A00.FR.512", _key_usage),
    ProfileRule(("eku",), "A00.FR.514", _eku),
    ProfileRule(("keys",), "A00.FR.504", _keys),
    ProfileRule(("domain_component",), "V2G2-875", _domain),
    ProfileRule(("pem_length",), "A00.FR.507", _between("pem_length", PEM_LENGTH_LEAST, PEM_LENGTH_MOST)),
    ProfileRule(("chain_length",), "A02.FR.16", _between("chain_length", PEM_LENGTH_LEAST, CHAIN_LENGTH_MOST)),
    ProfileRule(("der_length",), "V2G2-010", _der_length),
    ProfileRule(("is_ca", "purpose"), "RFC 5280 4.2.1.9", _is_ca),
    ProfileRule(("key_usage", "is_ca"), "RFC 5280 4.2.1.3", _signs),
    ProfileRule(("path_length", "is_ca"), "RFC 5280 4.2.1.9", _path_length),
    ProfileRule(("san", "purpose"), "A00.FR.511", _san),
    ProfileRule(("country", "purpose"), "ISO 15118-2 F", _country),
    ProfileRule(("crl", "ocsp", "purpose"), "RFC 6960 4.2.2.2.1", _points),
    ProfileRule(("eku", "purpose"), "RFC 6960 4.2.2.2", _due_use(CertificatePurpose.OCSP)),
    ProfileRule(("eku", "purpose"), "RFC 5280 4.2.1.12", _due_use(CertificatePurpose.FIRMWARE_SIGNER)),
    ProfileRule(("eku", "purpose"), "RFC 5280 4.2.1.12", _due_use(CertificatePurpose.OPERATOR)),
    ProfileRule(("eku", "purpose", "is_ca"), "RFC 5280 4.2.1.12", _eku_fits),
    ProfileRule(("eku", "purpose", "is_ca"), "RFC 5280 4.2.1.12", _eku_whole),
    ProfileRule(("key_usage", "purpose"), "A00.FR.512", _leaf_signs),
    ProfileRule(("path_length", "purpose", "is_ca"), "RFC 5280 4.2.1.9", _path_fits),
    ProfileRule(("keys", "purpose"), V2G[V2gEdition.TWO].keys_clause, _v2g_keys(V2gEdition.TWO)),
    ProfileRule(("keys", "purpose"), V2G[V2gEdition.TWENTY].keys_clause, _v2g_keys(V2gEdition.TWENTY)),
    ProfileRule(("der_length", "purpose"), V2G[V2gEdition.TWO].length_clause, _v2g_length(V2gEdition.TWO)),
    ProfileRule(("der_length", "purpose"), V2G[V2gEdition.TWENTY].length_clause, _v2g_length(V2gEdition.TWENTY)),
    ProfileRule(("key_usage", "keys", "purpose"), "ISO 15118-2 F", _v2g_agrees),
    ProfileRule(("country", "purpose"), V2G[V2gEdition.TWO].subject_clause, _v2g_country(V2gEdition.TWO)),
    ProfileRule(("country", "purpose"), V2G[V2gEdition.TWENTY].subject_clause, _v2g_country(V2gEdition.TWENTY)),
    ProfileRule(("domain_component", "purpose"), "V2G2-875", _v2g_domain),
)
"""What must hold. A rule whose keys could not all be read is left out: its sentence would be about something else."""

CLAUSES: Final = {
    **{key: rule.clause for rule in reversed(RULES) for key in reversed(rule.keys)},
    **{rule.keys[0]: rule.clause for rule in reversed(RULES)},
    "purpose": "RFC 5280 4.2.1.12",
    "organisation": "A00.FR.509",
}
"""The clause that each key answers to, where nothing more can be said than that it cannot be read, or is missing."""
