"""Whom we trust: our own authorities, and certificates of others, each for one purpose (firmware: one vendor)."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from pki.certificate import extension, key_id, read_certificates, to_pem
from pki.edge import calls, clock
from pki.edge.ledger import anchors
from pki.edge.office.desk import sha256
from pki.errors import InputError
from pki.findings import Finding, error, refuse_errors
from pki.hierarchy import ABOVE, edition_of, manufacturer_slot, vendor_of
from pki.holding import KeyState
from pki.strength import check_key
from pki.unreadable import UNREADABLE

if TYPE_CHECKING:
    from sqlite_utils import Database

    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk, OwnCertificate

INSTALLED: Final = ("V2GRootCertificate", "MORootCertificate", "OEMRootCertificate")
"""What a CSMS installs on stations for ISO 15118, as InstallCertificate names it; we rely on none of them ourselves."""
PURPOSES: Final = ("station", "firmware", "csms", *INSTALLED)
VENDOR_LENGTH: Final = 50  # characters; vendorName in BootNotification
KEY_ID_DIGITS: Final = 8  # hex digits at least; fewer name too much by accident

_KEY_ID = re.compile(rf"[0-9a-f]{{{KEY_ID_DIGITS},64}}")


async def listed(desk: Desk, call: calls.ListAnchors, who: str) -> calls.Anchors:  # noqa: ARG001 - one shape for all
    """List certificates of others."""
    return calls.Anchors(tuple(await desk.ledger.read(anchors.every)))


async def issuers(desk: Desk, call: calls.ListIssuers, who: str) -> calls.Issuers:  # noqa: ARG001 - one shape for all
    """List our own authorities."""
    return calls.Issuers(our_issuers(desk))


async def add(desk: Desk, call: calls.AddAnchor, who: str) -> calls.Done:
    """Trust a certificate for one purpose."""
    _check_purpose(call.purpose, call.vendor)
    found = read_certificates(call.pem)
    if len(found) != 1:
        raise InputError("anchor.several", f"{len(found)} certificates were given", "Trust them one by one.")
    refuse_errors(
        [*_examine(found[0]), *_examine_hierarchy(desk, found[0], call.purpose, call.vendor)],
        "anchor.refused",
        f"the certificate of {found[0].subject.rfc4514_string()[:120]!r}",
        "Ask whoever gave it to you for their root certificate.",
    )
    return await desk.ledger.write(partial(_add, desk, _row(call, found[0]), who))


def _add(desk: Desk, row: calls.AnchorRow, who: str, tx: Tx) -> calls.Done:
    anchors.add(tx.database, row)
    index = desk.record(tx, "anchor.added", who, _what(row))
    _tell(desk, tx)
    return calls.Done(index)


async def remove(desk: Desk, call: calls.RemoveAnchor, who: str) -> calls.Done:
    """Trust it no longer."""
    _check_purpose(call.purpose, call.vendor or ("any" if call.purpose == "firmware" else ""))
    digits = call.key_id.replace(":", "").lower()
    if not _KEY_ID.fullmatch(digits):
        raise InputError(
            "anchor.key_id", f"{call.key_id[:72]!r} is no key id", f"Give at least {KEY_ID_DIGITS} of its hex digits."
        )
    return await desk.ledger.write(partial(_remove, desk, digits, call, who))


def _remove(desk: Desk, digits: str, call: calls.RemoveAnchor, who: str, tx: Tx) -> calls.Done:
    removed = anchors.remove(tx.database, digits, call.purpose, call.vendor, all_vendors=call.all_vendors)
    indexes = [desk.record(tx, "anchor.removed", who, _what(row)) for row in removed]
    _tell(desk, tx)
    return calls.Done(indexes[-1])


def our_issuers(desk: Desk) -> tuple[calls.IssuerRow, ...]:
    """Return our authorities and the OCSP signer as rows, the root first."""
    return tuple(
        calls.IssuerRow(
            name=own.name,
            purpose=own.purpose if ABOVE not in own.holding.slot else "above",
            slot=own.holding.slot,
            state=desk.standing(own),
            subject=own.certificate.subject.rfc4514_string(),
            not_after=own.certificate.not_valid_after_utc,
            key_id=key_id(own.certificate),
            pem=to_pem([own.certificate]),
            keeper=own.holding.keeper.value,
            vendor=vendor_of(own.holding.slot),
            edition=edition_of(own.holding.slot),
        )
        for own in desk.own.values()
        if own.purpose != "server" and own.holding.state is not KeyState.RETIRED
    )


def own_keys(desk: Desk) -> tuple[bytes, ...]:
    """Return the ids of our authorities' keys, those let go among them; one that only stands above is not ours."""
    return tuple(key_id(own.certificate) for own in desk.own.values() if ABOVE not in own.holding.slot)


