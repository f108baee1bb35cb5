"""Asks revocation lists whether a certificate still stands (RFC 5280 6.3), and says why a list cannot tell.

* A list counts only for what its own issuer issued: the same name, and signed with the key that signed the
  certificate.
* A certificate is *cleared* by a list that is complete, in force at the time asked about, within its scope, and
  understood to the last critical extension. No list of that kind means that the status is unknown, which refuses.
* A certificate is *revoked* by any list of its issuer that names it, even one too old or too partial to clear anything.
* A list of millions is read in one pass, for the serial numbers in question alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from pki.crl_scope import find_scope_faults
from pki.der import header, read_boxes
from pki.dn import DistinguishedName, compared
from pki.fields import ListFields, RawExtension, read_extension, read_list_fields
from pki.signed import is_signed
from pki.strength import check_signature_hash
from pki.unreadable import UNREADABLE, touch_name

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from pki.paper import Paper

FRAME_BYTES_MOST: Final = 262_144  # bytes of a list beside its entries; honest ones have a few hundred
VERSION: Final = 2  # of lists with extensions, RFC 5280 5.1.2.1

_CRITICAL: Final = b"\x01\x01\xff"  # BOOLEAN TRUE; without these bytes an entry has no critical extension
_REMOVED: Final = RawExtension(bytes.fromhex("551d15"), critical=False, value=b"\x0a\x01\x08")  # reason 8
_NEVER_CRITICAL: Final = {ExtensionOID.CRL_NUMBER: "number", ExtensionOID.AUTHORITY_KEY_IDENTIFIER: "issuer's key"}
_UNDERSTOOD: Final = frozenset({ExtensionOID.ISSUING_DISTRIBUTION_POINT, ExtensionOID.DELTA_CRL_INDICATOR})


@dataclass(frozen=True, slots=True)
class RevocationList:
    """One list, read save for its entries. ``issuer`` is in the form that is compared (RFC 5280 7.1)."""

    crl: x509.CertificateRevocationList
    fields: ListFields = field(repr=False)
    issuer: DistinguishedName
    extensions: x509.Extensions

    @classmethod
    def read(cls, der: bytes) -> RevocationList:
        """Read a list. Raises ``ValueError``."""
        try:
            fields = read_list_fields(der)
            if len(der) - len(fields.entries) > FRAME_BYTES_MOST:
                raise ValueError(f"more than {FRAME_BYTES_MOST} bytes beside its entries")
            crl = x509.load_der_x509_crl(der)
            touch_name(crl.issuer)
            _ = crl.last_update_utc, crl.next_update_utc, crl.signature_hash_algorithm
            return cls(crl, fields, compared(fields.issuer), crl.extensions)
        except UNREADABLE as unreadable:
            raise ValueError(str(unreadable)) from None

    @property
    def der(self) -> bytes:
        """The list as it came."""
        return self.crl.public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the lists say of one certificate. ``reasons`` tell why lists of its issuer could not clear it."""

    is_revoked: bool
    is_cleared: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entries:
    """What a pass over a list found: the entries asked for by serial number, and whether any is not understood."""

    wanted: dict[bytes, bytes]
    has_critical: bool


