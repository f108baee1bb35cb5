"""The ceremony's file: everything that will be signed, by whom it is witnessed, and nothing that is left to chance.

A file is TOML as people review it and a frozen ``Ceremony`` as the rest uses it; ``parse_ceremony`` is the only way
from one to the other, and tells every mistake at once, each with its line. Serials, moments and keys stand in the file,
so that the review covers every byte that will be signed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import tomllib
from typing import TYPE_CHECKING, Final

from pki.ceremony.reader import NO_MOMENT, Table
from pki.ceremony.terms import (
    CERTIFICATES_MOST,
    CRL_DAYS_MOST,
    CRL_NUMBER_MOST,
    FILE_BYTES,
    PLACE_LENGTH,
    REVOKED_MOST,
    ROOT,
    ROOT_KEYS,
    WITNESSES_LEAST,
    WITNESSES_MOST,
    Ceremony,
    Due,
    KnownRoot,
    ListTerms,
    NewRoot,
    Revoked,
    Witness,
)
from pki.errors import InputError
from pki.findings import error
from pki.lint_rules import SERIAL_BITS_LEAST
from pki.names import CERTIFICATE_SERIAL_BITS, CertificateSerial, Organisation
from pki.plan import COMMON_NAME_LENGTH
from pki.profile import CertificateProfile, CertificatePurpose, KeyUse, SanRule, parse_profile
from pki.profile_keys import DAYS_MOST
from pki.revocation import Reason
from pki.services import HTTP, Published
from pki.toml_lines import locate
from pki.toml_text import read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pki.findings import Finding

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_PERSON: Final = re.compile(r"[^=\W][^=]{0,63}")
_FOLDER: Final = re.compile(r"[^\x00-\x1f]{1,400}")
_PLACE: Final = re.compile(rf"{HTTP}/[A-Za-z0-9._~/-]+")
_NO_SERIAL: Final = CertificateSerial(1)
_NO_PROFILE: Final = CertificateProfile(
    "",
    CertificatePurpose.ISSUING,
    dt.timedelta(days=DAYS_MOST),
    dt.timedelta(days=DAYS_MOST),
    dt.timedelta(0),
    frozenset[KeyUse](),
    (),
    SanRule.NONE,
    0,
    True,
)


def parse_ceremony(raw: bytes) -> Ceremony:
    """Read a ceremony's file. Raises ``InputError("ceremony.wrong")`` with every mistake."""
    text = _text(raw)
    try:
        values = read_toml(text)
    except tomllib.TOMLDecodeError as problem:
        raise _wrong(f"it is no TOML: {str(problem)[:160]}") from None
    mistakes: list[Finding] = []
    found = _ceremony(Table((), values, locate(text), mistakes), hashlib.sha256(raw).hexdigest())
    if mistakes:
        counted = "one mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise _wrong(f"there is {counted} in it" if len(mistakes) == 1 else f"there are {counted} in it", mistakes)
    return found


def _text(raw: bytes) -> str:
    if len(raw) > FILE_BYTES:
        raise _wrong(f"it has {len(raw)} bytes; {FILE_BYTES} are the most")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _wrong("it is no text in UTF-8") from None


_TABLES: Final = (
    "version", "organisation", "moment", "root", "published", "certificate", "crl", "witness", "profile"
)  # fmt: skip


def _ceremony(file: Table, digest: str) -> Ceremony:
    file.refuse_unknown(*_TABLES)
    file.number("version", 1, 1, "")
    moment = file.moment("moment")
    profiles = _profiles(file)
    dues = tuple(_due(each, profiles) for each in file.tables("certificate", CERTIFICATES_MOST))
    found = Ceremony(
        digest=digest,
        organisation=file.parsed("organisation", Organisation.parse, "A00.FR.509", Organisation("-")),
        moment=moment,
        root=_root(file.table("root"), profiles),
        certificates=dues,
        crl=_crl(file.table("crl"), moment),
        witnesses=tuple(_witness(each) for each in file.tables("witness", WITNESSES_MOST)),
        published=_published(file.table("published"), dues) if "published" in file.values else None,
    )
    _refuse_repeated(file, found)
    return found


def _profiles(file: Table) -> Mapping[str, CertificateProfile]:
    """Certificate profiles stand in the file itself, as in ``policies/certificates``: the review covers them."""
    tables = file.table("profile")
    return {name: _profile(name, tables.table(name)) for name in tables.values}


