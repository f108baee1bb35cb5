"""Revoking certificates, putting them on hold, and lifting a hold: recorded, then told to everybody who must know.

A reason is final but for one step: whatever a certificate was revoked for, that its key was compromised may be learnt
later, and is said then (RFC 5280 5.3.1); nothing leads back.
In the transaction of the change itself its list is marked to be written anew and answers about it become untrue.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from pki.edge import calls, clock
from pki.edge.crashpoints import reach
from pki.edge.ledger import answers, certificates, crls
from pki.errors import ConflictError, InputError
from pki.holding import KeyState
from pki.names import CertificateSerial
from pki.profile import CertificatePurpose
from pki.revocation import Reason
from pki.station import CertificateStatus

if TYPE_CHECKING:
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk

AUTHORITIES: Final = frozenset(purpose.value for purpose in CertificatePurpose if purpose.is_ca)
IN_USE: Final = frozenset({KeyState.NEXT, KeyState.ACTIVE})  # certificates of our own in these states are not revoked


async def revoke(desk: Desk, call: calls.RevokeCertificate, who: str) -> calls.Done:
    """Revoke a certificate, or put it on hold: recorded, then told to every proxy."""
    serial, reason = CertificateSerial.parse(call.serial), Reason.parse(call.reason)
    reach("revoke.asked")
    done = await desk.ledger.write(partial(_revoke, desk, serial.hex, reason, who))
    reach("revoke.recorded")
    return done


async def release(desk: Desk, call: calls.ReleaseCertificate, who: str) -> calls.Done:
    """Lift a hold: the certificate is valid again."""
    serial = CertificateSerial.parse(call.serial)
    reach("release.asked")
    done = await desk.ledger.write(partial(_release, desk, serial.hex, who))
    reach("release.recorded")
    return done


def _revoke(desk: Desk, serial: str, reason: Reason, who: str, tx: Tx) -> calls.Done:
    found = certificates.by_serial(tx.database, serial)
    _refuse_own(desk, serial)
    _refuse_reason(found, reason)
    if found.status == CertificateStatus.REVOKED and reason is Reason.KEY_COMPROMISE != found.reason:
        return _raise(desk, found, who, tx)
    if found.status not in {CertificateStatus.VALID, CertificateStatus.HELD}:
        raise ConflictError(
            "certificate.state", f"the certificate {serial} is {found.status}, not valid", "There is nothing to revoke."
        )
    moment = certificates.revoke(tx.database, found, reason, clock.stamp(clock.now()))
    what = {"serial": serial, "station": found.station, "reason": reason.value, "revoked_at": moment}
    if reason.is_hold:
        index = desk.record(tx, "certificate.held", who, what)
    else:
        index = desk.record(tx, "certificate.revoked", who, what)
    _tell(desk, found, tx)
    reach("revoke.recording")
    return calls.Done(index)


def _raise(desk: Desk, found: certificates.Identified, who: str, tx: Tx) -> calls.Done:
    """Say of a certificate that is revoked already that its key was compromised: nobody may be certified for it now."""
    moment, reason = certificates.raise_reason(tx.database, found), Reason.KEY_COMPROMISE.value
    what = {"serial": found.serial, "station": found.station, "reason": reason, "revoked_at": moment}
    index = desk.record(tx, "certificate.reason_raised", who, {**what, "before": found.reason})
    _tell(desk, found, tx)
    return calls.Done(index)


def _release(desk: Desk, serial: str, who: str, tx: Tx) -> calls.Done:
    found = certificates.by_serial(tx.database, serial)
    if found.status != CertificateStatus.HELD:
        cause = f"the certificate {serial} is {found.status}, not on hold"
        raise ConflictError("certificate.state", cause, "Only a hold can be lifted.")
    certificates.release(tx.database, found.id)
    index = desk.record(tx, "certificate.released", who, {"serial": serial, "station": found.station})
    _tell(desk, found, tx)
    reach("release.recording")
    return calls.Done(index)


def _tell(desk: Desk, found: certificates.Identified, tx: Tx) -> None:
    crls.changed(tx.database, found.issuer_key_id, found.serial)
    answers.drop(tx.database, found.issuer_key_id, found.serial)
    if found.station:
        desk.tell_of_station(tx, found.station)
    news = calls.StatusChanged(found.issuer_key_id, found.serial)
    tx.after.append(partial(desk.board.publish, news))


def _refuse_reason(found: certificates.Identified, reason: Reason) -> None:
    if reason is Reason.CA_COMPROMISE and found.purpose not in AUTHORITIES:
        says = f"the certificate {found.serial} is no authority's, so no authority was compromised (RFC 5280 5.3.1)"
        raise InputError("revocation.reason", says, "Say key_compromise.")


def _refuse_own(desk: Desk, serial: str) -> None:
    """What our own authorities and servers use is replaced first: revoked alone, it would stop every station."""
    for own in desk.own.values():
        if f"{own.certificate.serial_number:x}" == serial and own.holding.state in IN_USE:
            raise ConflictError(
                "certificate.own", f"the certificate {serial} is in use by this home itself", "Renew it instead."
            )