class RevocationLists:
    """The lists given for one question, each signature checked and each list passed over once."""

    def __init__(self, lists: Iterable[RevocationList], serials: Iterable[bytes], now: dt.datetime) -> None:
        self._lists = tuple(lists)
        self._serials = frozenset(serials)
        self._now = now
        self._entries: dict[int, Entries] = {}
        self._signed: dict[tuple[int, bytes], bool] = {}

    def ask(self, paper: Paper, issuer: Paper) -> Standing:
        """Say how a certificate stands with the one that issued it; its serial must be among those announced."""
        theirs = [
            number
            for number, each in enumerate(self._lists)
            if each.issuer == paper.issuer == issuer.subject and self._is_signed(number, issuer)
        ]
        if any(self._is_listed(number, paper.fields.serial) for number in theirs):
            return Standing(is_revoked=True, is_cleared=False)
        faults = [self._faults(self._lists[number], self._pass(number), paper, issuer) for number in theirs]
        if any(not found for found in faults):
            return Standing(is_revoked=False, is_cleared=True)
        return Standing(False, False, tuple(reason for found in faults for reason in found))

    def _is_listed(self, number: int, serial: bytes) -> bool:
        """Whether a list names a serial number; what a delta list takes back (RFC 5280 5.3.1) it does not name."""
        entry = self._pass(number).wanted.get(serial)
        if entry is None:
            return False
        is_delta = any(each.oid == ExtensionOID.DELTA_CRL_INDICATOR for each in self._lists[number].extensions)
        return not (is_delta and any(each == _REMOVED for each in _extensions(entry)))

    def _pass(self, number: int) -> Entries:
        if number not in self._entries:
            self._entries[number] = read_entries(self._lists[number].fields.entries, self._serials)
        return self._entries[number]

    def _is_signed(self, number: int, issuer: Paper) -> bool:
        asked = (number, issuer.fields.key)
        if asked not in self._signed:
            found = self._lists[number]
            self._signed[asked] = is_signed(found.crl, found.fields, issuer.key, issuer.fields.key)
        return self._signed[asked]

    def _faults(self, found: RevocationList, entries: Entries, paper: Paper, issuer: Paper) -> list[str]:
        """Say everything for which this list cannot clear a certificate."""
        faults = [*_time_faults(found, self._now), *_form_faults(found), *_issuer_faults(found, issuer)]
        faults += find_scope_faults(found.extensions, paper)
        if entries.has_critical:
            faults.append("an entry of its has a critical extension that is not understood")
        return faults


def read_entries(entries: bytes, wanted: frozenset[bytes]) -> Entries:
    """Pass over the entries of a list (in DER, one after the other), keeping those whose serial number is wanted."""
    found: dict[bytes, bytes] = {}
    suspects = _CRITICAL in entries
    has_critical, at, end = False, 0, len(entries)
    while at < end:
        begin, after = header(entries, at)
        first, stop = (
            (begin + 2, begin + 2 + entries[begin + 1]) if entries[begin + 1] < 0x80 else header(entries, begin)
        )
        if entries[first:stop] in wanted:
            found[entries[first:stop]] = entries[begin:after]
        if suspects and not has_critical and _CRITICAL in entries[stop:after]:
            has_critical = any(each.critical for each in _extensions(entries[begin:after]))
        at = after
    return Entries(found, has_critical)


def _extensions(entry: bytes) -> list[RawExtension]:
    _, _, *rest = read_boxes(entry)
    return [read_extension(box) for holder in rest for box in holder.boxes()]


def _time_faults(found: RevocationList, now: dt.datetime) -> list[str]:
    """RFC 5280 5.1.2.4, 5.1.2.5, 6.3.3 (a)."""
    until = found.crl.next_update_utc
    faults = []
    if found.crl.last_update_utc > now:
        faults.append(f"it is not in force before {found.crl.last_update_utc:%Y-%m-%d %H:%M} UTC")
    if until is None:
        faults.append("it does not say until when it is in force")
    elif until < now:
        faults.append(f"it was in force until {until:%Y-%m-%d %H:%M} UTC")
    return faults


def _form_faults(found: RevocationList) -> list[str]:
    """RFC 5280 5.1.2.1, 5.2, 5.2.3: the version, the number, and what is critical."""
    faults = []
    numbers = [each for each in found.extensions if each.oid == ExtensionOID.CRL_NUMBER]
    if found.fields.version != VERSION or not numbers:
        faults.append("it is not of version 2, or has no number")
    for each in found.extensions:
        if each.critical and each.oid in _NEVER_CRITICAL:
            faults.append(f"its {_NEVER_CRITICAL[each.oid]} is critical, and must not be")
        elif each.critical and each.oid not in _UNDERSTOOD:
            faults.append(f"it has a critical extension {each.oid.dotted_string} that is not understood here")
    faults += [finding.says for finding in check_signature_hash(found.crl.signature_hash_algorithm)]
    return faults


def _issuer_faults(found: RevocationList, issuer: Paper) -> list[str]:
    """RFC 5280 6.3.3 (f), 5.2.1: the issuer may sign lists, and this list names the issuer's key."""
    usage, own = issuer.find(x509.KeyUsage), issuer.find(x509.SubjectKeyIdentifier)
    faults = []
    if usage is not None and not usage.value.crl_sign:
        faults.append("its issuer may not sign lists")
    for each in found.extensions:
        key = each.value
        named = key.key_identifier if isinstance(key, x509.AuthorityKeyIdentifier) else None
        if named is not None and own is not None and named != own.value.digest:
            faults.append("it names another key of its issuer")
    return faults