def every(database: Database) -> tuple[calls.AnchorRow, ...]:
    """Return the trust list."""
    return tuple(anchors.every(database))


def _tell(desk: Desk, tx: Tx) -> None:
    tx.after.append(partial(_publish, desk, every(tx.database)))


def announce(desk: Desk, tx: Tx) -> None:
    """Tell watchers whom we trust once this transaction is on the disk: an authority of ours has come or changed."""
    _tell(desk, tx)


def trust_changed(desk: Desk, others: tuple[calls.AnchorRow, ...]) -> calls.TrustChanged:
    """Say whom we trust now."""
    return calls.TrustChanged(our_issuers(desk), others, own_keys(desk))


def _publish(desk: Desk, others: tuple[calls.AnchorRow, ...]) -> None:
    """Our own are read when the news goes out: what this transaction changed among them is adopted just before."""
    desk.board.publish(trust_changed(desk, others))


def _check_purpose(purpose: str, vendor: str) -> None:
    if purpose not in PURPOSES:
        raise InputError(
            "anchor.purpose", f"{purpose[:40]!r} is no purpose of trust", f"Use one of: {', '.join(PURPOSES)}."
        )
    if (purpose == "firmware") != bool(vendor) or len(vendor) > VENDOR_LENGTH or not (vendor + "x").isprintable():
        raise InputError(
            "anchor.vendor",
            "a firmware anchor needs the vendor it signs for, and no other anchor has one",
            "Give the vendor exactly as its stations spell it in BootNotification.",
        )


def _examine(certificate: x509.Certificate) -> list[Finding]:
    basic = extension(certificate, x509.BasicConstraints)
    found = check_key(certificate.public_key())
    if basic is None or not basic.value.ca:
        found.append(error("anchor.no_ca", "RFC 5280 4.2.1.9", "it is not an authority's certificate"))
    if certificate.not_valid_after_utc <= clock.now():
        found.append(error("anchor.expired", "RFC 5280 6.1.3", "it has expired"))
    return found


def _examine_hierarchy(desk: Desk, certificate: x509.Certificate, purpose: str, vendor: str) -> list[Finding]:
    """A00.FR.601: were our station CA a manufacturer's root, every station could sign firmware. A00.FR.705: were our
    root an anchor for stations, whatever stands below it would be a station's, listed in the ledger or not.

    A manufacturer's root that this home keeps is trusted for that manufacturer alone. An authority of ours is no root
    for cars, or what it issues would be shown to them; one for V2G, and the root of others above it, may be several.
    """
    found = [own for own in desk.own.values() if _is_or_signed(own, certificate)]
    ours = [own.holding for own in found if purpose not in INSTALLED or not _is_of_cars(own)]
    if purpose == "csms" or not ours:
        return []
    if purpose in INSTALLED:
        return [error("anchor.own", "A00.FR.601", f"it is our own {ours[0].name!r}, and not for cars")]
    if purpose == "station":
        return [error("anchor.own", "A00.FR.705", f"it is our own {ours[0].name!r}, or stands above that one")]
    if any(own.slot == manufacturer_slot(vendor) for own in ours):
        return []
    return [error("anchor.own", "A00.FR.601", "it is our own, and not the root of this manufacturer")]


def _is_of_cars(own: OwnCertificate) -> bool:
    return own.purpose.startswith("v2g-") or ABOVE in own.holding.slot


def _is_or_signed(own: OwnCertificate, certificate: x509.Certificate) -> bool:
    """Tell whether it has the key of one of ours, or signed it: it may be known to nobody here."""
    return key_id(own.certificate) == key_id(certificate) or is_signed(own.certificate, certificate)


def is_signed(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    """Tell whether one certificate was signed by the key of another, which it names."""
    try:
        certificate.verify_directly_issued_by(by)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _row(call: calls.AddAnchor, certificate: x509.Certificate) -> calls.AnchorRow:
    return calls.AnchorRow(
        purpose=call.purpose,
        vendor=call.vendor,
        subject=certificate.subject.rfc4514_string(),
        not_after=certificate.not_valid_after_utc,
        key_id=key_id(certificate),
        pem=certificate.public_bytes(Encoding.PEM).decode("ascii"),
    )


def _what(row: calls.AnchorRow) -> dict[str, str]:
    named = {"purpose": row.purpose, "vendor": row.vendor, "subject": row.subject, "key_id": row.key_id.hex()}
    return {**named, "not_after": clock.stamp(row.not_after), "pem_sha256": sha256(row.pem)}