def _profile(name: str, table: Table) -> CertificateProfile:
    text = "".join(f"{key} = {_toml(value)}\n" for key, value in table.values.items())
    try:
        return parse_profile(name, text)
    except InputError as refused:
        says = f"{table.where(_first_named(refused.cause, table.values))}: {refused.cause[:240]}"
        table.mistakes.append(error("ceremony.value", "", says))
        return _NO_PROFILE


def _first_named(cause: str, keys: Iterable[str]) -> str:
    """Find which of the keys a sentence is about: the one it names first."""
    found = {key: match.start() for key in keys if (match := re.search(rf"\b{re.escape(key)}\b", cause))}
    return min(found, key=lambda key: found[key], default="")


def _toml(value: object) -> str:
    """Write a value back: text, numbers, booleans and lists of them are alike in JSON and TOML; others will not do."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return '"?"'


def _root(table: Table, profiles: Mapping[str, CertificateProfile]) -> NewRoot | KnownRoot:
    if "existing" in table.values:
        table.refuse_unknown("existing", "previous")
        return KnownRoot(_matched(table, "existing", _FOLDER, "a folder"), _matched(table, "previous", _DIGEST, _HEX))
    table.refuse_unknown("common_name", "key", "profile", "days", "serial")
    profile = _chosen(table, profiles)
    if profile is not _NO_PROFILE and profile.purpose is not CertificatePurpose.ROOT:
        table.wrong("profile", "RFC 5280 3.2", f"names {profile.name!r}, which is not one for roots")
    key = table.text("key")
    if key and key not in ROOT_KEYS:
        table.wrong("key", "A00.FR.501", f"= {key[:40]!r} is none of {', '.join(ROOT_KEYS)}")
    return NewRoot(_common_name(table), key, profile, _days(table, profile), _serial(table))


def _due(table: Table, profiles: Mapping[str, CertificateProfile]) -> Due:
    table.refuse_unknown("name", "slot", "common_name", "profile", "days", "serial", "key_id")
    profile = _chosen(table, profiles)
    if profile is not _NO_PROFILE and (not profile.is_ca or profile.purpose is CertificatePurpose.ROOT):
        says = f"names {profile.name!r}; below a root stand authorities, and no roots"
        table.wrong("profile", "RFC 5280 4.2.1.9", says)
    name = _matched(table, "name", _NAME, "a short name such as 'station' or 'station-2'")
    if name == ROOT:
        table.wrong("name", "", f"= {ROOT!r} is the root's own")
    return Due(
        name=name,
        slot=_matched(table, "slot", _NAME, "a duty such as 'station'"),
        common_name=_common_name(table),
        profile=profile,
        days=_days(table, profile),
        serial=_serial(table),
        key_id=bytes.fromhex(_matched(table, "key_id", _DIGEST, _HEX)),
    )


def _published(table: Table, dues: Iterable[Due]) -> Published:
    """What is to be found by everybody stands in certificates, and cannot be changed there any more."""
    table.refuse_unknown("crl", "certificate")
    for due in dues:
        if due.profile is not _NO_PROFILE and not due.profile.crl:
            says = f"stands in no certificate by profile {due.profile.name!r}: that lacks crl = true"
            table.wrong("crl", "RFC 5280 4.2.1.13", says)
    return Published(_place(table, "crl", "RFC 5280 4.2.1.13"), _place(table, "certificate", "RFC 5280 4.2.2.1"))


def _place(table: Table, key: str, clause: str) -> str:
    text = table.text(key)
    if isinstance(table.values.get(key), str) and (len(text) > PLACE_LENGTH or not _PLACE.fullmatch(text)):
        form = f"no address like http://ca.example.org/root.crl, of {PLACE_LENGTH} characters at most"
        table.wrong(key, clause, f"= {text[:72]!r} is {form}")
    return text


def _crl(table: Table, moment: dt.datetime) -> ListTerms:
    table.refuse_unknown("number", "days", "revoked")
    number = table.number("number", 1, CRL_NUMBER_MOST, "RFC 5280 5.2.3")
    days = table.number("days", 1, CRL_DAYS_MOST, "RFC 5280 5.1.2.5")
    return ListTerms(number, days, tuple(_revoked(each, moment) for each in table.tables("revoked", REVOKED_MOST)))


def _revoked(table: Table, moment: dt.datetime) -> Revoked:
    table.refuse_unknown("serial", "moment", "reason")
    when = table.moment("moment")
    if when > moment > NO_MOMENT:
        table.wrong("moment", "RFC 5280 5.1.2.5", "lies after the ceremony's own moment")
    return Revoked(
        _parsed_serial(table), when, table.parsed("reason", Reason.parse, "RFC 5280 5.3.1", Reason.UNSPECIFIED)
    )


def _witness(table: Table) -> Witness:
    table.refuse_unknown("name", "role")
    name = _matched(table, "name", _PERSON, "a person's name, without an equals sign")
    if not name.isprintable() or name != name.strip():
        table.wrong("name", "", "holds blanks at an end, or what cannot be printed")
    return Witness(name, table.parsed("role", _role, "", ""))


def _role(text: str) -> str:
    return Organisation.parse(text).text  # the same form: one line, printable, of bounded length


_HEX: Final = "64 hex digits in lower case"


def _matched(table: Table, key: str, form: re.Pattern[str], called: str) -> str:
    text = table.text(key)
    if isinstance(table.values.get(key), str) and not form.fullmatch(text):
        table.wrong(key, "", f"= {text[:72]!r} is not {called}")
        return ""
    return text


def _chosen(table: Table, profiles: Mapping[str, CertificateProfile]) -> CertificateProfile:
    name = table.text("profile")
    if name and name not in profiles:
        table.wrong("profile", "", f"= {name[:40]!r} is none of the file's, which are {', '.join(profiles) or 'none'}")
    return profiles.get(name, _NO_PROFILE)


def _common_name(table: Table) -> str:
    name = table.text("common_name")
    if "common_name" in table.values and not 1 <= len(name) <= COMMON_NAME_LENGTH:
        table.wrong("common_name", "RFC 5280 A.1", f"has {len(name)} characters; 1 to {COMMON_NAME_LENGTH} are due")
    return name


def _days(table: Table, profile: CertificateProfile) -> int:
    return table.number("days", 1, profile.longest_days, "RFC 5280 4.1.2.5")


def _serial(table: Table) -> CertificateSerial:
    """A00.FR.508: a new serial is as hard to guess as the lint will ask for."""
    found = _parsed_serial(table)
    bits = found.number.bit_length()
    if found is not _NO_SERIAL and not SERIAL_BITS_LEAST <= bits <= CERTIFICATE_SERIAL_BITS:
        says = f"has {bits} bits; {SERIAL_BITS_LEAST} to {CERTIFICATE_SERIAL_BITS} are due"
        table.wrong("serial", "RFC 5280 4.1.2.2", says)
    return found


def _parsed_serial(table: Table) -> CertificateSerial:
    return table.parsed("serial", CertificateSerial.parse, "RFC 5280 4.1.2.2", _NO_SERIAL)


def _refuse_repeated(file: Table, found: Ceremony) -> None:
    """What must be there once only: names, serials, keys, people; and of people more than one."""
    root = [found.root.serial] if isinstance(found.root, NewRoot) else []
    _distinct(file, "certificate", "name", [due.name for due in found.certificates], "")
    _distinct(file, "certificate", "key_id", [due.key_id for due in found.certificates], "A00.FR.501")
    _distinct(file, "certificate", "serial", [*root, *(due.serial for due in found.certificates)], "RFC 5280 4.1.2.2")
    _distinct(file, "crl", "serial", [each.serial for each in found.crl.revoked], "RFC 5280 4.1.2.2")
    _distinct(file, "witness", "name", [each.name.casefold() for each in found.witnesses], "")
    if len(found.witnesses) < WITNESSES_LEAST:
        file.wrong(
            "witness", "", f"names {len(found.witnesses)}; {WITNESSES_LEAST} are the least, so that nobody acts alone"
        )


def _distinct(file: Table, table: str, key: str, values: Sequence[object], clause: str) -> None:
    real = [value for value in values if value not in {"", b"", _NO_SERIAL}]
    if len(set(real)) < len(real):
        file.wrong(table, clause, f"has the same {key} twice")


def _wrong(cause: str, mistakes: Sequence[Finding] = ()) -> InputError:
    return InputError(
        "ceremony.wrong",
        f"the ceremony's file cannot be used: {cause}",
        "Nothing was made. Correct what is named here, and let everybody review the file again.",
        findings=tuple(mistakes),
    )
