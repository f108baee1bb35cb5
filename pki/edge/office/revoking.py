"""Revoking certificates, putting them on hold, and lifting a hold: recorded, then told to everybody who must know.

A reason is final but for one step: whatever a certificate was revoked for, that its key was compromised may be learnt
later, and is said then (RFC 5280 5.3.1); nothing leads back.
In the transaction of the change itself its list is marked to be written anew and answers about it become untrue.

An authority that is revoked or on hold keeps its place among our keys, yet nothing rests on it any more: it signs no
certificate, and proxies refuse what stands below it (``Desk.fallen``). Its lists and answers go on for who still asks.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from pki.certificate import is_self_issued
from pki.edge import calls, clock
from pki.edge.crashpoints import reach
from pki.edge.ledger import answers, certificates, crls
from pki.edge.office import anchors
from pki.errors import ConflictError, InputError
from pki.hierarchy import AUTHORITIES
from pki.holding import KeyState
from pki.names import CertificateSerial
from pki.profile import CertificatePurpose
from pki.revocation import Reason
from pki.station import CertificateStatus

if TYPE_CHECKING:
    from pki.audit import Json
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk, OwnCertificate

_CERTIFYING: Final = frozenset(purpose.value for purpose in CertificatePurpose if purpose.is_ca)
IN_USE: Final = frozenset({KeyState.NEXT, KeyState.ACTIVE})
"""The states in which certificates of our own are revoked only where that is spelled out, or replaced first."""


async def revoke(desk: Desk, call: calls.RevokeCertificate, who: str) -> calls.Done:
    """Revoke a certificate, or put it on hold: recorded, then told to every proxy."""
    serial, reason = CertificateSerial.parse(call.serial), Reason.parse(call.reason)
    reach("revoke.asked")
    done = await desk.ledger.write(partial(_revoke, desk, serial.hex, reason, call.authority, who))
    reach("revoke.recorded")
    return done


async def release(desk: Desk, call: calls.ReleaseCertificate, who: str) -> calls.Done:
    """Lift a hold: the certificate is valid again."""
    serial = CertificateSerial.parse(call.serial)
    reach("release.asked")
    done = await desk.ledger.write(partial(_release, desk, serial.hex, who))
    reach("release.recorded")
    return done


def _revoke(desk: Desk, serial: str, reason: Reason, authority: bool, who: str, tx: Tx) -> calls.Done:
    found = certificates.by_serial(tx.database, serial)
    if (own := _own(desk, found)) and own.holding.state in IN_USE:
        _refuse_in_use(own, desk.maker_of(own), authority=authority)
    _refuse_reason(found, reason)
    if found.status == CertificateStatus.REVOKED and reason is Reason.KEY_COMPROMISE != found.reason:
        return _raise(desk, found, who, tx)
    if found.status not in {CertificateStatus.VALID, CertificateStatus.HELD}:
        raise ConflictError(
            "certificate.state", f"the certificate {serial} is {found.status}, not valid", "There is nothing to revoke."
        )
    index = record(desk, found, reason, clock.stamp(clock.now()), who, tx)
    reach("revoke.recording")
    return calls.Done(index)


def record(desk: Desk, found: certificates.Identified, reason: Reason, moment: str, who: str, tx: Tx) -> int:
    """Record that a certificate is revoked or on hold since this moment, and let everybody know; return the entry."""
    since = certificates.revoke(tx.database, found, reason, moment)
    own = _own(desk, found)
    named: dict[str, Json] = {"authority": own.name} if own and own.purpose in AUTHORITIES else {}
    what = {"serial": found.serial, "station": found.station, "reason": reason.value, "revoked_at": since, **named}
    if reason.is_hold:
        index = desk.record(tx, "certificate.held", who, what)
    else:
        index = desk.record(tx, "certificate.revoked", who, what)
    _tell(desk, found, CertificateStatus.HELD if reason.is_hold else CertificateStatus.REVOKED, tx)
    return index


def _raise(desk: Desk, found: certificates.Identified, who: str, tx: Tx) -> calls.Done:
    """Say of a certificate that is revoked already that its key was compromised: nobody may be certified for it now."""
    moment, reason = certificates.raise_reason(tx.database, found), Reason.KEY_COMPROMISE.value
    what = {"serial": found.serial, "station": found.station, "reason": reason, "revoked_at": moment}
    index = desk.record(tx, "certificate.reason_raised", who, {**what, "before": found.reason})
    _tell(desk, found, CertificateStatus.REVOKED, tx)
    return calls.Done(index)


def _release(desk: Desk, serial: str, who: str, tx: Tx) -> calls.Done:
    found = certificates.by_serial(tx.database, serial)
    if found.status != CertificateStatus.HELD:
        cause = f"the certificate {serial} is {found.status}, not on hold"
        raise ConflictError("certificate.state", cause, "Only a hold can be lifted.")
    certificates.release(tx.database, found.id)
    index = desk.record(tx, "certificate.released", who, {"serial": serial, "station": found.station})
    _tell(desk, found, CertificateStatus.VALID, tx)
    reach("release.recording")
    return calls.Done(index)


def _tell(desk: Desk, found: certificates.Identified, status: CertificateStatus, tx: Tx) -> None:
    crls.changed(tx.database, found.issuer_key_id, found.serial)
    answers.drop(tx.database, found.issuer_key_id, found.serial)
    tx.after.append(partial(desk.mark, found.serial, status))
    if _own(desk, found):
        anchors.announce(desk, tx)
    if found.station:
        desk.tell_of_station(tx, found.station)
    news = calls.StatusChanged(found.issuer_key_id, found.serial)
    tx.after.append(partial(desk.board.publish, news))


def _refuse_reason(found: certificates.Identified, reason: Reason) -> None:
    if reason is Reason.CA_COMPROMISE and found.purpose not in _CERTIFYING:
        says = f"the certificate {found.serial} is no authority's, so no authority was compromised (RFC 5280 5.3.1)"
        raise InputError("revocation.reason", says, "Say key_compromise.")


def _own(desk: Desk, found: certificates.Identified) -> OwnCertificate | None:
    """The certificate as one of our own, if it is."""
    return next((own for own in desk.own.values() if own.serial == found.serial), None)


def _refuse_in_use(own: OwnCertificate, maker: str, *, authority: bool) -> None:
    """What our own authorities and servers use is replaced first: revoked alone, it would stop every station.

    A root stands on no list: who trusts it asks nobody about it (RFC 5280 6.1). It is replaced, then let go.
    """
    serial, purpose = own.serial, own.purpose
    if purpose in AUTHORITIES and not is_self_issued(own.certificate):
        if not authority:
            raise ConflictError(
                "certificate.own",
                f"the certificate {serial} is that of {own.name!r}, an authority in use: nothing below it would count",
                f"Make its successor first ({maker}), or revoke it at once:"
                f" bollard cert revoke {serial} --authority --reason ca_compromise.",
            )
        return
    says = f"the certificate {serial} ({own.name}) is in use by this home itself"
    raise ConflictError("certificate.own", says, _instead(own, maker))


def _instead(own: OwnCertificate, maker: str) -> str:
    """What is done in place of revoking."""
    if own.purpose in AUTHORITIES:
        return f"Replace it: {maker}; then bollard ca retire {own.name}."
    if own.purpose == "link":
        return f"Let it go: bollard ca retire {own.name}."
    return f"Renew it instead: bollard rotate --now {own.purpose}; then its former certificate can be revoked."
