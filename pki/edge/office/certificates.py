"""Issuing certificates to stations, listing them and revoking them."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki import request as requests
from pki.certificate import to_pem
from pki.edge import calls, clock
from pki.edge.crashpoints import reach
from pki.edge.ledger import certificates, stations
from pki.edge.office import issuing
from pki.edge.policies import read_policy
from pki.errors import ConflictError, RefusedError
from pki.names import CertificateSerial, StationIdentity, StationSerial
from pki.plan import Subject, plan
from pki.profile import CertificateProfile, parse_profile
from pki.revocation import Reason
from pki.station import CertificateStatus, SecurityProfile, Station

if TYPE_CHECKING:
    from pki.edge.commit import Tx
    from pki.edge.office.desk import Desk, OwnCertificate


@cache
def profile(name: str) -> CertificateProfile:
    """Return a certificate profile by name; each is read once in a process."""
    return parse_profile(name, read_policy("certificates", name))


async def issue(desk: Desk, call: calls.IssueCertificate, who: str) -> calls.CertificateIssued:
    """Issue a station its certificate; a refused request leaves an audit entry too."""
    row = desk.ledger.glance(partial(stations.plain, identity=StationIdentity.parse(call.station).text))
    issuer = desk.active("station")
    try:
        request = requests.read_request(call.csr)
        spki = request.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        compromised = desk.ledger.glance(partial(certificates.is_compromised, spki=spki))
        order = _order(desk, issuer, call, row, request, compromised=compromised)
    except RefusedError as refused:
        await desk.ledger.write(partial(_refuse, desk, row.identity, refused, who))
        raise
    sealed = await issuing.issue(desk, order, who)
    chain = to_pem([sealed.certificate, *desk.chain(issuer)])
    return calls.CertificateIssued(sealed.row, chain, sealed.audit_index)


async def listed(desk: Desk, call: calls.ListCertificates, who: str) -> calls.Certificates:  # noqa: ARG001 - one shape
    """List certificates, soonest expiry first. Expiring are those that still hold, unless a status is asked for."""
    serial = CertificateSerial.parse(call.serial).hex if call.serial else ""
    holds = call.expiring_before is not None and not call.status
    look = partial(
        certificates.listed,
        station=call.station,
        status=CertificateStatus.VALID.value if holds else call.status,
        serial=serial,
        before=call.expiring_before,
        after=clock.now() if holds else None,
    )
    return calls.Certificates(tuple(await desk.ledger.read(look)))


async def revoke(desk: Desk, call: calls.RevokeCertificate, who: str) -> calls.Done:
    """Revoke a certificate: recorded, then told to every proxy."""
    serial, reason = CertificateSerial.parse(call.serial), Reason.parse(call.reason)
    reach("revoke.asked")
    done = await desk.ledger.write(partial(_revoke, desk, serial.hex, reason, who))
    reach("revoke.recorded")
    return done


def _revoke(desk: Desk, serial: str, reason: Reason, who: str, tx: Tx) -> calls.Done:
    found = certificates.by_serial(tx.database, serial)
    _refuse_own(desk, serial)
    if found.status != CertificateStatus.VALID:
        raise ConflictError(
            "certificate.state", f"the certificate {serial} is {found.status}, not valid", "There is nothing to revoke."
        )
    moment = clock.stamp(clock.now())
    certificates.revoke(tx.database, found.id, reason.value, moment)
    what = {"serial": serial, "station": found.station, "reason": reason.value, "revoked_at": moment}
    index = desk.record(tx, "certificate.revoked", who, what)
    if found.station:
        desk.tell_of_station(tx, found.station)
    reach("revoke.recording")
    return calls.Done(index)


def _refuse_own(desk: Desk, serial: str) -> None:
    """Our own authorities and servers are replaced, not revoked: revoked alone, they would stop every station."""
    if any(f"{own.certificate.serial_number:x}" == serial for own in desk.own.values()):
        raise ConflictError(
            "certificate.own", f"the certificate {serial} is in use by this home itself", "Renew it instead."
        )


def _order(
    desk: Desk,
    issuer: OwnCertificate,
    call: calls.IssueCertificate,
    row: calls.StationRow,
    request: requests.SigningRequest,
    *,
    compromised: bool,
) -> issuing.Order:
    station = Station(StationIdentity(row.identity), StationSerial(row.serial), SecurityProfile(row.profile))
    admissible = requests.examine(request, station, desk.settings.organisation, compromised=compromised)
    planned = plan(
        profile("station"),
        Subject(admissible.serial.text, admissible.organisation),
        admissible.public_key,
        desk.issuer(issuer.name),
        issuing.draw_serial(),
        clock.now(),
        call.days,
    )
    return issuing.Order(planned, desk.keys.key(issuer.name), row.identity)


def _refuse(desk: Desk, identity: str, refused: RefusedError, who: str, tx: Tx) -> None:
    codes = sorted({finding.code for finding in refused.findings})
    desk.record(tx, "certificate.refused", who, {"station": identity, "code": refused.code, "findings": codes})
